// The vDSO's bytes in the kernel image: a whole shared object, made from code.S.
    .section .rodata
    .balign 16
    .global vdso_image, vdso_image_end
vdso_image:
    .incbin "vdso.so"
vdso_image_end:

    .section .note.GNU-stack, "", @progbits
