// User code's x87, SSE and AVX state. The kernel never touches those registers (-mgeneral-regs-only), so that they are
// saved and restored only when the thread changes, and always then: lazy switching leaks (CVE-2018-3665). An area is a
// page, which its owner provides: kFpuAreaSize bytes, 64-byte aligned, zeroed before fpu_initial_state().
#pragma once

#include "cpu/features.h"
#include "lib/types.h"

namespace tollgate {

inline constexpr u64 kFpuAreaSize = 4096;

/// Turns on SSE and, where offered, XSAVE with x87, SSE and AVX; once per CPU.
void fpu_initialise_cpu();
/// The state of a new program: FCW 0x37f, MXCSR 0x1f80, registers zero.
void fpu_initial_state(u8* area);
/// XCR0; 0 without XSAVE. The same on every CPU, written before the others start.
extern constinit u32 fpu_components;

// XSAVE, XSAVEOPT or FXSAVE, whatever CPUID offers [SDM vol 1, 13]. Inline: every switch does both.
inline void fpu_save(u8* area) {
    if (fpu_components == 0)
        asm volatile("fxsaveq (%0)" ::"r"(area) : "memory");
    else if (cpu_features.xsaveopt)
        asm volatile("xsaveoptq (%0)" ::"r"(area), "a"(fpu_components), "d"(0) : "memory");
    else
        asm volatile("xsaveq (%0)" ::"r"(area), "a"(fpu_components), "d"(0) : "memory");
}
inline void fpu_restore(const u8* area) {
    if (fpu_components == 0)
        asm volatile("fxrstorq (%0)" ::"r"(area) : "memory");
    else
        asm volatile("xrstorq (%0)" ::"r"(area), "a"(fpu_components), "d"(0) : "memory");
}

} // namespace tollgate
