// What the CPUs have set up for themselves: areas, APICs, clock, patched code.
#ifdef TOLLGATE_KERNEL
#include "cpu/cpu.h"

#include "cpu/apic.h"
#include "cpu/clock.h"
#include "cpu/features.h"
#include "cpu/layout.h"
#include "cpu/patch.h"
#include "cpu/segments.h"
#include "cpu/tlb.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

struct [[gnu::packed]] TableRegister {
    u16 limit;
    u64 base;
};
struct Site {
    u64 address;
    u8 length, feature, reserved[6];
};
extern "C" const Site __patch_sites_start[], __patch_sites_end[];
extern "C" const u8 __image_start[], __text_end[];

/// What each CPU says of itself.
struct Seen {
    u32 apic_id, number, calls;
    u64 gdt, idt, task, cr4;
};
constinit Seen seen[kMaxCpus] = {};

void look(void*) {
    Seen& own = seen[this_cpu().number];
    TableRegister gdt, idt;
    u16 task;
    asm volatile("sgdt %0" : "=m"(gdt));
    asm volatile("sidt %0" : "=m"(idt));
    asm volatile("str %0" : "=r"(task));
    own.apic_id = apic::id();
    own.number = this_cpu().number;
    own.gdt = gdt.base;
    own.idt = idt.base;
    own.task = task;
    own.cr4 = x86::read_cr4();
    own.calls += 1 + (x86::read_flags() & x86::kFlagIf ? 1000 : 0); // interrupts must be off
}

void look_everywhere() {
    for (Seen& one : seen)
        one = {};
    cpu_call_others(look, nullptr);
    const bool interrupts = x86::irq_save();
    look(nullptr);
    x86::irq_restore(interrupts);
}

TEST(Cpu, AllCallsAreMadeOnce) {
    look_everywhere();
    for (unsigned n = 0; n < kMaxCpus; ++n) {
        EXPECT_EQ(seen[n].calls, n < cpu_count() ? 1u : 0u);
        EXPECT_EQ(seen[n].number, n < cpu_count() ? n : 0u);
    }
}

TEST(Cpu, ApicIds) {
    look_everywhere();
    for (unsigned n = 0; n < cpu_count(); ++n) {
        EXPECT_EQ(seen[n].apic_id, cpu_by_number(n).apic_id);
        for (unsigned other = 0; other < n; ++other)
            EXPECT_NE(seen[n].apic_id, seen[other].apic_id);
    }
}

TEST(Cpu, Blocks) {
    for (unsigned n = 0; n < cpu_count(); ++n) {
        const Cpu& cpu = cpu_by_number(n);
        EXPECT_TRUE(cpu.self == &cpu);
        EXPECT_EQ(cpu.number, n);
        EXPECT_EQ(cpu.online.load(kAcquire), 1u);
        EXPECT_EQ(cpu.stack_guard, this_cpu().stack_guard); // a thread may move between two checks of its canary
        EXPECT_EQ(cpu.tsc_hz, clock_tsc_hz());
        EXPECT_TRUE(cpu.idle != nullptr && cpu.current != nullptr);
    }
}

TEST(Cpu, TablesAndIstStacksLieInTheArea) {
    look_everywhere();
    for (unsigned n = 0; n < cpu_count(); ++n) {
        const u64 base = kEntryAreas + n * kEntryAreaSize;
        EXPECT_EQ(reinterpret_cast<u64>(&cpu_by_number(n)), base + kAreaCpu);
        EXPECT_EQ(seen[n].gdt, base + kAreaGdtTss);
        EXPECT_EQ(seen[n].idt, base + kAreaIdt);
        EXPECT_EQ(seen[n].task, u64{kTss});
        const u64* gdt = reinterpret_cast<const u64*>(seen[n].gdt);
        const u64 low = gdt[kTss / 8];
        const u64 tss = (low >> 16 & 0xffffff) | (low >> 56) << 24 | gdt[kTss / 8 + 1] << 32; // [SDM vol 3, 7.2.3]
        EXPECT_TRUE(tss > base && tss + 104 <= base + kAreaIdt);
        const auto stack = [&](u64 offset) {
            u64 value;
            __builtin_memcpy(&value, reinterpret_cast<const void*>(tss + offset), 8);
            return value - base;
        };
        EXPECT_EQ(stack(4), kAreaEntryStackTop); // RSP0
        EXPECT_EQ(stack(36), kAreaFaultStackTop);
        EXPECT_EQ(stack(44), kAreaNmiStackTop);
        EXPECT_EQ(stack(52), kAreaDfStackTop);
        EXPECT_EQ(stack(60), kAreaMcStackTop);
        EXPECT_EQ(stack(68), kAreaDbStackTop);
    }
}

