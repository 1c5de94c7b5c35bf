// FPU images that user code may have written.
#include "cpu/fpu_signal.h"

#include "cpu/features.h"
#include "cpu/x86.h"
#include "lib/assert.h"

namespace tollgate {
namespace {

extern "C" bool fpu_xsave_user(void* to, u32 components, const FpuSoftwareBytes* software, u32 size);
extern "C" bool fpu_fxsave_user(void* to);
extern "C" bool fpu_xrstor_user(const void* from, u32 components);
extern "C" bool fpu_fxrstor_user(const void* from);

constexpr u64 kMxcsrMaskOffset = 28;

template <class T>
T field(const u8* image, u64 offset) {
    return *reinterpret_cast<const T*>(image + offset);
}

/// What fpu_reset() loads: XSTATE_BV 0 makes XRSTOR initialise all but MXCSR, which it takes from memory [SDM vol 1,
/// 13.8.1]; FXRSTOR takes everything from here.
struct alignas(64) InitialImage {
    u8 bytes[kFpuMostBytes];
};
constexpr InitialImage make_initial_image() {
    InitialImage image{};
    image.bytes[0] = 0x7f; // FCW 0x37f
    image.bytes[1] = 0x03;
    image.bytes[24] = 0x80; // MXCSR 0x1f80
    image.bytes[25] = 0x1f;
    return image;
}
constexpr InitialImage initial_image = make_initial_image();

/// Which bits of MXCSR exist: what FXSAVE says; 0 means 0xffbf [SDM vol 1, 11.6.6].
u32 read_mxcsr_mask() {
    alignas(16) u8 image[kFpuLegacySize] = {};
    asm volatile("fxsaveq (%0)" ::"r"(image) : "memory");
    const u32 mask = field<u32>(image, kMxcsrMaskOffset);
    return mask != 0 ? mask : 0xffbf;
}

} // namespace

constinit FpuImages fpu_images;

void fpu_images_initialise(u32 components) {
    fpu_images.mxcsr_mask = read_mxcsr_mask();
    fpu_images.components = components;
    if (components == 0)
        return;
    const u32 size = x86::cpuid(0xd, 0).ebx; // for what XCR0 has enabled [SDM vol 1, 13.2]
    ASSERT(size <= kFpuMostBytes);
    fpu_images.size = size;
    fpu_images.software = {.magic1 = kFpuMagic1,
                           .extended_size = size + static_cast<u32>(sizeof kFpuMagic2),
                           .components = components,
                           .size = size,
                           .padding = {}};
}

bool fpu_save_to_user(u64 address) {
    void* const to = reinterpret_cast<void*>(address);
    if (fpu_images.components == 0) [[unlikely]]
        return fpu_fxsave_user(to);
    return fpu_xsave_user(to, static_cast<u32>(fpu_images.components), &fpu_images.software,
                          static_cast<u32>(fpu_images.size));
}

bool fpu_claims_valid(const FpuClaims& claims) {
    if (claims.mxcsr & ~fpu_images.mxcsr_mask)
        return false;
    // Reserved is also XCOMP_BV, which would name the compacted format.
    return fpu_images.components == 0 || ((claims.components & ~fpu_images.components) | claims.reserved) == 0;
}

bool fpu_load_from_user(u64 address, u64 components) {
    return fpu_xrstor_user(reinterpret_cast<const void*>(address), static_cast<u32>(components));
}
bool fpu_load_legacy_from_user(u64 address) { return fpu_fxrstor_user(reinterpret_cast<const void*>(address)); }

void fpu_reset() { fpu_restore(initial_image.bytes); }

} // namespace tollgate
