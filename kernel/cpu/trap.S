// Everything that enters through the IDT, and the way back to user code by IRET. Which stack an event arrives on:
//   interrupts from user code     the CPU's entry stack (TSS.RSP0), in both page tables
//   faults, from anywhere         the CPU's fault stack (IST 1): a fault in a fastcall must not be pushed on the user's stack
//   NMI, #DF, #MC, #DB            stacks of their own (IST 2 to 5)
// From user code the frame is moved to the thread's kernel stack; from the kernel, faults move it to the stack that was interrupted,
// so that IST 1 is free again before anything can fault once more.

#include "cpu/entry_macros.inc"

    .section .entry.text, "ax"

// One stub a vector, 16 bytes apart: area.cpp computes their addresses.
    .balign 16
    .global trap_stubs
trap_stubs:
    vector = 0
    .rept 256
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
    pushq $0                                    // the CPU pushes an error code for the others only [SDM vol 3, 6.15]
    .endif
    pushq $vector
    .if vector == 2 || vector == 8 || vector == 18
    jmp paranoid_common
    .elseif vector == 1
    jmp debug_common
    .elseif vector < 32
    jmp fault_common
    .else
    jmp interrupt_common
    .endif
    vector = vector + 1
    .endr

// Offsets from rsp with only vector and error below the CPU's frame.
#define EARLY_CS 24

debug_common:
    testb $3, EARLY_CS(%rsp)
    jnz from_user
    jmp paranoid_common

fault_common:
    testb $3, EARLY_CS(%rsp)
    jz fault_from_kernel
    jmp from_user

interrupt_common:
    testb $3, EARLY_CS(%rsp)
    jz interrupt_from_kernel

// On the entry, fault or debug stack; user GS, user CR3.
from_user:
    swapgs
    PATCH(PATCH_SPECTRE, lfence)                // no later load may speculate with the user's GS [CVE-2019-1125]
    pushq %rdi
    LOAD_KERNEL_CR3 %rdi
    movq %rsp, %rdi
    movq %gs:CPU_KERNEL_STACK, %rsp
    pushq 56(%rdi)                              // ss
    pushq 48(%rdi)                              // rsp
    pushq 40(%rdi)                              // rflags
    pushq 32(%rdi)                              // cs
    pushq 24(%rdi)                              // rip
    pushq 16(%rdi)                              // error
    pushq 8(%rdi)                               // vector
    PUSH_REGISTERS (%rdi)
    SANITISE_FLAGS
    xorl %ebp, %ebp                             // the backtrace ends here
    movq %rsp, %rdi
    call trap_from_user

// The way back by IRET. rsp points at a TrapFrame at the top of the thread's kernel stack; interrupts are off.
    .global return_to_user
return_to_user:
    cmpl $0, %gs:CPU_WORK
    jne 3f
2:  PATCH(PATCH_MDS, verw %gs:CPU_MDS_SELECTOR)
    incq %gs:CPU_RETURN_IRET
    POP_DOWN_TO_ARGS
    movq %rsp, %rdi                             // the frame moves to the entry stack, which the user page table has too
    movq %gs:CPU_ENTRY_STACK, %rsp
    pushq FRAME_SS - FRAME_ARGS(%rdi)
    pushq FRAME_RSP - FRAME_ARGS(%rdi)
    pushq FRAME_RFLAGS - FRAME_ARGS(%rdi)
    pushq FRAME_CS - FRAME_ARGS(%rdi)
    pushq FRAME_RIP - FRAME_ARGS(%rdi)
    pushq (%rdi)                                // user rdi
    movq 8(%rdi), %rsi
    movq 16(%rdi), %rdx
    movq 24(%rdi), %r10
    movq 32(%rdi), %r8
    movq 40(%rdi), %r9
    movq 48(%rdi), %rax
    LOAD_USER_CR3 %rdi
    popq %rdi
    swapgs
    .global user_iretq
user_iretq:
    iretq
3:  movq %rsp, %rdi
    call user_return_work
    jmp return_to_user

// enter_user_mode(TrapFrame&): the first return of a new thread.
    .global enter_user_mode
enter_user_mode:
    cli
    movq %rdi, %rsp
    jmp return_to_user

