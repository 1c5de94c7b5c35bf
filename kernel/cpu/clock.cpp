// Every conversion is a multiplication by a fraction: no division on the way.
#include "cpu/clock.h"

#include "cpu/features.h"
#include "cpu/x86.h"
#include "lib/assert.h"

namespace tollgate {

constinit ClockPage clock_page{};

namespace {

__extension__ using u128 = unsigned __int128;

constexpr unsigned kTicksShift = 59; // of ticks_per_ns: hz below 2^34
constexpr u64 kBillion = 1'000'000'000;

constinit ClockPage* published = nullptr;
constinit struct { u64 hz, base, ticks_per_ns; } state{};

/// high:low / divisor, where high < divisor.
u64 divide(u64 high, u64 low, u64 divisor) {
    ASSERT(high < divisor);
    u64 quotient;
    asm("divq %3" : "=a"(quotient), "+d"(high) : "0"(low), "rm"(divisor) : "cc");
    return quotient;
}

void set_base(ClockPage& to, ClockBase wall) {
    const u32 changes = to.done.load(kRelaxed) + 1;
    // A full fence: readers see that a change has begun before any base changes, and that it is done after all have.
    to.begun.store(changes, kSeqCst);
    to.clocks[kClockRealtime] = to.clocks[kClockRealtimeCoarse] = to.clocks[kClockTai] = wall;
    to.done.store(changes, kRelease);
}

} // namespace

void clock_initialise(u64 hz, u64 realtime_seconds) {
    ASSERT(hz >= kLeastTscHz && hz <= kMostTscHz);
    state.hz = hz;
    state.ticks_per_ns = divide(hz >> (64 - kTicksShift), hz << kTicksShift, kBillion);
    state.base = x86::rdtsc();
    clock_page.has_rdpid = cpu_features.rdpid;
    clock_page.multiplier = divide(u64{1} << kClockShift, 0, hz);
    for (ClockBase& clock : clock_page.clocks)
        clock = {state.base, 0};
    set_base(clock_page, {state.base, static_cast<i64>(realtime_seconds)});
}

void clock_publish(ClockPage& to) {
    to.has_rdpid = clock_page.has_rdpid;
    to.multiplier = clock_page.multiplier;
    for (unsigned n = 0; n < kTscClocks; ++n)
        to.clocks[n] = clock_page.clocks[n];
    published = &to;
}

u64 clock_tsc_hz() { return state.hz; }

u64 clock_monotonic_ns() { return clock_ticks_to_ns(x86::rdtsc() - state.base); }

u64 clock_realtime_ns() {
    const ClockReading time = clock_read(kClockRealtime);
    return static_cast<u64>(time.seconds) * kBillion + time.nanoseconds;
}

void clock_set_realtime(i64 seconds, u64 nanoseconds) {
    const ClockBase wall{x86::rdtsc() - clock_ns_to_ticks(nanoseconds), seconds};
    set_base(clock_page, wall);
    if (published)
        set_base(*published, wall);
}

u64 clock_ns_to_ticks(u64 ns) {
    const u128 ticks = (u128{ns} * state.ticks_per_ns >> kTicksShift) + 1;
    return ticks >> 64 ? ~u64{0} : static_cast<u64>(ticks);
}

u64 clock_ns_to_tsc(u64 ns) {
    const u64 ticks = clock_ns_to_ticks(ns);
    return ticks > ~u64{0} - state.base ? ~u64{0} : ticks + state.base;
}

u64 clock_ticks_to_ns(u64 ticks) {
    const ClockReading time = clock_ticks_to_time(ticks, clock_page.multiplier);
    return static_cast<u64>(time.seconds) * kBillion + time.nanoseconds;
}

void clock_delay_us(u64 microseconds) {
    const u64 until = x86::rdtsc() + microseconds * (state.hz / 1'000'000 + 1);
    while (x86::rdtsc() < until)
        x86::pause();
}

} // namespace tollgate
