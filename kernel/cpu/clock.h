// Time from the TSC: nanoseconds since boot, and wall time if the boot gave one. The frequency is measured once
// (drivers/pit.cpp).
#pragma once

#include "lib/types.h"

namespace tollgate {

/// `hz` > 0; `realtime_seconds` is the wall clock now.
void clock_initialise(u64 hz, u64 realtime_seconds);
u64 clock_tsc_hz();
/// Nanoseconds since clock_initialise().
u64 clock_monotonic_ns();
/// Nanoseconds since 1970.
u64 clock_realtime_ns();
/// The TSC value at that monotonic time; saturates.
u64 clock_ns_to_tsc(u64 ns);
/// Spins.
void clock_delay_us(u64 microseconds);

} // namespace tollgate
