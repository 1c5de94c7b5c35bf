// Atomic changes of user words, for futexes. Under user_copy.S's rules: the address has been checked, SMAP is open between stac and clac
// alone, a fault goes on at the label in .fixups.

#include "cpu/patch.h"

    .macro FIXUP instruction, target
    .pushsection .fixups, "a"
    .quad \instruction, \target
    .popsection
    .endm

    .text
// u64 user_exchange32(u32* at, u32 expected, u32 desired, u32* seen): replaces the word if it is `expected`, in one atomic step; `seen` is
// what it was. 0 on success, whether it was replaced or not.
    .global user_exchange32
user_exchange32:
    movl %esi, %eax
    PATCH(PATCH_SMAP, stac)
4:  lock cmpxchgl %edx, (%rdi)
    PATCH(PATCH_SMAP, clac)
    movl %eax, (%rcx)
    xorl %eax, %eax
    ret
    FIXUP 4b, 90f

90: PATCH(PATCH_SMAP, clac)
    movl $1, %eax
    ret

    .section .note.GNU-stack, "", @progbits
