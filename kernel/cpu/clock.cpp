// Both conversions are a multiplication by a fraction (32 and 28 bits behind the point): no division on the way.
#include "cpu/clock.h"

#include "cpu/x86.h"
#include "lib/assert.h"

namespace tollgate {
namespace {

__extension__ using u128 = unsigned __int128;

// Written once before other CPUs start.
constinit struct { u64 hz, base, ns_per_tick_32, ticks_per_ns_28, realtime_ns; } state{};

} // namespace

void clock_initialise(u64 hz, u64 realtime_seconds) {
    ASSERT(hz > 0);
    state.hz = hz;
    ASSERT(hz >> 36 == 0);
    state.ns_per_tick_32 = (u64{1'000'000'000} << 32) / hz;
    state.ticks_per_ns_28 = (hz << 28) / 1'000'000'000;
    state.base = x86::rdtsc();
    state.realtime_ns = realtime_seconds * 1'000'000'000;
}

u64 clock_tsc_hz() { return state.hz; }
u64 clock_monotonic_ns() { return static_cast<u64>(u128{x86::rdtsc() - state.base} * state.ns_per_tick_32 >> 32); }
u64 clock_realtime_ns() { return state.realtime_ns + clock_monotonic_ns(); }

u64 clock_ns_to_tsc(u64 ns) {
    const u128 ticks = u128{ns} * state.ticks_per_ns_28 >> 28;
    return ticks > ~u64{0} - state.base ? ~u64{0} : static_cast<u64>(ticks) + state.base;
}

void clock_delay_us(u64 microseconds) {
    const u64 until = x86::rdtsc() + microseconds * (state.hz / 1'000'000 + 1);
    while (x86::rdtsc() < until)
        x86::pause();
}

} // namespace tollgate
