// The example fastcalls of the published prototype, written anew. Each is copied into pages of the fastcall space, so that nothing here
// may refer to anything outside its own label pair. In: rdi = offset of the table entry in the table, rsi, rdx, r10, r8, r9 arguments;
// rcx, r11 must survive for SYSRET; user RSP, user GS, IF = 0. A function that takes a stack keeps the user's RSP in its top word, where
// fault recovery finds it.

#include "cpu/entry_macros.inc"

#define ATTRIBUTE(n) (FASTCALL_SPACE + 8 * (n))

    .section .fastcall.text, "ax"

    .macro FASTCALL_BEGIN name
    .balign 64
    .global fastcall_\name, fastcall_\name\()_end
fastcall_\name:
    .endm
    .macro FASTCALL_END name
fastcall_\name\()_end:
    .endm

FASTCALL_BEGIN noop                             // () -> 0
    xorl %eax, %eax
    sysretq
FASTCALL_END noop

// Switches rsp to this CPU's page of the fastcall stacks; the user's rsp is its first word. Clobbers rax.
    .macro TAKE_STACK
    movl $CPU_NODE_SELECTOR, %eax
    lsll %eax, %eax                             // CPU number: GS belongs to the user here
    andl $0xfff, %eax
    shll $13, %eax                              // a guard page below each
    leaq FASTCALL_STACKS + 0x2000(%rax), %rax
    movq %rsp, -8(%rax)
    leaq -8(%rax), %rsp
    .endm
    .macro DROP_STACK
    popq %rsp
    .endm

FASTCALL_BEGIN stack                            // (x) -> x, by way of the stack
    TAKE_STACK
    pushq %rsi
    popq %rax
    DROP_STACK
    sysretq
FASTCALL_END stack

FASTCALL_BEGIN priv                             // (x) -> x + 1, by way of a private page (attribute 1)
    movq ATTRIBUTE(1)(%rdi), %rdx
    movq %rsi, (%rdx)
    movq (%rdx), %rax
    incq %rax
    sysretq
FASTCALL_END priv

// (i, n) -> 0: copies ceil(n / 8) words from the shared page (attribute 1, a user page) to slot i of the private page (attribute 2).
FASTCALL_BEGIN array
    cmpq $64, %rsi
    jae 2f
    cmpq $64, %rdx
    ja 2f
    movq ATTRIBUTE(1)(%rdi), %r8
    movq ATTRIBUTE(2)(%rdi), %r9
    cmpq $64, %rsi                              // clamps a mispredicted index to 0
    sbbq %rax, %rax
    andq %rax, %rsi
    shlq $6, %rsi
    addq %rsi, %r9
    addq $7, %rdx
    shrq $3, %rdx
    jz 3f
    PATCH(PATCH_SMAP, stac)
1:  movq -8(%r8, %rdx, 8), %rax
    movq %rax, -8(%r9, %rdx, 8)
    decq %rdx
    jnz 1b
    PATCH(PATCH_SMAP, clac)
3:  xorl %eax, %eax
    sysretq
2:  movq $-22, %rax
    sysretq
FASTCALL_END array

// Test builds only register this one: reads the user address in rsi, which may fault.
FASTCALL_BEGIN probe
    PATCH(PATCH_SMAP, stac)
    movq (%rsi), %rax
    PATCH(PATCH_SMAP, clac)
    sysretq
FASTCALL_END probe

    .section .note.GNU-stack, "", @progbits
