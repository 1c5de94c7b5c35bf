// The scheduler's inside, for wait queues and for the scheduler itself.
#pragma once

#include "sched/thread.h"

namespace tollgate {

class Scheduler {
public:
    /// Marks the current thread as blocked, before the lock that protects its condition is released: a wake from then
    /// on counts.
    static void prepare_to_block(Thread& self, Deadline deadline, WaitMode mode);
    /// Gives up the core until somebody makes the thread ready.
    static void block();
    /// Blocked to ready, on its home core. False if it was not blocked (the deadline or a kill came first).
    static bool make_ready(Thread& thread);
    static bool timed_out(const Thread& thread) { return thread.timed_out_; }

    static Result<void> initialise_cpu();
    [[noreturn]] static void run_idle();
    static void start(Thread& thread, unsigned cpu);
    static unsigned pick_cpu(u64 allowed);
    static void yield();
    static void kill(Thread& thread);
    static void interrupt(Thread& thread);
    [[noreturn]] static void exit_current();
    static Result<void> set_affinity(Thread& thread, u64 cpus);
    static u64 affinity(const Thread& thread) { return thread.affinity_.load(kSeqCst); }
    static void finish_switch();
    static void on_timer();
    static void on_reschedule();

private:
    struct Core {
        Spinlock lock{LockRank::RunQueue};
        List<Thread, &Thread::run_link_> ready GUARDED_BY(lock);
        List<Thread, &Thread::sleep_link_> sleepers; // own core only, interrupts off; unsorted: few
        Thread* leaving = nullptr;                   // switched away from; own core only
        u64 slice_end = 0;                           // when the current thread has had its turn; own core only
        Atomic<u32> threads{0};                      // user and worker threads whose home this is
    };
    static Core& core(unsigned cpu);
    static Core cores[kMaxCpus];

    static void enqueue(Thread& thread);
    static void make_look(Thread& thread);
    static void schedule();
    static void arm_timer();
    static void leave(Thread& thread);
    static void enter(Thread& thread);
    static bool has_ready();
    static bool must_move(const Thread& thread);
    static void idle_loop(void*);
};

} // namespace tollgate
