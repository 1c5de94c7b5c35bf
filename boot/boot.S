// From the boot loader to kernel_main() on the boot processor. QEMU's -kernel enters at pvh_start (the PVH note), GRUB at
// multiboot2_start; both in 32-bit protected mode without paging. Application processors enter at ap_trampoline (ap.S) and use the
// same boot page tables.

#include "asm_offsets.h"

#define PHYS(symbol) ((symbol) - KERNEL_BASE)

    // [multiboot2 3.1.1] header, within the first 32 KiB of the file
    .section .multiboot, "a"
    .balign 8
multiboot2_header:
    .long 0xe85250d6, 0, multiboot2_end - multiboot2_header
    .long -(0xe85250d6 + (multiboot2_end - multiboot2_header))
    .short 3, 0                                 // entry address tag [3.1.5]: physical
    .long 12
    .long PHYS(multiboot2_start)
    .balign 8
    .short 0, 0
    .long 8
multiboot2_end:

    // [Xen public/elfnote.h] XEN_ELFNOTE_PHYS32_ENTRY
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18
    .asciz "Xen"
    .quad PHYS(pvh_start)

    .section .boot.text, "ax"
    .code32
    .global multiboot2_start, pvh_start
pvh_start:
    movl $BOOT_PROTOCOL_PVH, %ebp               // [PVH boot ABI] ebx: physical address of hvm_start_info
    jmp boot_common
multiboot2_start:
    movl $BOOT_PROTOCOL_MULTIBOOT2, %ebp        // [multiboot2 3.3] eax: magic, ebx: physical address of the boot information
    cmpl $0x36d76289, %eax
    je boot_common
    xorl %ebp, %ebp                             // kernel_main() reports an unknown loader

boot_common:
    cli
    cld
    movl $PHYS(boot_stack_top), %esp
    movl %ebx, %esi

    movl $0x80000000, %eax                      // long mode or nothing
    cpuid
    cmpl $0x80000001, %eax
    jb no_long_mode
    movl $0x80000001, %eax
    cpuid
    btl $29, %edx                               // long mode
    jnc no_long_mode
    btl $20, %edx                               // no-execute: W^X is not optional
    jnc no_long_mode

    // Identity, direct map and the kernel's own 2 GiB share four page directories of 2-MiB pages: the first 4 GiB.
    movl $PHYS(boot_pdpt), %eax
    orl $3, %eax
    movl %eax, PHYS(boot_pml4)
    movl %eax, PHYS(boot_pml4) + DIRECT_MAP_SLOT * 8
    movl $PHYS(boot_pdpt_high) + 3, PHYS(boot_pml4) + 511 * 8
    movl $PHYS(boot_pd) + 3, PHYS(boot_pdpt) + 0
    movl $PHYS(boot_pd) + 0x1003, PHYS(boot_pdpt) + 8
    movl $PHYS(boot_pd) + 0x2003, PHYS(boot_pdpt) + 16
    movl $PHYS(boot_pd) + 0x3003, PHYS(boot_pdpt) + 24
    movl $PHYS(boot_pd) + 3, PHYS(boot_pdpt_high) + 510 * 8
    movl $PHYS(boot_pd), %edi
    movl $0x83, %eax                            // present, writable, 2 MiB
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x200000, %eax
    jnc 1b

    movl $PHYS(boot_pml4), %eax
    movl %eax, %cr3
    call enter_long_mode
    lgdt PHYS(boot_gdt_pointer)
    ljmp $8, $PHYS(boot64)

no_long_mode:
    movw $0x3f8, %dx
    movl $PHYS(no_long_mode_text), %esi
1:  lodsb
    testb %al, %al
    jz 2f
    outb %al, %dx
    jmp 1b
2:  hlt
    jmp 2b
no_long_mode_text:
    .asciz "Tollgate: this CPU lacks 64-bit mode or no-execute pages; try -cpu max\n"

    // CR3 is set; turns on PAE, NX, long mode and paging. Clobbers eax, ecx, edx. Shared with ap.S.
    .global enter_long_mode
enter_long_mode:
    movl %cr4, %eax
    orl $(1 << 5), %eax                         // PAE
    movl %eax, %cr4
    movl $0xc0000080, %ecx                      // IA32_EFER
    rdmsr
    orl $(1 << 8 | 1 << 11), %eax               // LME, NXE [SDM vol 3, 5.13.1]
    wrmsr
    movl %cr0, %eax
    andl $~(1 << 30 | 1 << 29 | 1 << 2), %eax   // CD, NW (set at reset), EM
    orl $(1 << 31 | 1 << 16 | 1 << 1 | 1), %eax // PG, WP, MP, PE
    movl %eax, %cr0
    ret

    .code64
boot64:
    movq $boot64_high, %rax
    jmp *%rax
boot64_high:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq $boot_stack_top, %rsp
    // A CPU block from the first C++ instruction on: the stack protector reads %gs:40.
    movq $boot_cpu_block, %rax
    movq %rax, (%rax)                           // Cpu::self
    movq %rax, %rcx
    rdtsc
    shlq $32, %rdx
    xorq %rdx, %rax
    xorb %al, %al                               // a zero byte ends string overflows
    movq %rax, CPU_STACK_GUARD(%rcx)
    movq %rcx, %rax
    movq %rax, %rdx
    shrq $32, %rdx
    movl $0xc0000101, %ecx                      // IA32_GS_BASE
    wrmsr
    movl %ebp, %edi
    movl %esi, %esi                             // zero-extends the 32-bit physical address
    xorl %ebp, %ebp
    call kernel_main
    ud2

    .section .rodata
    .balign 8
    .global boot_gdt_pointer
boot_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_pointer:
    .short 23
    .quad PHYS(boot_gdt)

    .section .bss
    .balign 4096
    .global boot_pml4, boot_stack_bottom, boot_stack_top, boot_cpu_block
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pdpt_high: .skip 4096
boot_pd: .skip 4 * 4096
boot_cpu_block: .skip 4096
boot_stack_bottom: .skip 16384
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
