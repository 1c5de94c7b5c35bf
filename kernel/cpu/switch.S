// Changing threads. A kernel thread that is not running keeps its callee-saved registers on its own stack; the rest C++ does not
// expect to survive the call.

    .text
// u64* switch_context(u64* save_rsp, u64 new_rsp): returns in the new thread.
    .global switch_context
switch_context:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

// Where a new thread starts: its first switch "returns" here, with r12 = function and r13 = argument.
    .global thread_start
thread_start:
    call sched_finish_switch
    movq %r13, %rdi
    xorl %ebp, %ebp
    call *%r12
    ud2

    .section .note.GNU-stack, "", @progbits
