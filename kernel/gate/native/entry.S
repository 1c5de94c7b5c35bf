// The native gate: where SYSCALL lands (IA32_LSTAR) and where SYSRET leaves. SYSCALL has put the user's RIP in RCX and RFLAGS in R11,
// masked RFLAGS by IA32_FMASK (so IF = DF = AC = TF = 0) and left RSP alone [SDM vol 2, SYSCALL]; GS and CR3 are the user's.
// docs/native.md counts the instructions.

#include "cpu/entry_macros.inc"

    .section .entry.text, "ax"
    .balign 64
    .global native_entry
native_entry:
    cmpq $SYS_FASTCALL, %rax
    je fastcall_entry                           // gate/fastcall/entry.S
    swapgs
    movq %rsp, %gs:CPU_USER_RSP
    LOAD_KERNEL_CR3 %rsp
    movq %gs:CPU_KERNEL_STACK, %rsp
    pushq $USER_DATA
    pushq %gs:CPU_USER_RSP
    pushq %r11
    pushq $USER_CODE
    pushq %rcx
    pushq %rax                                  // error: the number
    pushq $VECTOR_SYSCALL
    pushq %rax
    pushq %r9
    pushq %r8
    pushq %r10
    pushq %rdx
    pushq %rsi
    pushq %rdi
    subq $16, %rsp                              // rcx, r11: native_slow fills them in if they are wanted
    PUSH_CALLEE_SAVED                           // C++ preserves them; clone and exec need them in the frame
    PATCH(PATCH_CLEAR, xorl %ebx, %ebx; xorl %ebp, %ebp; xorl %r12d, %r12d; xorl %r13d, %r13d; xorl %r14d, %r14d; xorl %r15d, %r15d)
    movq %rsp, %rdi
    call native_syscall                         // gate/native/native.cpp

    // Straight back by SYSRET if nothing is pending and the frame is one that SYSRET can restore.
    cmpl $0, %gs:CPU_WORK
    jne native_slow
    movq FRAME_RIP(%rsp), %rcx
    movq FRAME_RFLAGS(%rsp), %r11
    PATCH(GUARD_SYSRET_RIP, movq %rcx, %rdx; shrq $USER_TOP_SHIFT, %rdx; jnz native_slow)
    PATCH(GUARD_SYSRET_FLAGS, movl %r11d, %edx; xorl $FLAG_IF, %edx; testl $(SYSRET_FORBIDDEN_FLAGS | FLAG_IF), %edx; jnz native_slow)
    PATCH(PATCH_CLEAR, movq (%rsp), %r15; movq 8(%rsp), %r14; movq 16(%rsp), %r13; movq 24(%rsp), %r12; movq 32(%rsp), %rbp; movq 40(%rsp), %rbx)
    incq %gs:CPU_RETURN_SYSRET
    PATCH(PATCH_MDS, verw %gs:CPU_MDS_SELECTOR)
    addq $FRAME_ARGS, %rsp
    POP_ARGS
    movq FRAME_RSP - FRAME_RAX(%rsp), %rsp      // the user's: no push or call from here on
    PATCH(PATCH_PTI, movq %rax, %gs:CPU_SCRATCH; movq %gs:CPU_USER_CR3, %rax; movq %rax, %cr3; movq %gs:CPU_SCRATCH, %rax)
    swapgs
    .global native_sysretq
native_sysretq:
    sysretq

native_slow:
    incq %gs:CPU_NATIVE_SLOW
    movq %rax, FRAME_RAX(%rsp)
    movq FRAME_RIP(%rsp), %rcx
    movq %rcx, FRAME_RCX(%rsp)
    movq FRAME_RFLAGS(%rsp), %r11
    movq %r11, FRAME_R11(%rsp)
    movq %rsp, %rdi
    call user_return_check
    jmp return_to_user

// SYSCALL from compatibility mode (AMD only). The GDT has no 32-bit code segment, so nobody can be there; if somebody were: -ENOSYS.
    .global native_compat_entry
native_compat_entry:
    movl $-38, %eax
    sysretl

    .section .note.GNU-stack, "", @progbits
