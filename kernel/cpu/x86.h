// The privileged and timing instructions of x86-64 as functions, with the constants of the registers that they touch.
#pragma once

#include "lib/types.h"

namespace tollgate::x86 {

// [SDM vol 4, 2.1] model-specific registers
inline constexpr u32 kMsrApicBase = 0x1b;
inline constexpr u32 kMsrTscDeadline = 0x6e0;
inline constexpr u32 kMsrX2ApicFirst = 0x800;
inline constexpr u32 kMsrSysenterCs = 0x174;
inline constexpr u32 kMsrSysenterEsp = 0x175;
inline constexpr u32 kMsrSysenterEip = 0x176;
inline constexpr u32 kMsrPat = 0x277;
inline constexpr u32 kMsrEfer = 0xc0000080;
inline constexpr u32 kMsrStar = 0xc0000081;
inline constexpr u32 kMsrLstar = 0xc0000082;
inline constexpr u32 kMsrCstar = 0xc0000083;
inline constexpr u32 kMsrFmask = 0xc0000084;
inline constexpr u32 kMsrFsBase = 0xc0000100;
inline constexpr u32 kMsrGsBase = 0xc0000101;
inline constexpr u32 kMsrKernelGsBase = 0xc0000102;
inline constexpr u32 kMsrTscAux = 0xc0000103;

// [SDM vol 3, 2.5] control registers
inline constexpr u64 kCr0Wp = 1 << 16, kCr0Ts = 1 << 3, kCr0Em = 1 << 2, kCr0Mp = 1 << 1, kCr0Ne = 1 << 5;
inline constexpr u64 kCr4Pge = 1 << 7, kCr4OsFxsr = 1 << 9, kCr4OsXmmExcpt = 1 << 10, kCr4Umip = 1 << 11;
inline constexpr u64 kCr4FsGsBase = 1 << 16, kCr4Pcide = 1 << 17, kCr4OsXsave = 1 << 18, kCr4Smep = 1 << 20;
inline constexpr u64 kCr4Smap = 1 << 21;
/// Bit 63 of a value written to CR3: keep the translations of that PCID [SDM vol 3, 4.10.4.1].
inline constexpr u64 kCr3NoFlush = 1ull << 63;

// [SDM vol 1, 3.4.3] RFLAGS
inline constexpr u64 kFlagCf = 1 << 0, kFlagFixed = 1 << 1, kFlagTf = 1 << 8, kFlagIf = 1 << 9, kFlagDf = 1 << 10;
inline constexpr u64 kFlagIopl = 3 << 12, kFlagNt = 1 << 14, kFlagRf = 1 << 16, kFlagVm = 1 << 17, kFlagAc = 1 << 18;
inline constexpr u64 kFlagId = 1 << 21;

inline u64 rdmsr(u32 msr) {
    u32 low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return u64{high} << 32 | low;
}
inline void wrmsr(u32 msr, u64 value) {
    asm volatile("wrmsr" ::"c"(msr), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32)) : "memory");
}
inline u64 read_cr0() {
    u64 v;
    asm volatile("mov %%cr0, %0" : "=r"(v));
    return v;
}
inline u64 read_cr2() {
    u64 v;
    asm volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}
inline u64 read_cr3() {
    u64 v;
    asm volatile("mov %%cr3, %0" : "=r"(v));
    return v;
}
inline u64 read_cr4() {
    u64 v;
    asm volatile("mov %%cr4, %0" : "=r"(v));
    return v;
}
inline void write_cr0(u64 v) { asm volatile("mov %0, %%cr0" ::"r"(v) : "memory"); }
inline void write_cr3(u64 v) { asm volatile("mov %0, %%cr3" ::"r"(v) : "memory"); }
inline void write_cr4(u64 v) { asm volatile("mov %0, %%cr4" ::"r"(v) : "memory"); }
inline u64 read_flags() {
    u64 v;
    asm volatile("pushfq; pop %0" : "=r"(v)::"memory");
    return v;
}

struct CpuidResult {
    u32 eax, ebx, ecx, edx;
};
inline CpuidResult cpuid(u32 leaf, u32 subleaf = 0) {
    CpuidResult r;
    asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

inline void invlpg(u64 address) { asm volatile("invlpg (%0)" ::"r"(address) : "memory"); }
enum class Invpcid : u64 { Address = 0, Context = 1, AllWithGlobal = 2, All = 3 }; // [SDM vol 2, INVPCID]
inline void invpcid(Invpcid type, u64 pcid, u64 address) {
    const struct { u64 pcid, address; } descriptor{pcid, address};
    asm volatile("invpcid %0, %1" ::"m"(descriptor), "r"(static_cast<u64>(type)) : "memory");
}

inline u8 in8(u16 port) {
    u8 v;
    asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
inline u32 in32(u16 port) {
    u32 v;
    asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
inline void out8(u16 port, u8 v) { asm volatile("outb %0, %1" ::"a"(v), "Nd"(port)); }

/// The time-stamp counter; not ordered against other instructions.
inline u64 rdtsc() {
    u32 l, h;
    asm volatile("rdtsc" : "=a"(l), "=d"(h));
    return u64{h} << 32 | l;
}

/// One turn of a spin: on TCG with icount a loop without it would never let the other vCPU run.
inline void pause() { asm volatile("pause" ::: "memory"); }
inline void cli() { asm volatile("cli" ::: "memory"); }
inline void sti() { asm volatile("sti" ::: "memory"); }
/// Enables interrupts and halts with no window between the two [SDM vol 2, STI].
inline void sti_halt() { asm volatile("sti; hlt" ::: "memory"); }
/// Arms the monitor for a store to the cache line [SDM vol 2, MONITOR].
inline void monitor(const volatile void* address) { asm volatile("monitor" ::"a"(address), "c"(0), "d"(0) : "memory"); }
/// Enables interrupts and waits for one, or for a store to the line that is monitored, with no window [SDM vol 2,
/// MWAIT].
inline void sti_mwait() { asm volatile("sti; mwait" ::"a"(0), "c"(0) : "memory"); }
[[noreturn]] inline void halt_forever() {
    for (;;)
        asm volatile("cli; hlt");
}

/// Disables interrupts; returns whether they were enabled.
inline bool irq_save() {
    const bool enabled = read_flags() & kFlagIf;
    cli();
    return enabled;
}
inline void irq_restore(bool enabled) {
    if (enabled)
        sti();
}

} // namespace tollgate::x86
