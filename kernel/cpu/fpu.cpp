// Turning the vector registers on.
#include "cpu/fpu.h"

#include "cpu/features.h"
#include "cpu/fpu_signal.h"
#include "cpu/x86.h"
#include "lib/assert.h"

namespace tollgate {

constinit u32 fpu_components = 0;

namespace {

constexpr u32 kX87 = 1, kSse = 2, kAvx = 4;

} // namespace

void fpu_initialise_cpu() {
    x86::write_cr0((x86::read_cr0() & ~(x86::kCr0Em | x86::kCr0Ts)) | x86::kCr0Mp | x86::kCr0Ne);
    u64 cr4 = x86::read_cr4() | x86::kCr4OsFxsr | x86::kCr4OsXmmExcpt;
    if (cpu_features.xsave)
        cr4 |= x86::kCr4OsXsave;
    x86::write_cr4(cr4);
    if (cpu_features.xsave) {
        fpu_components = kX87 | kSse | (cpu_features.avx ? kAvx : 0);
        asm volatile("xsetbv" ::"c"(0), "a"(fpu_components), "d"(0));
    }
    fpu_images_initialise(fpu_components);
}

void fpu_initial_state(u8* area) {
    // [SDM vol 1, 10.5.1] legacy region: FCW at 0, MXCSR at 24. Components that XSTATE_BV (at 512) leaves out load as
    // zeros.
    *reinterpret_cast<u16*>(area) = 0x37f;
    *reinterpret_cast<u32*>(area + 24) = 0x1f80;
    if (fpu_components != 0)
        *reinterpret_cast<u64*>(area + 512) = kX87 | kSse;
}

} // namespace tollgate
