// Alarms: a function that is called once at a monotonic time. Each core has a queue of its own and programs its local
// APIC for the first (scheduler.cpp); arming and taking off cost the logarithm of their number.
#pragma once

#include "lib/atomic.h"
#include "lib/pairing_heap.h"
#include "sched/wait_queue.h"

namespace tollgate {

class Timer {
public:
    /// Called on the core that armed the timer, in its interrupt handler: interrupts are off, no lock is held, and it
    /// may not sleep. It may arm its timer again, and it may free it if nobody else uses it.
    using Fire = void (*)(Timer&);

    constexpr explicit Timer(Fire fire) : fire_(fire) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { ASSERT(!link_.linked()); }

    /// Fires at `at`, soon if that is past, never if it is kNoDeadline; replaces an earlier time. The owner keeps its
    /// own calls of arm() and cancel() apart; the function may run at this moment, for the earlier time.
    void arm(Deadline at);
    /// When this returns the timer is off, and its function does not run (unless this is called by it) and will not.
    /// True if it was to come. No lock may be held that the function takes.
    bool cancel();

private:
    friend struct TimerQueue;
    static constexpr unsigned kNowhere = ~0u;

    bool take_off();

    const Fire fire_;
    Deadline at_ = kNoDeadline;
    Atomic<unsigned> cpu_{kNowhere}; // whose queue it was last put on; written by the owner
    HeapLink<Timer> link_;
};

/// Monotonic time `ns` from now; kNoDeadline if that is beyond what 64 bits hold.
Deadline deadline_after(u64 ns);

namespace timers {

/// The first deadline of this core, as a TSC value; ~0 if there is none.
u64 next_tsc();
/// Fires what is due on this core. Interrupts are off.
void run();
/// Called when a deadline has become the first one of this core. Set by the scheduler.
void set_program_hook(void (*program)());

} // namespace timers
} // namespace tollgate
