// Registers are reached through memory (xAPIC) or MSRs (x2APIC) by the same index.
#include "cpu/apic.h"

#include "cpu/features.h"
#include "cpu/trap_frame.h"
#include "cpu/x86.h"

namespace tollgate::apic {
namespace {

// [SDM vol 3, table 11-1], offsets / 16
constexpr u32 kId = 0x02, kEoi = 0x0b, kSpurious = 0x0f, kErrorStatus = 0x28, kCommandLow = 0x30, kCommandHigh = 0x31;
constexpr u32 kLvtTimer = 0x32, kLvtLint0 = 0x35, kLvtLint1 = 0x36, kLvtError = 0x37, kTimerInitial = 0x38,
              kTimerCurrent = 0x39;
constexpr u32 kTimerDivide = 0x3e, kTaskPriority = 0x08;
constexpr u32 kMasked = 1 << 16, kTscDeadline = 2 << 17;
constexpr u32 kDeliverNmi = 4 << 8, kDeliverInit = 5 << 8, kDeliverStartup = 6 << 8, kAssert = 1 << 14,
              kPending = 1 << 12;

// Written by the boot processor before the others run.
constinit volatile u32* memory = nullptr;
constinit bool x2apic = false;
constinit u64 timer_per_tsc_32 = 0; // timer ticks per TSC tick, 32 fraction bits

u32 read(u32 reg) { return x2apic ? static_cast<u32>(x86::rdmsr(x86::kMsrX2ApicFirst + reg)) : memory[reg * 4]; }
void write(u32 reg, u32 value) {
    if (x2apic)
        x86::wrmsr(x86::kMsrX2ApicFirst + reg, value);
    else
        memory[reg * 4] = value;
}

void command(u32 apic_id, u32 low) {
    if (x2apic) {
        // An x2APIC WRMSR is not serialising: earlier stores must be visible before the interrupt [SDM vol 3, 11.12.3].
        asm volatile("mfence; lfence" ::: "memory");
        x86::wrmsr(x86::kMsrX2ApicFirst + kCommandLow, u64{apic_id} << 32 | low);
        return;
    }
    for (u32 i = 0; i < 1'000'000 && (memory[kCommandLow * 4] & kPending); ++i)
        x86::pause();
    memory[kCommandHigh * 4] = apic_id << 24;
    memory[kCommandLow * 4] = low;
}

} // namespace

void initialise(void* registers) {
    memory = static_cast<volatile u32*>(registers);
    x2apic = cpu_features.x2apic;
}

void initialise_cpu() {
    constexpr u64 kEnable = 1 << 11, kEnableX2 = 1 << 10;
    const u64 base = x86::rdmsr(x86::kMsrApicBase);
    x86::wrmsr(x86::kMsrApicBase, base | kEnable | (x2apic ? kEnableX2 : 0));
    write(kTaskPriority, 0);
    write(kLvtLint0, kMasked); // the 8259 is not used
    write(kLvtLint1, kDeliverNmi);
    write(kLvtError, kMasked);
    write(kLvtTimer, kMasked);
    write(kTimerDivide, 3); // by 16
    write(kErrorStatus, 0);
    write(kSpurious, 0x100 | kVectorSpurious);
}

u32 id() { return x2apic ? read(kId) : read(kId) >> 24; }
void end_of_interrupt() { write(kEoi, 0); }

// The CPU calling may be in the middle of another command in an interrupt handler: xAPIC's two halves are written with
// interrupts off.
void send_ipi(u32 apic_id, u8 vector) {
    const bool interrupts = x86::irq_save();
    command(apic_id, kAssert | vector);
    x86::irq_restore(interrupts);
}
void send_nmi(u32 apic_id) {
    const bool interrupts = x86::irq_save();
    command(apic_id, kAssert | kDeliverNmi);
    x86::irq_restore(interrupts);
}
void send_init(u32 apic_id) { command(apic_id, kAssert | kDeliverInit); }
void send_startup(u32 apic_id, u8 page) { command(apic_id, kAssert | kDeliverStartup | page); }

void calibrate_timer(u64 tsc_hz) {
    if (cpu_features.tsc_deadline)
        return;
    write(kTimerInitial, ~0u);
    const u64 start = x86::rdtsc(), span = tsc_hz / 1000; // 1 ms
    while (x86::rdtsc() - start < span)
        x86::pause();
    const u32 elapsed = ~0u - read(kTimerCurrent);
    const u64 ticks = x86::rdtsc() - start;
    write(kTimerInitial, 0);
    timer_per_tsc_32 = (u64{elapsed} << 32) / ticks;
    if (timer_per_tsc_32 == 0)
        timer_per_tsc_32 = 1;
}

void timer_arm(u64 tsc) {
    if (cpu_features.tsc_deadline) {
        write(kLvtTimer, kTscDeadline | kVectorTimer);
        asm volatile("mfence" ::: "memory"); // the mode is set before the deadline [SDM vol 3, 11.5.4.1]
        x86::wrmsr(x86::kMsrTscDeadline, tsc);
        return;
    }
    const u64 now = x86::rdtsc();
    __extension__ using u128 = unsigned __int128;
    u64 ticks = tsc > now ? static_cast<u64>(u128{tsc - now} * timer_per_tsc_32 >> 32) + 1 : 1;
    if (ticks > 0xffffffff)
        ticks = 0xffffffff; // fires early; the scheduler arms it again
    write(kLvtTimer, kVectorTimer);
    write(kTimerInitial, static_cast<u32>(ticks));
}

void timer_stop() {
    if (cpu_features.tsc_deadline)
        x86::wrmsr(x86::kMsrTscDeadline, 0);
    else
        write(kTimerInitial, 0);
    write(kLvtTimer, kMasked);
}

bool uses_x2apic() { return x2apic; }
bool uses_tsc_deadline() { return cpu_features.tsc_deadline; }

} // namespace tollgate::apic
