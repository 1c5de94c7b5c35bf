// Time from the TSC: seconds and nanoseconds since boot, and wall time if the boot gave one. The frequency is measured
// once (drivers/machine.cpp). What the arithmetic needs lies in one ClockPage, of which user code maps a copy: the vDSO
// (gate/vdso) and the kernel compute the same from the same numbers.
#pragma once

#include "cpu/x86.h"
#include "lib/atomic.h"
#include "lib/types.h"

namespace tollgate {

/// A clock as one point of it: at TSC value `tick` it showed `seconds`, and no fraction. So no offset is ever added and
/// no carry can arise.
struct ClockBase {
    u64 tick;
    i64 seconds;
};

/// [linux/time.h] Ids of the clocks that are computed from the TSC alone; they index ClockPage::clocks.
inline constexpr int kClockRealtime = 0, kClockMonotonic = 1, kClockMonotonicRaw = 4, kClockRealtimeCoarse = 5,
                     kClockMonotonicCoarse = 6, kClockBoottime = 7, kClockTai = 11;
inline constexpr unsigned kTscClocks = 12;
/// bit n: clock n is one of them.
inline constexpr u32 kTscClockSet = 1 << kClockRealtime | 1 << kClockMonotonic | 1 << kClockMonotonicRaw |
                                    1 << kClockRealtimeCoarse | 1 << kClockMonotonicCoarse | 1 << kClockBoottime |
                                    1 << kClockTai;

/// Seconds are ticks * multiplier >> (64 + kClockShift). The shift leaves room for any TSC above 2.1 MHz (Bochs' is 4)
/// and an error below 0.2 microseconds in 100 years at 4 GHz.
inline constexpr unsigned kClockShift = 21;
/// What clock_initialise() can work with.
inline constexpr u64 kLeastTscHz = (u64{1} << kClockShift) + 1, kMostTscHz = (u64{1} << 34) - 1;

struct ClockPage {
    /// A change counts in `begun` before it, and in `done` after it. A reader takes `done` first and `begun` last, and
    /// reads again if they differ: a change has begun that was not done when it started.
    Atomic<u32> begun, done;
    u64 multiplier;
    ClockBase clocks[kTscClocks];
    u32 has_rdpid; ///< the vDSO's getcpu may use RDPID
    u32 pad;
};
static_assert(sizeof(ClockPage) == 24 + 16 * kTscClocks);

struct ClockReading {
    i64 seconds;
    u64 nanoseconds; ///< below 10^9
};

/// Ticks as seconds and nanoseconds.
inline ClockReading clock_ticks_to_time(u64 ticks, u64 multiplier) {
    __extension__ using u128 = unsigned __int128;
    const u128 product = u128{ticks} * multiplier;
    const u64 fraction = static_cast<u64>(product >> kClockShift);
    return {static_cast<i64>(product >> (64 + kClockShift)), static_cast<u64>(u128{fraction} * 1'000'000'000 >> 64)};
}

/// `hz` between kLeastTscHz and kMostTscHz; `realtime_seconds` is the wall clock now.
void clock_initialise(u64 hz, u64 realtime_seconds);
/// Keeps that page, which user code may read, equal to the kernel's own from now on.
void clock_publish(ClockPage& page);
u64 clock_tsc_hz();
/// The kernel's own; written by the boot processor before the others start, after that only the wall clocks' bases.
extern constinit ClockPage clock_page;
/// `clock` is in kTscClockSet.
inline ClockReading clock_read(int clock) {
    for (;;) {
        const u32 done = clock_page.done.load(kAcquire);
        const ClockBase& base = clock_page.clocks[clock];
        // The TSC is read after everything that this thread has seen [SDM vol 2, RDTSC].
        asm volatile("lfence" ::: "memory");
        ClockReading time = clock_ticks_to_time(x86::rdtsc() - base.tick, clock_page.multiplier);
        time.seconds += base.seconds;
        asm volatile("" ::: "memory"); // the base is read before this; x86 keeps loads in order
        if (clock_page.begun.load(kRelaxed) == done) [[likely]]
            return time;
    }
}
/// Nanoseconds since clock_initialise().
u64 clock_monotonic_ns();
/// Nanoseconds since 1970.
u64 clock_realtime_ns();
/// Sets the wall clocks; nanoseconds < 10^9. One caller at a time, with interrupts off: a reader that interrupted it
/// would read for ever. Whoever sleeps until a wall time keeps the deadline computed before.
void clock_set_realtime(i64 seconds, u64 nanoseconds);
/// The TSC value at that monotonic time, rounded up, so that an alarm is never early; saturates.
u64 clock_ns_to_tsc(u64 ns);
/// Spans of time; ticks are rounded up and saturate.
u64 clock_ns_to_ticks(u64 ns);
u64 clock_ticks_to_ns(u64 ticks);
/// Spins.
void clock_delay_us(u64 microseconds);

} // namespace tollgate