interrupt_from_kernel:
    PATCH(PATCH_SPECTRE, lfence)                // the branch that skipped swapgs is decided before any load [CVE-2019-1125]
    PUSH_REGISTERS
    SANITISE_FLAGS
    movq %rsp, %rdi
    call trap_from_kernel
restore_kernel:
    POP_DOWN_TO_ARGS
    POP_ARGS
    popq %rax
    addq $16, %rsp
    iretq

// A fault at CPL 0, on the fault stack. Three cases: in a fastcall (or in the IRET to user code) GS and CR3 are the user's and the
// thread's kernel stack is empty; in the entry text they may be either, which only a bug can bring about; else it is the kernel proper.
// A function that has jumped out of its text is known by its stack: the user's, or one in the fastcall space.
fault_from_kernel:
    PATCH(PATCH_SPECTRE, lfence)
    PUSH_REGISTERS
    SANITISE_FLAGS
    movq FRAME_RIP(%rsp), %rax
    cmpq $FASTCALL_SPACE, %rax
    jae fault_with_user_state
    cmpq $user_iretq, %rax
    je fault_with_user_state
    cmpq $native_sysretq, %rax
    je fault_with_user_state
    cmpq $fastcall_dispatch, %rax
    je fault_with_user_state
    cmpq $fastcall_overrun, %rax
    je fault_with_user_state
    cmpq $fastcall_bad_exit, %rax
    je fault_with_user_state
    cmpq $__entry_text_start, %rax
    jb 1f
    cmpq $__entry_text_end, %rax
    jb fault_in_entry
1:  movq FRAME_RSP(%rsp), %rax
    testq %rax, %rax
    jns fault_with_user_state
    cmpq $FASTCALL_SPACE, %rax
    jae fault_with_user_state
    movq %rsp, %rdi
    call fault_home                             // where to go on: on the interrupted stack, or here if that is broken
    movq %rsp, %rsi
    movq %rax, %rdi
    movq %rax, %rsp
    movl $FRAME_WORDS, %ecx
    rep movsq
    movq %rsp, %rdi
    call trap_from_kernel
    jmp restore_kernel

fault_with_user_state:
    swapgs
    PATCH(PATCH_SPECTRE, lfence)
    LOAD_KERNEL_CR3 %rax
    movq %rsp, %rsi
    movq %gs:CPU_KERNEL_STACK, %rdi
    subq $FRAME_SIZE, %rdi
    movq %rdi, %rdx
    movl $FRAME_WORDS, %ecx
    rep movsq
    movq %rdx, %rsp
    xorl %ebp, %ebp
    movq %rsp, %rdi
    call trap_in_user_state
    jmp return_to_user

fault_in_entry:
    movq %rsp, %rdi
    call paranoid_gs
    LOAD_KERNEL_CR3 %rax
    movq %rsp, %rdi
    call trap_from_kernel                       // panics
    ud2

// Sets GS to this CPU's block, which lies at the bottom of the entry area that every IST stack is in: right whatever GS was, and
// whatever user code wrote to it. Returns the old base in rax. Clobbers rcx, rdx, rsi.
paranoid_gs:
    movl $0xc0000101, %ecx                      // IA32_GS_BASE
    rdmsr
    shlq $32, %rdx
    orq %rax, %rdx
    movq %rdx, %rsi
    movq %rsp, %rax
    andq $-ENTRY_AREA_SIZE, %rax
    movq %rax, %rdx
    shrq $32, %rdx
    wrmsr
    movq %rsi, %rax
    ret

// NMI, #DF, #MC, and #DB at CPL 0: may come between any two instructions of the paths above and of a fastcall.
paranoid_common:
    PUSH_REGISTERS
    SANITISE_FLAGS
    call paranoid_gs
    movq %rax, %r12
    movq %cr3, %r13
    LOAD_KERNEL_CR3 %rax
    movq %rsp, %rdi
    call trap_paranoid
    PATCH(PATCH_MDS, verw %gs:CPU_MDS_SELECTOR) // an NMI may return to user code
    PATCH(PATCH_PTI, movq %r13, %cr3)
    movl $0xc0000101, %ecx
    movl %r12d, %eax
    movq %r12, %rdx
    shrq $32, %rdx
    PATCH(GUARD_PARANOID_GS, wrmsr)
    jmp restore_kernel

    .section .note.GNU-stack, "", @progbits
