// Vector registers to and from memory that user code chose. Faults are survived: XSAVE may meet a hole in the user's stack, and XRSTOR
// in the image, which may also be one that it refuses by #GP, if another thread has changed it since fpu_claims_valid().

#include "asm_offsets.h"
#include "cpu/patch.h"

    .macro FIXUP instruction, target
    .pushsection .fixups, "a"
    .quad \instruction, \target
    .popsection
    .endm

    .text
// bool fpu_xsave_user(void* to, u32 components, const FpuSoftwareBytes* software, u32 size): false on a fault. `to` is 64-byte aligned.
// XSAVE keeps what it finds in the reserved part of the header, which is cleared first; the magic word goes behind the image.
    .global fpu_xsave_user
fpu_xsave_user:
    PATCH(PATCH_SMAP, stac)
    movq %rdi, %r8
    movq %rdx, %r9
    movl %ecx, %r10d
    addq $FPU_LEGACY_SIZE, %rdi
    movl $FPU_HEADER_WORDS, %ecx
    xorl %eax, %eax
1:  rep stosq
    movl %esi, %eax
    xorl %edx, %edx
10: xsaveq (%r8)
    movq %r9, %rsi
    leaq FPU_SOFTWARE_OFFSET(%r8), %rdi
    movl $FPU_SOFTWARE_WORDS, %ecx
11: rep movsq
12: movl $FPU_MAGIC2, (%r8, %r10)
    PATCH(PATCH_SMAP, clac)
    movl $1, %eax
    ret
2:  PATCH(PATCH_SMAP, clac)
    xorl %eax, %eax
    ret
    FIXUP 1b, 2b
    FIXUP 10b, 2b
    FIXUP 11b, 2b
    FIXUP 12b, 2b

// bool fpu_fxsave_user(void* to)
    .global fpu_fxsave_user
fpu_fxsave_user:
    PATCH(PATCH_SMAP, stac)
3:  fxsaveq (%rdi)
    PATCH(PATCH_SMAP, clac)
    movl $1, %eax
    ret
4:  PATCH(PATCH_SMAP, clac)
    xorl %eax, %eax
    ret
    FIXUP 3b, 4b

// bool fpu_xrstor_user(const void* from, u32 components): false if the CPU refuses the image or cannot read it.
    .global fpu_xrstor_user
fpu_xrstor_user:
    movl %esi, %eax
    xorl %edx, %edx
    PATCH(PATCH_SMAP, stac)
5:  xrstorq (%rdi)
    PATCH(PATCH_SMAP, clac)
    movl $1, %eax
    ret
6:  PATCH(PATCH_SMAP, clac)
    xorl %eax, %eax
    ret
    FIXUP 5b, 6b

// bool fpu_fxrstor_user(const void* from)
    .global fpu_fxrstor_user
fpu_fxrstor_user:
    PATCH(PATCH_SMAP, stac)
7:  fxrstorq (%rdi)
    PATCH(PATCH_SMAP, clac)
    movl $1, %eax
    ret
8:  PATCH(PATCH_SMAP, clac)
    xorl %eax, %eax
    ret
    FIXUP 7b, 8b

    .section .note.GNU-stack, "", @progbits
