// The fastcall gate: native_entry comes here with rax = 442 and everything else as SYSCALL left it: user GS, user CR3, user RSP,
// interrupts off. The index is clamped to the table without a branch (slot 127 is never used and returns -EINVAL like every free
// one), then the function itself runs and executes SYSRET. The fastcall space is within the reach of a 32-bit displacement.

#include "cpu/entry_macros.inc"

    .section .entry.text, "ax"
    .balign 64
    .global fastcall_entry, fastcall_dispatch, fastcall_stub
fastcall_entry:
    movl $FASTCALL_ENTRIES, %eax
    PATCH(GUARD_FASTCALL_INDEX, cmpq %rax, %rdi; cmovaq %rax, %rdi)
    shlq $5, %rdi                               // 32-byte entries
fastcall_dispatch:
    jmp *FASTCALL_SPACE(%rdi)                   // the function finds its entry at FASTCALL_SPACE + rdi

// What every free slot of every table points to. Entry text, so that it is mapped whatever CR3 is.
fastcall_stub:
    movq $-22, %rax                             // -EINVAL
    sysretq

    .section .note.GNU-stack, "", @progbits
