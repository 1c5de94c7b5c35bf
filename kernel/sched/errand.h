// A function that is run on every core with no lock held there, which cpu_call_others() does not promise: that one is
// served by who spins for a lock, too.
#pragma once

namespace tollgate::sched {

/// Runs it on each online core, in an interrupt handler; comes back when all have. For threads that hold no Spinlock.
void run_everywhere(void (*errand)());
/// Called by the reschedule interrupt's handler.
void run_errand();

} // namespace tollgate::sched
