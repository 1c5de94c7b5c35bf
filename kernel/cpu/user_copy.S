// The only instructions of the kernel that touch user addresses, and one that may meet a hole. Each is listed in .fixups with the label to go on at when it faults;
// SMAP is open between stac and clac alone. Moves 8 bytes at a time: rep movsb is ten times slower on TCG (spec: platform).

#include "cpu/patch.h"

    .macro FIXUP instruction, target
    .pushsection .fixups, "a"
    .quad \instruction, \target
    .popsection
    .endm

    .text
// u64 user_copy(void* to, const void* from, u64 size): bytes not copied, 0 on success. One side is a checked user range.
    .global user_copy
user_copy:
    PATCH(PATCH_SMAP, stac)
    movq %rdx, %rcx
    andl $7, %edx                               // bytes after the last whole word
    shrq $3, %rcx
    leaq (%rsi, %rcx, 8), %rsi
    leaq (%rdi, %rcx, 8), %rdi
    negq %rcx                                   // counts up to 0
    jz 2f
1:  movq (%rsi, %rcx, 8), %rax
10: movq %rax, (%rdi, %rcx, 8)
    incq %rcx
    jnz 1b
2:  testq %rdx, %rdx
    jz 4f
3:  movb (%rsi), %al
30: movb %al, (%rdi)
    incq %rsi
    incq %rdi
    decq %rdx
    jnz 3b
4:  PATCH(PATCH_SMAP, clac)
    negq %rcx
    leaq (%rdx, %rcx, 8), %rax
    ret
    FIXUP 1b, 4b
    FIXUP 10b, 4b
    FIXUP 3b, 4b
    FIXUP 30b, 4b

// u64 user_clear(void* to, u64 size): bytes not cleared.
    .global user_clear
user_clear:
    PATCH(PATCH_SMAP, stac)
    testq %rsi, %rsi
    jz 6f
5:  movb $0, (%rdi)
    incq %rdi
    decq %rsi
    jnz 5b
6:  PATCH(PATCH_SMAP, clac)
    movq %rsi, %rax
    ret
    FIXUP 5b, 6b

// i64 user_string(char* to, const char* from, u64 size): length without the NUL, -1 on a fault, size if there is no NUL.
    .global user_string
user_string:
    PATCH(PATCH_SMAP, stac)
    xorl %eax, %eax
7:  cmpq %rdx, %rax
    je 8f
70: movb (%rsi, %rax), %cl
    movb %cl, (%rdi, %rax)
    incq %rax
    testb %cl, %cl
    jnz 7b
    decq %rax
8:  PATCH(PATCH_SMAP, clac)
    ret
9:  movq $-1, %rax
    jmp 8b
    FIXUP 70b, 9b

// bool kernel_read(u64 address, u64* value): false if nothing is mapped there. For backtraces, which follow pointers that may be anything.
    .global kernel_read
kernel_read:
    xorl %eax, %eax
11: movq (%rdi), %rcx
    movq %rcx, (%rsi)
    movl $1, %eax
12: ret
    FIXUP 11b, 12b

    .section .note.GNU-stack, "", @progbits
