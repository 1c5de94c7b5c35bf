// A periodic NMI to every CPU, from the board's own timer: it comes through whatever a CPU does with interrupts off.
#pragma once

namespace tollgate::nmi_timer {

/// About 18 a second, until stop(). False if no I/O APIC has the timer's line. Calls do not overlap.
bool start();
void stop();

} // namespace tollgate::nmi_timer
