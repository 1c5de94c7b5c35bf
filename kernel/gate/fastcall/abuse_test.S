// Fastcalls that do what none may, for userland/tests/fastcall_*.cpp. They lie outside of .fastcall.text, since the check of providers'
// object files would refuse them. Built into kernels with tests only.
#ifdef TOLLGATE_TESTS

#include "gate/fastcall/function.inc"

    .section .fastcall_abuse.text, "ax"

    .macro ABUSE name
    .balign 64, 0xcc
    .global fastcall_\name, fastcall_\name\()_end
fastcall_\name:
    .endm
    .macro ABUSE_END name
fastcall_\name\()_end:
    .endm

ABUSE read                                      // what rsi points to, as it should be done but for the missing check of the address
    FASTCALL_USER_BEGIN
    movq (%rsi), %rax
    FASTCALL_USER_END
    FASTCALL_RETURN
ABUSE_END read

ABUSE read_on_stack                             // the same while it uses the fastcall stack
    TAKE_STACK
    pushq %rsi
    FASTCALL_USER_BEGIN
    movq (%rsi), %rdx
    FASTCALL_USER_END
    popq %rsi
    movq %rdx, %rax
    DROP_STACK
    FASTCALL_RETURN
ABUSE_END read_on_stack

ABUSE read_undeclared                           // the same, and says nothing of user memory
    PATCH(PATCH_SMAP, stac)
    movq (%rsi), %rax
    PATCH(PATCH_SMAP, clac)
    FASTCALL_RETURN
ABUSE_END read_undeclared

ABUSE undefined
    ud2
ABUSE_END undefined

ABUSE breakpoint
    int3
ABUSE_END breakpoint

ABUSE divide
    xorl %edx, %edx
    movl $1, %eax
    xorl %esi, %esi
    divl %esi
ABUSE_END divide

ABUSE non_canonical
    movabsq $0x8000000000000000, %rsi
    movq (%rsi), %rax
ABUSE_END non_canonical

// Goes round rsi times. PAUSE in some rounds only: under icount it gives the turn to another CPU, which takes the emulator long.
    .macro ROUNDS
7:  testb $63, %sil
    jnz 8f
    pause
8:  decq %rsi
    jnz 7b
    .endm

ABUSE loop                                      // for ever
    movl $0x10000, %esi
    ROUNDS
    jmp fastcall_loop
ABUSE_END loop

ABUSE spin                                      // rsi times, then 0x5ca1ab1e
    ROUNDS
    movl $0x5ca1ab1e, %eax
    FASTCALL_RETURN
ABUSE_END spin

ABUSE linger                                    // the same, but it needs its private page (attribute 1) at the end
    movq ATTRIBUTE(1)(, %rdi, 8), %rdx
    ROUNDS
    movq (%rdx), %rdx
    movl $0x5ca1ab1e, %eax
    FASTCALL_RETURN
ABUSE_END linger

ABUSE recurse
    TAKE_STACK
1:  call 1b
ABUSE_END recurse

ABUSE wild                                      // leaves its text
    xorl %eax, %eax
    jmp *%rax
ABUSE_END wild

ABUSE leave_ac
    PATCH(PATCH_SMAP, stac)
    FASTCALL_RETURN
ABUSE_END leave_ac

ABUSE leave_df
    std
    FASTCALL_RETURN
ABUSE_END leave_df

ABUSE leave_nt
    TAKE_STACK
    pushfq
    orq $0x4000, (%rsp)
    popfq
    DROP_STACK
    FASTCALL_RETURN
ABUSE_END leave_nt

ABUSE leave_rsp
    leaq -8(%rsp), %rsp
    FASTCALL_RETURN
ABUSE_END leave_rsp

ABUSE leave_rcx
    movq %rsi, %rcx
    FASTCALL_RETURN
ABUSE_END leave_rcx

ABUSE leave_r11
    xorl %r11d, %r11d
    FASTCALL_RETURN
ABUSE_END leave_r11

ABUSE leave_gs
    swapgs
    FASTCALL_RETURN
ABUSE_END leave_gs

#endif
    .section .note.GNU-stack, "", @progbits
