// The instructions of the kernel that touch user addresses, with those of user_words.S and user_words.h, and one that may meet a hole. Each is listed in .fixups with the label to go on at when it faults;
// SMAP is open between stac and clac alone. Moves 8 bytes at a time: rep movsb is ten times slower on TCG (spec: platform).

#include "cpu/patch.h"

    .macro FIXUP instruction, target
    .pushsection .fixups, "a"
    .quad \instruction, \target
    .popsection
    .endm

    .text
// u64 user_copy(void* to, const void* from, u64 size): 0 on success, else another number. One side is a checked user range. Both ends of
// a short range are moved as words that may overlap; long ones go by rep movsq, which resumes where it was when a fault has been resolved.
    .global user_copy
user_copy:
    PATCH(PATCH_SMAP, stac)
    cmpq $16, %rdx
    jae 4f
    cmpl $8, %edx
    jb 2f
1:  movq (%rsi), %rax
10: movq -8(%rsi, %rdx), %rcx
11: movq %rax, (%rdi)
12: movq %rcx, -8(%rdi, %rdx)
    jmp 9f
2:  cmpl $4, %edx
    jae 20f
    testl %edx, %edx
    jz 9f
3:  movzbl (%rsi), %eax
30: movb %al, (%rdi)
    decl %edx
    jz 9f
31: movzwl -1(%rsi, %rdx), %eax
32: movw %ax, -1(%rdi, %rdx)
    jmp 9f
20: movl (%rsi), %eax
21: movl -4(%rsi, %rdx), %ecx
22: movl %eax, (%rdi)
23: movl %ecx, -4(%rdi, %rdx)
    jmp 9f
4:  cmpq $128, %rdx
    ja 7f
    leaq -16(%rdx), %r8                         // where the last 16 bytes begin
    xorl %ecx, %ecx
    testq %r8, %r8
    jz 6f
5:  movq (%rsi, %rcx), %rax
50: movq 8(%rsi, %rcx), %r9
51: movq %rax, (%rdi, %rcx)
52: movq %r9, 8(%rdi, %rcx)
    addl $16, %ecx
    cmpl %r8d, %ecx
    jb 5b
6:  movq (%rsi, %r8), %rax
60: movq 8(%rsi, %r8), %r9
61: movq %rax, (%rdi, %r8)
62: movq %r9, 8(%rdi, %r8)
    jmp 9f
7:  movq %rdx, %rcx
    andl $7, %edx
    shrq $3, %rcx
70: rep movsq
    testl %edx, %edx
    jz 9f
8:  movq -8(%rsi, %rdx), %rax
80: movq %rax, -8(%rdi, %rdx)
9:  PATCH(PATCH_SMAP, clac)
    xorl %eax, %eax
    ret
90: PATCH(PATCH_SMAP, clac)
    movl $1, %eax
    ret
    FIXUP 1b, 90b
    FIXUP 10b, 90b
    FIXUP 11b, 90b
    FIXUP 12b, 90b
    FIXUP 3b, 90b
    FIXUP 30b, 90b
    FIXUP 31b, 90b
    FIXUP 32b, 90b
    FIXUP 20b, 90b
    FIXUP 21b, 90b
    FIXUP 22b, 90b
    FIXUP 23b, 90b
    FIXUP 5b, 90b
    FIXUP 50b, 90b
    FIXUP 51b, 90b
    FIXUP 52b, 90b
    FIXUP 6b, 90b
    FIXUP 60b, 90b
    FIXUP 61b, 90b
    FIXUP 62b, 90b
    FIXUP 70b, 90b
    FIXUP 8b, 90b
    FIXUP 80b, 90b

// u64 user_clear(void* to, u64 size): 0 on success, else another number.
    .global user_clear
user_clear:
    PATCH(PATCH_SMAP, stac)
    xorl %eax, %eax
    cmpq $8, %rsi
    jb 2f
    movq %rsi, %rcx
    andl $7, %esi
    shrq $3, %rcx
1:  rep stosq
2:  testl %esi, %esi
    jz 4f
3:  movb %al, -1(%rdi, %rsi)
    decl %esi
    jnz 3b
4:  PATCH(PATCH_SMAP, clac)
    ret
5:  PATCH(PATCH_SMAP, clac)
    movl $1, %eax
    ret
    FIXUP 1b, 5b
    FIXUP 3b, 5b

// i64 user_string(char* to, const char* from, u64 size): length without the NUL, -1 on a fault, size if there is no NUL.
    .global user_string
user_string:
    PATCH(PATCH_SMAP, stac)
    xorl %eax, %eax
1:  cmpq %rdx, %rax
    je 3f
2:  movb (%rsi, %rax), %cl
    movb %cl, (%rdi, %rax)
    incq %rax
    testb %cl, %cl
    jnz 1b
    decq %rax
3:  PATCH(PATCH_SMAP, clac)
    ret
4:  movq $-1, %rax
    jmp 3b
    FIXUP 2b, 4b

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
