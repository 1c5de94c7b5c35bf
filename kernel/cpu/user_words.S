// User words by single instructions, for calls that move one or two of them: user_copy's loop costs more than the move. Under the same
// rules: the address has been checked, SMAP is open between stac and clac alone, a fault goes on at the label in .fixups.

#include "cpu/patch.h"

    .macro FIXUP instruction, target
    .pushsection .fixups, "a"
    .quad \instruction, \target
    .popsection
    .endm

    .text
// u64 user_load32(const u32* from, u32* to): 0 on success.
    .global user_load32
user_load32:
    PATCH(PATCH_SMAP, stac)
1:  movl (%rdi), %eax
    PATCH(PATCH_SMAP, clac)
    movl %eax, (%rsi)
    xorl %eax, %eax
    ret
    FIXUP 1b, 90f

// u64 user_store2(u64* to, u64 first, u64 second): 0 on success.
    .global user_store2
user_store2:
    PATCH(PATCH_SMAP, stac)
2:  movq %rsi, (%rdi)
3:  movq %rdx, 8(%rdi)
    PATCH(PATCH_SMAP, clac)
    xorl %eax, %eax
    ret
    FIXUP 2b, 90f
    FIXUP 3b, 90f

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
