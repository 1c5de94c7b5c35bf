// Assembly that several ways in and out share: building a TrapFrame, and the two register sets to restore.
#pragma once

#include "asm_offsets.h"
#include "cpu/patch.h"

// Pushes rax and everything below it in TrapFrame. On entry rsp points at TrapFrame::vector. RDI is taken from `rdi`.
.macro PUSH_REGISTERS rdi=%rdi
    pushq %rax
    pushq %r9
    pushq %r8
    pushq %r10
    pushq %rdx
    pushq %rsi
    pushq \rdi
    pushq %rcx
    pushq %r11
    PUSH_CALLEE_SAVED
.endm

.macro PUSH_CALLEE_SAVED
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
.endm

// The inverse, down to rcx: rsp then points at TrapFrame::args.
.macro POP_DOWN_TO_ARGS
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %rcx
.endm

// With rsp at TrapFrame::args: restores them; rsp then points at TrapFrame::rax.
.macro POP_ARGS
    popq %rdi
    popq %rsi
    popq %rdx
    popq %r10
    popq %r8
    popq %r9
.endm

// The state that C++ relies on whatever user code had: DF = 0 for string operations [System V ABI], AC = 0 so that SMAP bites.
.macro SANITISE_FLAGS
    PATCH(GUARD_CLD, cld)
    PATCH(PATCH_SMAP, PATCH(GUARD_ENTRY_CLAC, clac))
.endm

// Switches to the kernel's page table (pti=on only). Clobbers the register.
.macro LOAD_KERNEL_CR3 scratch
    PATCH(PATCH_PTI, movq %gs:CPU_KERNEL_CR3, \scratch; movq \scratch, %cr3)
.endm
.macro LOAD_USER_CR3 scratch
    PATCH(PATCH_PTI, movq %gs:CPU_USER_CR3, \scratch; movq \scratch, %cr3)
.endm
