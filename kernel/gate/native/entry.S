// The native gate: where SYSCALL lands (IA32_LSTAR) and where SYSRET leaves. SYSCALL has put the user's RIP in RCX and RFLAGS in R11,
// masked RFLAGS by IA32_FMASK (so IF = DF = AC = TF = 0) and left RSP alone [SDM vol 2, SYSCALL]; GS and CR3 are the user's.
// docs/native.md counts the instructions.
//
// Only the upper part of the TrapFrame, from the arguments on, is built here. What lies below, RCX, R11 and the registers that C++
// preserves, is added where it is wanted: by native_whole_call for the calls that read or replace the frame, and on the slow way out.
// Until then those bytes are the handler's stack. With clear_regs=on the frame is whole from the start.

#include "cpu/entry_macros.inc"

// Offsets from the arguments.
#define UPPER(field) (field - FRAME_ARGS)

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
    movq %rsp, %rsi                             // the handler's arguments
    PATCH(PATCH_CLEAR, subq $16, %rsp; PUSH_CALLEE_SAVED; xorl %ebx, %ebx; xorl %ebp, %ebp; xorl %r12d, %r12d; xorl %r13d, %r13d; xorl %r14d, %r14d; xorl %r15d, %r15d)
    movq %gs:CPU_CALLER, %rdi
    cmpq $LINUX_NUMBERS, %rax
    jae native_own_number
    sbbq %rdx, %rdx                             // all ones; zeros if the branch above was mispredicted (Spectre v1) [threats S10, S11]
    andq %rdx, %rax
native_call:
    call *native_table(, %rax, 8)               // syscall/dispatch.cpp

    // Straight back by SYSRET if nothing is pending and the frame is one that SYSRET can restore.
    cmpl $0, %gs:CPU_WORK
    jne native_slow
    PATCH(PATCH_CLEAR, POP_DOWN_TO_ARGS)
native_leave:
    movq UPPER(FRAME_RIP)(%rsp), %rcx
    movq UPPER(FRAME_RFLAGS)(%rsp), %r11
    PATCH(GUARD_SYSRET_RIP, movq %rcx, %rdx; shrq $USER_TOP_SHIFT, %rdx; jnz native_refused)
    PATCH(GUARD_SYSRET_FLAGS, movl %r11d, %edx; xorl $FLAG_IF, %edx; testl $(SYSRET_FORBIDDEN_FLAGS | FLAG_IF), %edx; jnz native_refused)
    incq %gs:CPU_RETURN_SYSRET
    PATCH(PATCH_MDS, verw %gs:CPU_MDS_SELECTOR)
    POP_ARGS
    movq FRAME_RSP - FRAME_RAX(%rsp), %rsp      // the user's: no push or call from here on
    PATCH(PATCH_PTI, movq %rax, %gs:CPU_SCRATCH; movq %gs:CPU_USER_CR3, %rax; movq %rax, %cr3; movq %gs:CPU_SCRATCH, %rax)
    swapgs
    .global native_sysretq
native_sysretq:
    sysretq

// A number beyond Linux': one of Tollgate's own, or none.
native_own_number:
    movq %rax, %rdx
    subq $OWN_NUMBER_FIRST, %rdx
    cmpq $OWN_NUMBERS, %rdx
    jae native_no_number
    sbbq %rax, %rax
    andq %rdx, %rax
    addq $LINUX_NUMBERS, %rax
    jmp native_call
native_no_number:
    movl $TABLE_SIZE, %eax                      // the table's last entry: native_unknown
    jmp native_call

// The handler of every number without one. rax: its place in the table.
    .global native_unknown
native_unknown:
    btq %rax, syscall_logged(%rip)
    jnc 1f
    movq $-ERROR_NO_SYSTEM_CALL, %rax
    ret
1:  movq UPPER(FRAME_ERROR)(%rsi), %rdi         // the number
    jmp syscall_unknown                         // says so in the log, once

// The handler of every call that reads or replaces the whole frame, in front of its own. rax: the place in the table. With clear_regs=on the
// frame is whole already.
    .global native_whole_call
native_whole_call:
    PATCH(PATCH_CLEAR, jmp *trap_table(, %rax, 8))
    subq $8, %rsp                               // the return address lies where RCX belongs, R11 is next
    PUSH_CALLEE_SAVED
    call *trap_table(, %rax, 8)
    cmpl $0, %gs:CPU_WORK
    jne native_whole
    addq $FRAME_ARGS, %rsp
    jmp native_leave

// Something is pending.
native_slow:
    PATCH(PATCH_CLEAR, jmp native_whole)
native_refused:                                 // C++ has preserved the user's registers: they join the frame now
    subq $16, %rsp
    PUSH_CALLEE_SAVED
native_whole:
    incq %gs:CPU_NATIVE_SLOW
    movq %rax, FRAME_RAX(%rsp)
    testl $WORK_FULL_RETURN, %gs:CPU_WORK
    jnz 1f                                      // the frame was replaced, RCX and R11 too: by exec, or by sigreturn
    movq FRAME_RIP(%rsp), %rcx
    movq %rcx, FRAME_RCX(%rsp)
    movq FRAME_RFLAGS(%rsp), %r11
    movq %r11, FRAME_R11(%rsp)
1:  movq %rsp, %rdi
    call user_return_check
    jmp return_to_user

// SYSCALL from compatibility mode (AMD only). The GDT has no 32-bit code segment, so nobody can be there; if somebody were: -ENOSYS.
    .global native_compat_entry
native_compat_entry:
    movl $-38, %eax
    sysretl

    .section .note.GNU-stack, "", @progbits