TEST(Cpu, GuardsOfControlRegister4AreOnEverywhere) {
    look_everywhere();
    for (unsigned n = 0; n < cpu_count(); ++n) {
        EXPECT_EQ((seen[n].cr4 & x86::kCr4Smep) != 0, cpu_features.smep);
        EXPECT_EQ((seen[n].cr4 & x86::kCr4Smap) != 0, cpu_features.smap);
        EXPECT_EQ((seen[n].cr4 & x86::kCr4Umip) != 0, cpu_features.umip);
    }
    EXPECT_TRUE(x86::read_cr0() & x86::kCr0Wp);
}

TEST(Clock, ConversionsAgree) {
    const u64 slack = clock_tsc_hz() / 100'000; // both fractions are rounded down
    u64 last = 0;
    for (int i = 0; i < 1000; ++i) {
        const u64 before = x86::rdtsc();
        const u64 now = clock_monotonic_ns();
        const u64 after = x86::rdtsc();
        EXPECT_GE(now, last);
        last = now;
        const u64 tsc = clock_ns_to_tsc(now);
        EXPECT_TRUE(tsc + slack >= before && tsc <= after);
    }
}

TEST(Clock, ConversionIsMonotonicAndSaturates) {
    u64 last = clock_ns_to_tsc(0);
    for (unsigned bit = 0; bit < 64; ++bit) {
        const u64 tsc = clock_ns_to_tsc(u64{1} << bit);
        EXPECT_GE(tsc, last);
        last = tsc;
    }
    EXPECT_GE(clock_ns_to_tsc(~u64{0}), last);
    const u64 second = clock_ns_to_tsc(1'000'000'000) - clock_ns_to_tsc(0);
    EXPECT_TRUE(second <= clock_tsc_hz() && second + 1000 >= clock_tsc_hz());
    const u64 early = clock_monotonic_ns(), wall = clock_realtime_ns(), late = clock_monotonic_ns();
    EXPECT_TRUE(wall >= early && wall - late < u64{5'000'000'000} * 1'000'000'000); // before the year 2128
}

// The rounding of the multiplier is all that can drift: after 100 years it must not have come to a microsecond.
TEST(Clock, NoDriftInAHundredYears) {
    constexpr u64 kYears = u64{100} * 365 * 86400;
    for (const u64 hz : {u64{5'000'000}, u64{1'000'000'000}, u64{2'109'123'457}, u64{5'000'000'000}}) {
        u64 multiplier, rest;
        asm("divq %4" : "=a"(multiplier), "=d"(rest) : "0"(u64{0}), "1"(u64{1} << kClockShift), "rm"(hz));
        for (const u64 seconds : {u64{0}, u64{1}, u64{86400}, kYears}) {
            const ClockReading time = clock_ticks_to_time(seconds * hz, multiplier);
            const i64 drift =
                (time.seconds - static_cast<i64>(seconds)) * 1'000'000'000 + static_cast<i64>(time.nanoseconds);
            EXPECT_TRUE(drift <= 0 && drift > -1000);
            EXPECT_LT(time.nanoseconds, 1'000'000'000u);
        }
    }
    EXPECT_TRUE(clock_ticks_to_ns(clock_ns_to_ticks(kYears * 1'000'000'000)) >= kYears * 1'000'000'000 - 1000);
}

TEST(Clock, SettingTheWallClock) {
    const ClockReading before = clock_read(kClockRealtime);
    const bool interrupts = x86::irq_save();
    clock_set_realtime(before.seconds + 1000, 999'999'999);
    x86::irq_restore(interrupts);
    const ClockReading after = clock_read(kClockRealtime);
    EXPECT_GE(after.seconds, before.seconds + 1000);
    (void)x86::irq_save();
    clock_set_realtime(before.seconds, before.nanoseconds);
    x86::irq_restore(interrupts);
}

TEST(Clock, DelayWaits) {
    const u64 before = clock_monotonic_ns();
    clock_delay_us(200);
    EXPECT_GE(clock_monotonic_ns() + 1000, before + 200'000);
}

TEST(Patch, SitesLieInTheText) {
    EXPECT_GT(__patch_sites_end - __patch_sites_start, 20);
    unsigned smap = 0;
    for (const Site* site = __patch_sites_start; site != __patch_sites_end; ++site) {
        EXPECT_TRUE(site->address >= reinterpret_cast<u64>(__image_start) &&
                    site->address + site->length <= reinterpret_cast<u64>(__text_end));
        EXPECT_TRUE(site->length > 0 && site->length < 130);
        EXPECT_TRUE((site->feature >= PATCH_PTI && site->feature <= PATCH_NEVER) ||
                    (site->feature >= GUARD_SYSRET_RIP && site->feature <= GUARD_PARANOID_GS) ||
                    site->feature == GUARD_VECTORS);
        if (site->feature != PATCH_SMAP)
            continue;
        ++smap;
        const u8* code = reinterpret_cast<const u8*>(site->address);
        const bool stac_or_clac = code[0] == 0x0f && code[1] == 0x01 && (code[2] == 0xca || code[2] == 0xcb);
        EXPECT_EQ(stac_or_clac, cpu_features.smap);
    }
    EXPECT_GE(smap, 6u);
}

} // namespace
} // namespace tollgate
#endif
