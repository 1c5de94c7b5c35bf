// FPU state in signal frames: saved straight to the user's stack and loaded straight from there. What XRSTOR would
// refuse [SDM vol 1, 13.8.1] is refused before it is tried, by the words that decide it; another thread may change them
// in between, and then XRSTOR's own check raises #GP, which is survived. Nothing but the thread's own registers is at
// stake.
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
inline constexpr u64 kFpuMxcsrOffset = 24, kFpuSoftwareOffset = 464, kFpuLegacySize = 512, kFpuHeaderSize = 64;
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
/// What an image in user memory says of itself: MXCSR, and of the XSAVE header the components and all other words,
/// or'ed.
struct FpuClaims {
    u32 mxcsr;
    u64 components, reserved;
};
/// Whether XRSTOR would take it: nothing reserved in the header or MXCSR, no component that is not enabled, the
/// standard format.
bool fpu_claims_valid(const FpuClaims& claims);
/// Loads these components of the image at a checked, aligned user address, or x87 and SSE by FXRSTOR; the others stay.
/// False if the CPU refuses it or memory is missing.
bool fpu_load_from_user(u64 address, u64 components);
bool fpu_load_legacy_from_user(u64 address);
/// The registers of a new program.
void fpu_reset();

} // namespace tollgate
