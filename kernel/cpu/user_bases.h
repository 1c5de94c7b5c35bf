// FS and GS bases of user code. While the kernel runs, the user's GS base waits in IA32_KERNEL_GS_BASE; with FSGSBASE
// user code changes both without our knowing, so that they are read back when the thread leaves the core.
#pragma once

#include "cpu/features.h"
#include "cpu/x86.h"

#include <bit>

namespace tollgate {

// RDFSBASE and WRFSBASE are many times cheaper than the MSR [SDM vol 2, WRFSBASE].
inline u64 read_user_fs_base() {
    if (!cpu_features.fsgsbase)
        return x86::rdmsr(x86::kMsrFsBase);
    u64 base;
    asm volatile("rdfsbase %0" : "=r"(base));
    return base;
}
inline u64 read_user_gs_base() { return x86::rdmsr(x86::kMsrKernelGsBase); }
/// `base` must be canonical: anything else is #GP on hardware (and accepted by TCG).
inline void load_user_fs_base(u64 base) {
    if (cpu_features.fsgsbase)
        asm volatile("wrfsbase %0" ::"r"(base));
    else
        x86::wrmsr(x86::kMsrFsBase, base);
}
inline void load_user_gs_base(u64 base) { x86::wrmsr(x86::kMsrKernelGsBase, base); }

/// DS, ES, FS and GS selectors of user code. Nothing in 64-bit mode needs them, but they are registers: they belong to
/// one thread.
struct UserSelectors {
    u16 ds, es, fs, gs;
    bool operator==(const UserSelectors& other) const { return std::bit_cast<u64>(*this) == std::bit_cast<u64>(other); }
};

inline UserSelectors read_user_selectors() {
    // To whole registers, whose upper halves become zero [SDM vol 2, MOV], and put together there.
    u64 ds, es, fs, gs;
    asm volatile("movl %%ds, %k0\n\tmovl %%es, %k1\n\tmovl %%fs, %k2\n\tmovl %%gs, %k3"
                 : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
    return std::bit_cast<UserSelectors>(ds | es << 16 | (fs | gs << 16) << 32);
}

/// Interrupts are off. Loading FS or GS changes its base: the bases are loaded afterwards. GS is loaded while the
/// user's is exchanged in, so that the kernel's base stays (an NMI in between finds its own, see paranoid_gs).
inline void load_user_selectors(const UserSelectors& wanted) {
    const UserSelectors now = read_user_selectors();
    if (now.ds != wanted.ds)
        asm volatile("movw %0, %%ds" ::"rm"(wanted.ds));
    if (now.es != wanted.es)
        asm volatile("movw %0, %%es" ::"rm"(wanted.es));
    if (now.fs != wanted.fs)
        asm volatile("movw %0, %%fs" ::"rm"(wanted.fs));
    if (now.gs != wanted.gs)
        asm volatile("swapgs\n\tmovw %0, %%gs\n\tswapgs" ::"r"(wanted.gs) : "memory");
}

} // namespace tollgate
