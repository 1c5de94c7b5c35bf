// fastcall.check=on: in the table stands fastcall_checked instead of the function, and the function's FASTCALL_RETURN jumps to
// fastcall_checked_exit, which demands that what SYSRET and the user rely on is as it was. Both run on the user's CR3 and GS; they keep
// what they need in the CPU's own page (cpu/fastcall_cpu.h) and use no stack.

#include "cpu/entry_macros.inc"

// Where this CPU's FastcallCpu is.
    .macro FIND_CPU register, low
    movl $CPU_NODE_SELECTOR, \low
    lsll \low, \low
    andl $0xfff, \low
    shlq $ENTRY_AREA_SHIFT, \register
    addq fastcall_areas(%rip), \register
    .endm

// rdx = a 64-bit counter or register that comes in edx:eax.
    .macro JOIN
    shlq $32, %rdx
    orq %rax, %rdx
    .endm

    .section .entry.text, "ax"
    .balign 64
    .global fastcall_checked, fastcall_checked_exit, fastcall_bad_exit
fastcall_checked:
    FIND_CPU %rax, %eax
    movq %rsp, CHECK_RSP(%rax)
    movq %rcx, CHECK_RCX(%rax)
    movq %r11, CHECK_R11(%rax)
    movq %rdx, CHECK_RDX(%rax)
    movq %rdi, CHECK_INDEX(%rax)
    movq %rax, %rsp
    movl $0xc0000101, %ecx                      // IA32_GS_BASE
    rdmsr
    JOIN
    movq %rdx, CHECK_GS_BASE(%rsp)
    lock incq FASTCALL_COUNTS(, %rdi, 8)
    rdtsc
    JOIN
    movq %rdx, CHECK_START(%rsp)
    movq CHECK_RDX(%rsp), %rdx
    movq CHECK_RCX(%rsp), %rcx
    movq CHECK_RSP(%rsp), %rsp
    movl $SYS_FASTCALL, %eax
    jmp *FASTCALL_CHECKED(, %rdi, 8)

// Everything but rax (the result), rcx, r11, rsp and the callee-saved registers is the function's to lose.
fastcall_checked_exit:
    FIND_CPU %rdi, %edi
    movq %rsp, CHECK_EXIT_RSP(%rdi)
    leaq CHECK_EXIT_FLAGS + 8(%rdi), %rsp
    pushfq
    cli                                         // a function that has set IF is a bug; an interrupt here would be another
    cld
    PATCH(PATCH_SMAP, clac)
    movq %rax, CHECK_RESULT(%rdi)
    movq %rcx, CHECK_EXIT_RCX(%rdi)
    movq %r11, CHECK_EXIT_R11(%rdi)
    movl $0xc0000101, %ecx
    rdmsr
    JOIN
    movq %rdx, CHECK_EXIT_GS_BASE(%rdi)
    cmpq CHECK_GS_BASE(%rdi), %rdx
    jne bad_exit
    movq CHECK_EXIT_RSP(%rdi), %rdx
    cmpq CHECK_RSP(%rdi), %rdx
    jne bad_exit
    movq CHECK_EXIT_RCX(%rdi), %rcx
    cmpq CHECK_RCX(%rdi), %rcx
    jne bad_exit
    cmpq CHECK_R11(%rdi), %r11
    jne bad_exit
    testl $FASTCALL_FORBIDDEN_FLAGS, CHECK_EXIT_FLAGS(%rdi)
    jnz bad_exit

    rdtsc
    JOIN
    subq CHECK_START(%rdi), %rdx
    movq CHECK_INDEX(%rdi), %rsi
    movq FASTCALL_LONGEST(, %rsi, 8), %rax
1:  cmpq %rax, %rdx
    jbe 2f
    lock cmpxchgq %rdx, FASTCALL_LONGEST(, %rsi, 8)
    jne 1b
2:  movq CHECK_RESULT(%rdi), %rax
    movq CHECK_RSP(%rdi), %rsp
    sysretq

// As a fault in the function would, with GS as that expects it: the user's, and the kernel's for SWAPGS.
bad_exit:
    movl $0xc0000101, %ecx
    movl CHECK_GS_BASE(%rdi), %eax
    movl CHECK_GS_BASE + 4(%rdi), %edx
    wrmsr
    movl $0xc0000102, %ecx                      // IA32_KERNEL_GS_BASE
    leaq -AREA_FASTCALL(%rdi), %rax             // the CPU's block
    movq %rax, %rdx
    shrq $32, %rdx
    wrmsr
fastcall_bad_exit:
    ud2

    .balign 8
fastcall_areas:
    .quad (ENTRY_AREAS_HIGH << 32) + AREA_FASTCALL

    .section .note.GNU-stack, "", @progbits
