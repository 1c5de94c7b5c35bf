// The example fastcalls of the published prototype, written anew (spec: fastcall, 10).

#include "gate/fastcall/function.inc"

FASTCALL_BEGIN noop                             // () -> 0
    xorl %eax, %eax
    FASTCALL_RETURN
FASTCALL_END noop

FASTCALL_BEGIN stack                            // (x) -> x, by way of the stack
    TAKE_STACK
    pushq %rsi
    popq %rax
    DROP_STACK
    FASTCALL_RETURN
FASTCALL_END stack

FASTCALL_BEGIN priv                             // (x) -> x + 1, by way of a private page (attribute 1)
    movq ATTRIBUTE(1)(, %rdi, 8), %rdx
    movq %rsi, (%rdx)
    movq (%rdx), %rax
    incq %rax
    FASTCALL_RETURN
FASTCALL_END priv

// (i, n) -> 0: copies ceil(n / 8) words from the shared page (attribute 1, a user page) to slot i of the private page (attribute 2).
FASTCALL_BEGIN array
    cmpq $64, %rsi
    jae 2f
    cmpq $64, %rdx
    ja 2f
    movq ATTRIBUTE(1)(, %rdi, 8), %r8
    movq ATTRIBUTE(2)(, %rdi, 8), %r9
    cmpq $64, %rsi                              // clamps a mispredicted index to 0
    sbbq %rax, %rax
    andq %rax, %rsi
    shlq $6, %rsi
    addq %rsi, %r9
    addq $7, %rdx
    shrq $3, %rdx
    jz 3f
    FASTCALL_USER_BEGIN
1:  movq -8(%r8, %rdx, 8), %rax
    movq %rax, -8(%r9, %rdx, 8)
    decq %rdx
    jnz 1b
    FASTCALL_USER_END
3:  xorl %eax, %eax
    FASTCALL_RETURN
2:  movq $-22, %rax
    FASTCALL_RETURN
FASTCALL_END array

// (i) -> 0: copies 64 bytes from the shared page (attribute 1) to slot i of the private page (attribute 2), past the cache, and waits until
// they are there. The caller loses ymm0 and ymm1. Registered on a CPU with AVX2 alone.
FASTCALL_BEGIN nt
    cmpq $64, %rsi
    jae 2f
    movq ATTRIBUTE(1)(, %rdi, 8), %r8
    movq ATTRIBUTE(2)(, %rdi, 8), %r9
    cmpq $64, %rsi                              // clamps a mispredicted index to 0
    sbbq %rax, %rax
    andq %rax, %rsi
    shlq $6, %rsi
    addq %rsi, %r9
    FASTCALL_USER_BEGIN
    vmovdqa (%r8), %ymm0
    vmovdqa 32(%r8), %ymm1
    FASTCALL_USER_END
    vmovntdq %ymm0, (%r9)
    vmovntdq %ymm1, 32(%r9)
    movq (%r9), %rax                            // waits for the stores: they leave a write-combining buffer first [SDM vol 1, 10.4.6.2]
    xorl %eax, %eax
    FASTCALL_RETURN
2:  movq $-22, %rax
    FASTCALL_RETURN
FASTCALL_END nt

    .section .note.GNU-stack, "", @progbits
