// FPU images that user code may have written.
#include "cpu/fpu_signal.h"

#include "cpu/features.h"
#include "cpu/x86.h"

namespace tollgate {
namespace {

extern "C" bool fpu_xsave_user(void* to, u32 components);
extern "C" bool fpu_fxsave_user(void* to);
extern "C" bool fpu_try_xrstor(const void* from, u32 components);
extern "C" bool fpu_try_fxrstor(const void* from);

constexpr u64 kMxcsrOffset = 24, kMxcsrMaskOffset = 28, kStateBitsOffset = 512, kCompactBitsOffset = 520;

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

u32 mxcsr_mask() {
    // The same on every CPU; the first caller reads it, and a second one at the same time reads the same.
    static constinit u32 mask = 0;
    if (mask == 0)
        mask = read_mxcsr_mask();
    return mask;
}

} // namespace

bool fpu_save_to_user(u64 address) {
    void* const to = reinterpret_cast<void*>(address);
    const u64 components = fpu_image_components();
    return components != 0 ? fpu_xsave_user(to, static_cast<u32>(components)) : fpu_fxsave_user(to);
}

bool fpu_image_valid(const u8* image) {
    if (field<u32>(image, kMxcsrOffset) & ~mxcsr_mask())
        return false;
    const u64 components = fpu_image_components();
    if (components == 0)
        return true;
    if (field<u64>(image, kStateBitsOffset) & ~components)
        return false;
    // XCOMP_BV (the compacted format) and what is reserved behind it, to the end of the header.
    for (u64 offset = kCompactBitsOffset; offset < kFpuLegacySize + kFpuHeaderSize; offset += 8)
        if (field<u64>(image, offset) != 0)
            return false;
    return true;
}

bool fpu_restore_image(const u8* image) {
    const u64 components = fpu_image_components();
    return components != 0 ? fpu_try_xrstor(image, static_cast<u32>(components)) : fpu_try_fxrstor(image);
}

void fpu_reset() { fpu_restore(initial_image.bytes); }

} // namespace tollgate
