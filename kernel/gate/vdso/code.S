// The vDSO: clocks and the CPU's number without a system call. User code: ordinary leaf functions that keep the C calling convention,
// touch no stack and read one page of the kernel's (ClockPage, cpu/clock.h), which may change while they read it. What they cannot do
// they leave to the system call. Their names have two forms, as Linux has them; glibc takes the first.

#include "asm_offsets.h"
#include "gate/vdso/function.inc"

#define SYS_CLOCK_GETTIME 228
#define SYS_CLOCK_GETRES 229
#define NANOSECONDS 1000000000
#define MICROSECONDS 1000000
#define SECONDS_OF_BASE 8
#define SIZE_OF_BASE 16

// The time of the clock whose base is at \base from r9: whole seconds in rdx, the rest in rax as a fraction of 2^64. Changes that
// are done are counted before, and those that have begun after everything else; the two differ while the page changes. LFENCE: RDTSC must not
// come before what this thread has seen already, such as another thread's time [SDM vol 2, RDTSC]. Clobbers r8.
    .macro READ_CLOCK base:vararg
9:  movl CLOCK_DONE(%r9), %r8d
    lfence
    rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    subq \base, %rax
    mulq CLOCK_MULTIPLIER(%r9)
    shrdq $CLOCK_SHIFT, %rdx, %rax
    shrq $CLOCK_SHIFT, %rdx
    addq SECONDS_OF_BASE + \base, %rdx
    cmpl CLOCK_BEGUN(%r9), %r8d
    jne 9b
    .endm

// The same for the clock whose base lies \offset behind the first, in place: two instructions fewer.
    .macro READ_FIXED_CLOCK offset
9:  movl clock_page + CLOCK_DONE(%rip), %r8d
    lfence
    rdtsc
    shlq $32, %rdx
    orq %rdx, %rax
    subq clock_page + CLOCK_BASES + \offset(%rip), %rax
    mulq clock_page + CLOCK_MULTIPLIER(%rip)
    shrdq $CLOCK_SHIFT, %rdx, %rax
    shrq $CLOCK_SHIFT, %rdx
    addq clock_page + CLOCK_BASES + \offset + SECONDS_OF_BASE(%rip), %rdx
    cmpl clock_page + CLOCK_BEGUN(%rip), %r8d
    jne 9b
    .endm

    .text
    .balign 8
nanoseconds:
    .quad NANOSECONDS

// int clock_gettime(int clock, struct timespec* to)
FUNCTION clock_gettime
    cmpl $CLOCK_MONOTONIC, %edi
    jne 2f
    READ_FIXED_CLOCK (CLOCK_MONOTONIC*SIZE_OF_BASE)
1:  movq %rdx, (%rsi)
    mulq nanoseconds(%rip)
    movq %rdx, 8(%rsi)
    xorl %eax, %eax
    ret
2:  testl %edi, %edi
    jnz 3f
    READ_FIXED_CLOCK 0                          // CLOCK_REALTIME
    jmp 1b
3:  cmpl $CLOCK_COUNT, %edi
    jae 4f
    movl $CLOCK_SET, %eax
    btl %edi, %eax
    jnc 4f
    shll $4, %edi                               // times SIZE_OF_BASE; clears the upper half too
    leaq clock_page(%rip), %r9
    READ_CLOCK CLOCK_BASES(%r9, %rdi)
    jmp 1b
4:  movl $SYS_CLOCK_GETTIME, %eax               // CPU time, and what is no clock at all
    syscall
    ret
END clock_gettime

// int clock_getres(int clock, struct timespec* to)
FUNCTION clock_getres
    cmpl $CLOCK_COUNT, %edi
    jae 1f
    movl $CLOCK_SET, %eax
    btl %edi, %eax
    jnc 1f
    testq %rsi, %rsi
    jz 2f
    movq $0, (%rsi)
    movq $1, 8(%rsi)
2:  xorl %eax, %eax
    ret
1:  movl $SYS_CLOCK_GETRES, %eax
    syscall
    ret
END clock_getres

// int gettimeofday(struct timeval* to, struct timezone* zone)
FUNCTION gettimeofday
    testq %rdi, %rdi
    jz 1f
    READ_FIXED_CLOCK 0
    movq %rdx, (%rdi)
    movl $MICROSECONDS, %edx
    mulq %rdx
    movq %rdx, 8(%rdi)
1:  xorl %eax, %eax
    testq %rsi, %rsi
    jz 2f
    movq %rax, (%rsi)                           // UTC
2:  ret
END gettimeofday

// time_t time(time_t* to)
FUNCTION time
    READ_FIXED_CLOCK 0
    movq %rdx, %rax
    testq %rdi, %rdi
    jz 1f
    movq %rax, (%rdi)
1:  ret
END time

// int getcpu(unsigned* cpu, unsigned* node, void*). The number is in IA32_TSC_AUX and in the limit of a segment, node << 12 | cpu as on
// Linux; there is one node, 0 [SDM vol 2, RDPID, LSL].
FUNCTION getcpu
    cmpl $0, clock_page + CLOCK_HAS_RDPID(%rip)
    je 1f
    rdpid %rax
2:  testq %rdi, %rdi
    jz 3f
    movl %eax, %edx
    andl $0xfff, %edx
    movl %edx, (%rdi)
3:  testq %rsi, %rsi
    jz 4f
    shrl $12, %eax
    movl %eax, (%rsi)
4:  xorl %eax, %eax
    ret
1:  movl $CPU_NODE_SELECTOR, %eax
    lsll %eax, %eax
    jmp 2b
END getcpu

    .section .note.Linux, "a", @note            // what dynamic linkers compare with the version they need [man 7 vdso]
    .balign 4
    .long 2f - 1f, 4f - 3f, 0
1:  .asciz "Linux"
2:  .balign 4
3:  .long 0x060100
4:  .balign 4

    .section .note.GNU-stack, "", @progbits
