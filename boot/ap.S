// Where an application processor wakes after INIT-SIPI-SIPI [SDM vol 3, 9.4]: real mode at AP_TRAMPOLINE. The bytes between
// ap_trampoline and ap_trampoline_end are copied there; the mailbox at their end tells the stack and CPU block to use.

#include "asm_offsets.h"

#define PHYS(symbol) ((symbol) - KERNEL_BASE)
#define HERE(symbol) (AP_TRAMPOLINE + (symbol) - ap_trampoline)

    .section .rodata
    .balign 16
    .global ap_trampoline, ap_trampoline_end, ap_mailbox
    .code16
ap_trampoline:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl HERE(ap_gdt_pointer)
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $0x18, $HERE(ap32)
    .code32
ap32:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $PHYS(boot_pml4), %eax
    movl %eax, %cr3
    movl $HERE(ap_stack_end), %esp
    movl $PHYS(enter_long_mode), %eax
    call *%eax
    ljmp $8, $HERE(ap64)
    .code64
ap64:
    movq $0x10, %rax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq HERE(ap_mailbox), %rsi                 // stack top
    movq HERE(ap_mailbox) + 8, %rdi             // Cpu*
    movq HERE(ap_mailbox) + 16, %rbx            // the kernel's page table
    movq $ap_high, %rax
    jmp *%rax

    .balign 8
ap_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
ap_gdt_pointer:
    .short 31
    .long HERE(ap_gdt)
    .balign 8
ap_mailbox:
    .quad 0                                     // stack top
    .quad 0                                     // Cpu*
    .quad 0                                     // CR3
    .skip 64
ap_stack_end:
ap_trampoline_end:

    // Mapped alike by the boot tables and the kernel's own.
    .text
ap_high:
    movq %rbx, %cr3
    movq %rsi, %rsp
    movq %rdi, %rax
    movq %rdi, %rdx
    shrq $32, %rdx
    movl $0xc0000101, %ecx                      // IA32_GS_BASE
    wrmsr
    xorl %ebp, %ebp
    call ap_main
    ud2

    .section .note.GNU-stack, "", @progbits
