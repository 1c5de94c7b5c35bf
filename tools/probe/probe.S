// A tiny PVH guest that needs no kernel of ours. It does WORK turns of a loop (to time the emulator), then what a deprivileged
// or emulated "KVM" cannot do: exceptions and int in ring 0, int and syscall from ring 3, rdtscp, fxsave. It leaves through
// isa-debug-exit with 0x10 when all of it behaved, else 0x11. Built and run by tools/probe.py.

        .section .note.pvh, "a", @note
        .long 4, 4, 18                  // name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY
        .asciz "Xen"
        .long start32

        .text
        .code32
start32:
        cli
        mov $stack_top, %esp
        mov $pml4, %edi
        movl $(pdpt + 7), (%edi)        // present, writable, user
        movl $(pd + 7), pdpt
        movl $0x87, pd                  // the first 2 MiB
        mov %edi, %cr3
        mov %cr4, %eax
        or $0x620, %eax                 // PAE, OSFXSR, OSXMMEXCPT
        mov %eax, %cr4
        mov $0xc0000080, %ecx           // EFER: SCE, LME
        rdmsr
        or $0x101, %eax
        wrmsr
        mov %cr0, %eax
        and $0xfffffffb, %eax           // EM off
        or $0x80000003, %eax            // PG, MP, PE
        mov %eax, %cr0
        lgdt gdt_pointer
        ljmp $0x08, $start64

        .code64
start64:
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $tss, %eax                  // the TSS descriptor's base, split over three fields
        mov %ax, gdt_tss + 2
        shr $16, %eax
        mov %al, gdt_tss + 4
        mov %ah, gdt_tss + 7
        mov $0x28, %eax
        ltr %ax
        mov $breakpoint, %eax
        mov $(3 * 16), %ecx
        call set_gate
        mov $from_user, %eax
        mov $(0x40 * 16), %ecx
        call set_gate
        lidt idt_pointer

        mov $WORK, %ecx
1:      dec %ecx
        jnz 1b

        xor %ebx, %ebx
        int3                            // ring 0 exception: the handler counts in ebx
        cmp $1, %ebx
        jne fail
        rdtscp
        fxsave area
        fxrstor area

        mov $0xc0000081, %ecx           // STAR: kernel 0x08, user base 0x10 (so user SS = 0x1b, CS = 0x23)
        xor %eax, %eax
        mov $0x00100008, %edx
        wrmsr
        mov $0xc0000082, %ecx           // LSTAR
        mov $entry, %eax
        xor %edx, %edx
        wrmsr
        mov $0xc0000084, %ecx           // FMASK
        mov $0x200, %eax
        wrmsr
        mov $user, %ecx
        mov $0x2, %r11d
        sysretq

user:   int $0x40
        mov $0x1234, %edi
        syscall
        ud2

from_user:
        testb $3, 8(%rsp)               // it must come from ring 3
        jz fail
        inc %ebx
        iretq

breakpoint:
        inc %ebx
        iretq

entry:  mov $stack_top, %esp
        mov %cs, %eax                   // a deprivileged host leaves CPL at 3
        cmp $0x08, %eax
        jne fail
        cmp $2, %ebx
        jne fail
        cmp $0x1234, %edi
        jne fail
        mov $0x10, %al
        jmp leave
fail:   mov $0x11, %al
leave:  outb %al, $0xf4
1:      hlt
        jmp 1b

set_gate:                               // eax: handler, ecx: byte offset in the IDT
        mov %ax, idt(%rcx)
        movw $0x08, idt + 2(%rcx)
        movw $0xee00, idt + 4(%rcx)     // present, DPL 3, interrupt gate
        shr $16, %eax
        mov %ax, idt + 6(%rcx)
        ret

        .data
        .balign 16
gdt:    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff
gdt_tss:
        .quad 0x0000890000000067, 0
gdt_pointer:
        .word gdt_pointer - gdt - 1
        .quad gdt
idt_pointer:
        .word 0x41 * 16 - 1
        .quad idt
        .balign 16
tss:    .long 0
        .quad stack_top                 // RSP0
        .fill 92, 1, 0

        .bss
        .balign 4096
pml4:   .skip 4096
pdpt:   .skip 4096
pd:     .skip 4096
idt:    .skip 4096
area:   .skip 512
        .skip 4096
stack_top:
