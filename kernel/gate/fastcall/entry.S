// The fastcall gate: native_entry comes here with rax = 442 and everything else as SYSCALL left it: user GS, user CR3, user RSP,
// interrupts off. An index beyond the table becomes 442 without a branch, so that nothing beyond it can be reached speculatively either
// (Spectre v1): the table's page holds 512 pointers, and all from FASTCALL_ENTRIES on are those of free slots for ever. Then the function
// itself runs and executes SYSRET. The fastcall space is within the reach of a 32-bit displacement.

#include "cpu/entry_macros.inc"

    .section .entry.text, "ax"
    .balign 64
    .global fastcall_entry, fastcall_dispatch, fastcall_stub, fastcall_overrun
fastcall_entry:
    PATCH(GUARD_FASTCALL_INDEX, cmpq $(FASTCALL_ENTRIES - 1), %rdi; cmovaq %rax, %rdi)
fastcall_dispatch:
    jmp *FASTCALL_SPACE(, %rdi, 8)              // the function finds its attributes by rdi

// What every free slot of every table points to. Entry text, so that it is mapped whatever CR3 is.
fastcall_stub:
    movq $-22, %rax                             // -EINVAL
    sysretq

// Where the watchdog's NMI sends a function that does not end. The exception's way into the kernel is the one that a fault in the function
// would take (cpu/trap.S), which an NMI's is not.
fastcall_overrun:
    ud2

    .section .note.GNU-stack, "", @progbits
