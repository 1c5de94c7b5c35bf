// The scheduler's inside, for wait queues, futexes and the scheduler itself.
#pragma once

#include "cpu/traps.h"
#include "lib/mutants.h"
#include "sched/scheduler.h"
#include "sched/thread.h"

namespace tollgate {

class Scheduler {
public:
    /// Marks the current thread as blocked, before the lock that protects its condition is released: a wake from then
    /// on counts.
    static void prepare_to_block(Thread& self, Deadline deadline, WaitMode mode) {
        self.timed_out_ = false;
        self.wake_at_ = deadline;
        // seq_cst against kill() and interrupt(): either they see Blocked and wake us, or we see their flag and do not
        // sleep.
        self.state_.store(ThreadState::Blocked, kSeqCst);
        if ((self.killed_.load(kSeqCst) && mode != WaitMode::Uninterruptible) ||
            (mode == WaitMode::Interruptible && self.interrupted_.load(kSeqCst))) [[unlikely]] {
            ThreadState blocked = ThreadState::Blocked;
            (void)self.state_.compare_exchange_strong(blocked, ThreadState::Running, kAcqRel);
        }
    }
    /// Gives up the core until somebody makes the thread ready.
    static void block();
    /// Instead of block(): the thread goes on, and a wake that has come meanwhile is used up.
    static void cancel_block();
    /// Blocked to ready, on a core of its affinity. False if it was not blocked (the deadline or a kill came first).
    /// Interrupts are off.
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
    static void pin(Thread& thread, unsigned cpu) { thread.affinity_.store(u64{1} << cpu, kSeqCst); }
    static u64 affinity(const Thread& thread) { return thread.affinity_.load(kSeqCst); }
    static sched::CpuTime cpu_time(const Thread& thread);
    static bool lend(Thread& borrower);
    static void give_back();
    static void park();
    static void charge_current(Thread& payer);
    static void charge(Thread& payer, u64 ticks) { payer.others_ticks_.fetch_add(ticks, kRelaxed); }
    static void make_urgent(Thread& thread) { thread.urgent_ = true; }
    static bool is_parked(const Thread& thread) {
        return !thread.on_core_.load(kAcquire) && thread.state_.load(kRelaxed) == ThreadState::New;
    }
    static void finish_switch();
    static void on_timer(TrapOrigin origin);
    static void on_reschedule();

private:
    friend struct SleepTimer;
    friend void sched::set_roles(unsigned, sched::Sharing, sched::Rest);
    friend u64 sched::monitor_waits(unsigned);
    friend sched::Role sched::role(unsigned);
    struct alignas(64) Core {
        Spinlock lock{LockRank::RunQueue};
        List<Thread, &Thread::run_link_> ready GUARDED_BY(lock);
        Atomic<u32> ready_count{0}; // what `ready` holds; read without the lock as a hint, exact for the own core
        Thread* leaving = nullptr;  // switched away from; own core only
        u64 slice_end = 0;          // TSC at which the current thread has had its turn; own core only
        u64 armed_for = ~u64{0};    // TSC at which the next timer interrupt comes; own core only
        Atomic<u32> threads{0};     // user and worker threads whose home this is
        UserSelectors selectors{};  // what the segment registers hold: the last user thread's; own core only
        u64 user_gs_base = 0;       // likewise
        Atomic<u32> monitored{0};   // the core waits by MWAIT: whoever sets 0 has woken it
        u32 for_nothing = 0;        // MWAITs in a row that nothing has ended; own core only
        bool may_monitor = false;   // set at boot, then the own core's
        Atomic<u64> mwaits{0};      // written by the own core
    };
    static Core& core(unsigned cpu) {
        Core* core = &cores[cpu];
        asm("" : "+r"(core)); // its address is computed once, and not anew for every field
        return *core;
    }
    static Core cores[kMaxCpus];
    static u64 slice_ticks;
    static u64 application_cores;  // bit n: core n runs processes; written once, before user threads start
    static u64 ordinary_cores;     // these, and those that do so while they are idle; likewise
    static Atomic<u64> idle_cores; // bit n: core n is about to halt or halts

    static void make_look(Thread& thread);
    static void schedule();
    static void switch_to(Thread& next);
    static void end_loan(Thread& borrower);
    static void arm_timer();
    /// Whether the end of the slice matters to somebody and comes before the interrupt that is set. Alarms need no look
    /// here: whoever sets an earlier one arms the timer.
    static bool slice_ends_first(const Core& own) {
        return own.ready_count.load(kRelaxed) != 0 && own.slice_end < own.armed_for;
    }
    static bool is_urgent(const Thread& thread) { return thread.urgent_ && !mutant(Mutant::FlexscYield); }
    /// Puts a thread into a queue: urgent ones before the others, and behind each other.
    static void join(Core& target, Thread& thread) REQUIRES(target.lock) {
        if (is_urgent(thread)) [[unlikely]]
            return join_urgent(target, thread);
        target.ready.push_back(thread);
    }
    static void join_urgent(Core& target, Thread& thread) REQUIRES(target.lock);
    static Thread& take_next(Core& own, Thread* previous);
    static void leave(Core& own, Thread& thread, u64 now);
    static void enter(Core& own, Thread& thread, u64 now);
    static void leave_stack(Core& own);
    static bool must_move(const Thread& thread);
    static bool gives_way(const Thread& current);
    static void rest(Core& own);
    static void idle_loop(void*);

    // balance.cpp: which core a thread runs on
    static void tell(unsigned cpu);
    static void enqueue(Thread& thread, unsigned cpu);
    static unsigned place_elsewhere(Thread& thread, u64 idle);
    static void move(Thread& thread, unsigned to);
    static void set_home(Thread& thread, unsigned to);
    static Thread* take_for(Core& from, unsigned cpu);
    static Thread* steal();
    static void push_away();
};

} // namespace tollgate
