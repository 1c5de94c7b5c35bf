// The context switch of user threads. What a function call preserves is all there is to save [System V ABI, AMD64
// supplement, 3.2.1]: rbx, rbp, r12-r15, rsp, and the control words of x87 and SSE.
    .text

// flexsc_threads_switch(Thread* from, const Thread* to, bool may_write_fs)
// Saves the caller's context in `from` and goes on in that of `to`, with its TLS.
    .globl flexsc_threads_switch
    .hidden flexsc_threads_switch
    .type flexsc_threads_switch, @function
flexsc_threads_switch:
    .cfi_startproc
    push %rbp
    .cfi_adjust_cfa_offset 8
    push %rbx
    .cfi_adjust_cfa_offset 8
    push %r12
    .cfi_adjust_cfa_offset 8
    push %r13
    .cfi_adjust_cfa_offset 8
    push %r14
    .cfi_adjust_cfa_offset 8
    push %r15
    .cfi_adjust_cfa_offset 8
    sub $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    mov %rsp, (%rdi)            // Thread::stack_pointer

    mov (%rsi), %r8
    mov 8(%rsi), %rax           // Thread::tcb
    test %edx, %edx
    jz 2f
    wrfsbase %rax               // the kernel allows it: AT_HWCAP2, bit 1
1:  mov %r8, %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    add $8, %rsp
    .cfi_adjust_cfa_offset -8
    pop %r15
    .cfi_adjust_cfa_offset -8
    pop %r14
    .cfi_adjust_cfa_offset -8
    pop %r13
    .cfi_adjust_cfa_offset -8
    pop %r12
    .cfi_adjust_cfa_offset -8
    pop %rbx
    .cfi_adjust_cfa_offset -8
    pop %rbp
    .cfi_adjust_cfa_offset -8
    ret

    .cfi_adjust_cfa_offset 56
2:  mov %rax, %rsi
    mov $0x1002, %edi           // ARCH_SET_FS
    mov $158, %eax              // arch_prctl
    syscall                     // loses rcx and r11 only
    jmp 1b
    .cfi_endproc
    .size flexsc_threads_switch, .-flexsc_threads_switch

// Where a new thread begins. Nobody called it, and unwinders stop here.
    .globl flexsc_threads_begin
    .hidden flexsc_threads_begin
    .type flexsc_threads_begin, @function
flexsc_threads_begin:
    .cfi_startproc
    .cfi_undefined rip
    xor %ebp, %ebp
    call flexsc_threads_main
    ud2
    .cfi_endproc
    .size flexsc_threads_begin, .-flexsc_threads_begin

    .section .note.GNU-stack, "", @progbits
