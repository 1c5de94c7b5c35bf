// The int 0x80 gate: the same numbers, arguments and table as SYSCALL, through an interrupt gate and back by IRET. Arrives on the entry
// stack with five words pushed by the CPU; nothing but rax changes for the caller. (Linux' int 0x80 is its 32-bit ABI; Tollgate has none.)

#include "cpu/entry_macros.inc"

    .section .entry.text, "ax"
    .balign 64
    .global int80_entry
int80_entry:
    swapgs                                      // only ring 3 can get here: the gate's DPL is 3, and the kernel never executes int
    PATCH(PATCH_SPECTRE, lfence)
    pushq %rdi
    LOAD_KERNEL_CR3 %rdi
    movq %rsp, %rdi
    movq %gs:CPU_KERNEL_STACK, %rsp
    pushq 40(%rdi)                              // ss
    pushq 32(%rdi)                              // rsp
    pushq 24(%rdi)                              // rflags
    pushq 16(%rdi)                              // cs
    pushq 8(%rdi)                               // rip
    pushq %rax                                  // error: the number
    pushq $VECTOR_INT80
    PUSH_REGISTERS (%rdi)
    SANITISE_FLAGS
    xorl %ebp, %ebp                             // the backtrace ends here
    movq %rsp, %rdi
    call int80_syscall
    jmp return_to_user

    .section .note.GNU-stack, "", @progbits
