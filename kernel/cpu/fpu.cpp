// XSAVE, XSAVEOPT or FXSAVE, whatever CPUID offers [SDM vol 1, 13].
#include "cpu/fpu.h"

#include "cpu/features.h"
#include "cpu/fpu_signal.h"
#include "cpu/x86.h"
#include "lib/assert.h"

namespace tollgate {
namespace {

constinit u32 components = 0; // XCR0; the same on every CPU, written before the others start
constexpr u32 kX87 = 1, kSse = 2, kAvx = 4;

} // namespace

void fpu_initialise_cpu() {
    x86::write_cr0((x86::read_cr0() & ~(x86::kCr0Em | x86::kCr0Ts)) | x86::kCr0Mp | x86::kCr0Ne);
    u64 cr4 = x86::read_cr4() | x86::kCr4OsFxsr | x86::kCr4OsXmmExcpt;
    if (cpu_features.xsave)
        cr4 |= x86::kCr4OsXsave;
    x86::write_cr4(cr4);
    if (cpu_features.xsave) {
        components = kX87 | kSse | (cpu_features.avx ? kAvx : 0);
        asm volatile("xsetbv" ::"c"(0), "a"(components), "d"(0));
    }
    fpu_images_initialise(components);
}

void fpu_initial_state(u8* area) {
    // [SDM vol 1, 10.5.1] legacy region: FCW at 0, MXCSR at 24. Components that XSTATE_BV (at 512) leaves out load as
    // zeros.
    *reinterpret_cast<u16*>(area) = 0x37f;
    *reinterpret_cast<u32*>(area + 24) = 0x1f80;
    if (components != 0)
        *reinterpret_cast<u64*>(area + 512) = kX87 | kSse;
}

void fpu_save(u8* area) {
    if (components == 0)
        asm volatile("fxsaveq (%0)" ::"r"(area) : "memory");
    else if (cpu_features.xsaveopt)
        asm volatile("xsaveoptq (%0)" ::"r"(area), "a"(components), "d"(0) : "memory");
    else
        asm volatile("xsaveq (%0)" ::"r"(area), "a"(components), "d"(0) : "memory");
}

void fpu_restore(const u8* area) {
    if (components == 0)
        asm volatile("fxrstorq (%0)" ::"r"(area) : "memory");
    else
        asm volatile("xrstorq (%0)" ::"r"(area), "a"(components), "d"(0) : "memory");
}

} // namespace tollgate
