// A core's queue is changed under its lock, by its own core and by whoever cancels a timer from elsewhere. A function
// runs without the lock; `firing` names its timer meanwhile, so that cancel() can wait for it.
#include "sched/timer.h"

#include "cpu/clock.h"
#include "cpu/tlb.h"
#include "lib/bits.h"
#include "lib/mutants.h"

#include <optional>

namespace tollgate {

struct TimerQueue {
    static bool before(const Timer& a, const Timer& b) { return a.at_ < b.at_; }

    Spinlock lock{LockRank::Timer};
    PairingHeap<Timer, &Timer::link_, before> timers GUARDED_BY(lock);
    Timer* firing GUARDED_BY(lock) = nullptr;
    Deadline due GUARDED_BY(lock) = 0; // up to when timers are fired now
    Atomic<u64> next_tsc{~u64{0}};     // of the first; written under the lock

    void update_next() REQUIRES(lock) {
        const Timer* first = timers.first();
        next_tsc.store(first ? clock_ns_to_tsc(first->at_) : ~u64{0}, kRelaxed);
    }
    bool insert(Timer& timer, unsigned cpu, Deadline at) {
        Guard guard{lock};
        // A function that arms its timer again, for a time that is past too, must not keep run() for ever.
        timer.at_ = firing != nullptr && at <= due && !mutant(Mutant::TimerTurn) ? due + 1 : at;
        timer.cpu_.store(cpu, kRelaxed);
        timers.insert(timer);
        if (timers.first() != &timer)
            return false;
        update_next();
        return true;
    }
    /// Whether it was in the queue; empty if its function runs at this moment.
    std::optional<bool> remove(Timer& timer) {
        Guard guard{lock};
        if (timer.link_.linked()) {
            timers.remove(timer);
            update_next();
            return true;
        }
        if (firing == &timer)
            return std::nullopt;
        return false;
    }
    Timer* take_due(Deadline now) {
        Guard guard{lock};
        Timer* first = timers.first();
        firing = first != nullptr && first->at_ <= now ? first : nullptr;
        due = now;
        if (firing) {
            timers.remove(*firing);
            update_next();
        }
        return firing;
    }
    static void fire(Timer& timer) { timer.fire_(timer); }
};

namespace {
constinit TimerQueue queues[kMaxCpus];
using ProgramHook = void (*)();
constinit ProgramHook program_hook = nullptr;
} // namespace

void Timer::arm(Deadline at) {
    InterruptGuard interrupts;
    (void)take_off();
    if (at == kNoDeadline)
        return;
    const unsigned cpu = this_cpu().number;
    if (queues[cpu].insert(*this, cpu, at))
        program_hook();
}

bool Timer::take_off() {
    const unsigned cpu = cpu_.load(kRelaxed);
    return cpu != kNowhere && queues[cpu].remove(*this).value_or(false);
}

bool Timer::cancel() {
    for (;;) {
        const unsigned cpu = cpu_.load(kRelaxed);
        if (cpu == kNowhere)
            return false;
        if (const auto was_armed = queues[cpu].remove(*this))
            return *was_armed;
        InterruptGuard interrupts;
        if (cpu == this_cpu().number)
            return false; // we are called by its function
        tlb_service();
        x86::pause();
    }
}

Deadline deadline_after(u64 ns) { return checked_add(clock_monotonic_ns(), ns).value_or(kNoDeadline); }

namespace timers {

u64 next_tsc() { return queues[this_cpu().number].next_tsc.load(kRelaxed); }

void run() {
    TimerQueue& queue = queues[this_cpu().number];
    // What is due now, and no more: a timer that arms itself again in its function gets its next turn after the
    // interrupted thread's.
    const Deadline now = clock_monotonic_ns();
    while (Timer* timer = queue.take_due(now))
        TimerQueue::fire(*timer);
}

void set_program_hook(void (*program)()) { program_hook = program; }

} // namespace timers
} // namespace tollgate
