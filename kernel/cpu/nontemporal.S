// The one place where the kernel computes with vector registers. They hold what the caller of the system call left in them: the two that
// are used here are put back. Nothing switches threads in between, for an interrupt in the kernel never does.

#include "cpu/patch.h"

    .text
// void nontemporal_copy64(void* to, const void* from)
    .balign 64
    .global nontemporal_copy64
nontemporal_copy64:
    pushq %rbp
    movq %rsp, %rbp
    andq $-32, %rsp
    subq $64, %rsp
    vmovdqa %ymm0, (%rsp)
    vmovdqa %ymm1, 32(%rsp)
    vmovdqa (%rsi), %ymm0
    vmovdqa 32(%rsi), %ymm1
    vmovntdq %ymm0, (%rdi)
    vmovntdq %ymm1, 32(%rdi)
    movq (%rdi), %rax                           // waits for the stores: they leave a write-combining buffer first [SDM vol 1, 10.4.6.2]
    PATCH(GUARD_VECTORS, vmovdqa (%rsp), %ymm0; vmovdqa 32(%rsp), %ymm1)
    leave
    ret

    .section .note.GNU-stack, "", @progbits
