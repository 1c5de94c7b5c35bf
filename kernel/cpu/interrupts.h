// Vectors for devices: a handler is given one of a small range, and an interrupt controller's driver (drivers/ioapic)
// is told to raise it. The vectors of the CPU itself and of the scheduler stand in trap_frame.h.
#pragma once

#include "lib/types.h"

namespace tollgate {

/// Runs with interrupts off, on whatever CPU the interrupt is routed to. May wake threads and take locks, may not
/// sleep.
using InterruptHandler = void (*)();

/// The vector that calls `handler` from now on, or 0 if all are taken. `name`, which must stay, is for
/// /proc/interrupts.
u8 claim_vector(InterruptHandler handler, const char* name);

/// One claimed vector as /proc/interrupts shows it; null name: not claimed.
struct VectorInfo {
    const char* name;
    u64 count;
};
VectorInfo vector_info(u8 vector);

/// Called by traps.cpp for every vector it does not know. False if nobody has claimed it.
bool run_vector(u64 vector);

} // namespace tollgate
