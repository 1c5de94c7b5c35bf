// The vDSO's bytes in the kernel image: whole shared objects, made from code.S, and from code.S and spma22.S.
    .macro IMAGE name, file
    .balign 16
    .global \name, \name\()_end
\name:
    .incbin "\file"
\name\()_end:
    .endm

    .section .rodata
    IMAGE vdso_image, "vdso.so"
    IMAGE vdso_spma22_image, "vdso-spma22.so"

    .section .note.GNU-stack, "", @progbits
