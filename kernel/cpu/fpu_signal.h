// FPU state in signal frames: saved straight to the user's stack, and taken back only after every check that XRSTOR
// would make [SDM vol 1, 13.8.1], in the kernel's own copy, so that no other thread can change it in between.
#pragma once

#include "cpu/fpu.h"
#include "lib/types.h"

namespace tollgate {

/// Linux' words in the 48 software bytes of the legacy region, and behind the image [asm/sigcontext.h, _fpx_sw_bytes].
struct FpuSoftwareBytes {
    u32 magic1, extended_size;
    u64 components;
    u32 size, padding[7];
};
static_assert(sizeof(FpuSoftwareBytes) == 48);
inline constexpr u64 kFpuSoftwareOffset = 464, kFpuLegacySize = 512, kFpuHeaderSize = 64;
inline constexpr u32 kFpuMagic1 = 0x46505853, kFpuMagic2 = 0x46505845;

inline constexpr u64 kFpuMostBytes = 832; // x87, SSE and AVX

/// What images look like here. Written once a CPU, with the same values.
struct FpuImages {
    u64 size = kFpuLegacySize; ///< bytes: 512 with FXSAVE, else what CPUID says for XCR0; at most kFpuMostBytes
    u64 components = 0;        ///< XCR0; 0 where there is no XSAVE
    u32 mxcsr_mask = 0;        ///< the bits of MXCSR that exist
    FpuSoftwareBytes software{};
};
extern constinit FpuImages fpu_images;
void fpu_images_initialise(u32 components);

/// The registers to 64-byte aligned user memory, with software bytes and the second magic word behind. False on a
/// fault.
bool fpu_save_to_user(u64 address);
/// An image in kernel memory, 64-byte aligned and fpu_images.size bytes long, that user code has written: whether
/// XRSTOR would take it. Nothing reserved in the header or MXCSR, no component that is not enabled, the standard
/// format.
bool fpu_image_valid(const u8* image);
/// Loads a valid image; false if the CPU disagrees.
bool fpu_restore_image(const u8* image);
/// The registers of a new program.
void fpu_reset();

} // namespace tollgate
