// Ends functions that do not end (threat C6): a fastcall runs with interrupts off, so that only an NMI gets through to
// it. While any process has functions, the board's timer sends one to every CPU about 18 times a second.
#pragma once

#include "cpu/trap_frame.h"

namespace tollgate::fastcall {

/// Boot. 0: no watchdog.
void watchdog_initialise(u64 budget_ms);
/// The number of spaces with functions has changed from or to zero; under the gate's lock.
void watchdog_arm(bool armed);
/// TrapHandlers::nmi.
void watchdog_nmi(TrapFrame& frame);
/// "off", "idle", "armed" or "unavailable"; the budget in ms.
const char* watchdog_state();
u64 watchdog_budget_ms();

} // namespace tollgate::fastcall
