// What the vDSO has besides with option spma22=on: the functions by which the authors of the published fastcalls compared
// with a call that never leaves user code. copy_array copies the bytes that it is asked for; theirs copied twice as many.

#include "gate/vdso/function.inc"

#define SLOT_SHIFT 6

    .text
// int fccmp_noop()
FUNCTION fccmp_noop
    xorl %eax, %eax
    ret
END fccmp_noop

// int fccmp_copy_array(char* to, const char* from, unsigned char index, unsigned long size): to slot `index` of `to`.
FUNCTION fccmp_copy_array
    movzbl %dl, %edx
    shlq $SLOT_SHIFT, %rdx
    addq %rdx, %rdi
    movq %rcx, %r8
    andq $-8, %r8                               // the words, from the last to the first
    jz 2f
1:  movq -8(%rsi, %r8), %rax
    movq %rax, -8(%rdi, %r8)
    subq $8, %r8
    jnz 1b
2:  testl $7, %ecx                              // and bytes behind them
    jz 4f
3:  movb -1(%rsi, %rcx), %al
    movb %al, -1(%rdi, %rcx)
    decq %rcx
    testl $7, %ecx
    jnz 3b
4:  xorl %eax, %eax
    ret
END fccmp_copy_array

// int fccmp_copy_nt(char* to, const char* from, unsigned char index): 64 bytes to slot `index`, past the cache; both multiples of 32.
FUNCTION fccmp_copy_nt
    movzbl %dl, %edx
    shlq $SLOT_SHIFT, %rdx
    addq %rdx, %rdi
    vmovdqa (%rsi), %ymm0
    vmovdqa 32(%rsi), %ymm1
    vmovntdq %ymm0, (%rdi)
    vmovntdq %ymm1, 32(%rdi)
    movq (%rdi), %rax                           // waits for the stores, as all three gates do
    xorl %eax, %eax
    vzeroupper
    ret
END fccmp_copy_nt

    .section .note.GNU-stack, "", @progbits
