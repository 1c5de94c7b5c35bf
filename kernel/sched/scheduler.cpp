// Switching between threads, blocking and waking. Which core runs a thread is decided in balance.cpp.
//
// Invariants: a core alone runs the threads of its queue; `current`, `leaving` and the timer change with interrupts off
// and by their own core only. A thread on its way into block() may be made ready while it still runs: its own core then
// finds it in the queue, since no other core takes a thread whose on_core_ is set, and nobody ever waits for another
// core to finish a switch.
#include "sched/scheduler.h"

#include "cpu/apic.h"
#include "cpu/clock.h"
#include "cpu/fpu.h"
#include "cpu/tlb.h"
#include "cpu/trap_frame.h"
#include "cpu/user_bases.h"
#include "debug/panic.h"
#include "lib/mutants.h"
#include "sched/errand.h"
#include "sched/scheduler_internal.h"
#include "sched/timer.h"

namespace tollgate {
extern "C" void switch_context(u64* save_rsp, u64 new_rsp);
extern "C" void sched_finish_switch() { Scheduler::finish_switch(); }

constinit Scheduler::Core Scheduler::cores[kMaxCpus];
constinit u64 Scheduler::slice_ticks = 0;
constinit Atomic<u64> Scheduler::idle_cores{0};

bool Scheduler::must_move(const Thread& thread) {
    return &thread != this_cpu().idle && !(thread.affinity_.load(kSeqCst) >> this_cpu().number & 1);
}

/// A sleeper's alarm, on its stack while it sleeps.
struct SleepTimer : Timer {
    explicit SleepTimer(Thread& sleeper) : Timer(wake), thread(sleeper) {}
    static void wake(Timer& timer) {
        Thread& thread = static_cast<SleepTimer&>(timer).thread;
        thread.timed_out_ = true;
        (void)Scheduler::make_ready(thread);
    }
    Thread& thread;
};

void Scheduler::block() {
    InterruptGuard interrupts;
    Thread& self = *this_cpu().current;
    if (self.state_.load(kAcquire) == ThreadState::Running)
        return; // it was killed before it slept
    if (self.wake_at_ == kNoDeadline)
        return schedule();
    SleepTimer timer(self);
    timer.arm(self.wake_at_);
    schedule();
    (void)timer.cancel();
}

void Scheduler::cancel_block() {
    InterruptGuard interrupts;
    ThreadState blocked = ThreadState::Blocked;
    if (this_cpu().current->state_.compare_exchange_strong(blocked, ThreadState::Running, kAcqRel))
        return;
    if (blocked == ThreadState::Ready)
        schedule(); // it is in the queue, and comes back from there
}

// The thread that runs next, after `previous`, if that goes round, has joined the queue.
[[gnu::always_inline]] inline Thread& Scheduler::take_next(Core& own, Thread* previous) {
    const unsigned here = this_cpu().number;
    for (;; previous = nullptr) { // once, but for threads whose affinity has changed
        Thread* next;
        {
            QuietGuard guard{own.lock};
            if (previous != nullptr) {
                if (own.ready.empty() || (is_urgent(*previous) && !is_urgent(*own.ready.front())))
                    return *previous;
                previous->state_.store(ThreadState::Ready, kRelaxed);
                join(own, *previous);
            }
            next = own.ready.pop_front();
            if (previous == nullptr && next != nullptr)
                own.ready_count.store(own.ready_count.load(kRelaxed) - 1, kRelaxed);
        }
        if (next == nullptr)
            return *this_cpu().idle;
        if (next->affinity_.load(kSeqCst) >> here & 1 || next->on_core_.load(kRelaxed)) [[likely]]
            return *next;
        move(*next, pick_cpu(next->affinity_.load(kSeqCst))); // its affinity has changed while it waited
    }
}

[[gnu::always_inline]] inline void Scheduler::leave(Core& own, Thread& thread, u64 now) {
    // A reader on another core takes the sum twice at most, sees running_since_ change, and reads again.
    thread.cpu_ticks_.store(thread.cpu_ticks_.load(kRelaxed) + now - thread.running_since_.load(kRelaxed), kRelaxed);
    thread.running_since_.store(0, kRelease);
    thread.kept_work_ = this_cpu().work & kWorkFullReturn;
    if (!thread.fpu)
        return;
    if (!mutant(Mutant::FpuSwitch))
        fpu_save(thread.fpu.data());
    own.selectors = thread.selectors = read_user_selectors();
    thread.fs_base = read_user_fs_base();
    own.user_gs_base = thread.user_gs_base = read_user_gs_base();
}

[[gnu::always_inline]] inline void Scheduler::enter(Core& own, Thread& thread, u64 now) {
    Cpu& cpu = this_cpu();
    cpu.current = &thread;
    cpu.caller = thread.caller;
    cpu.kernel_stack = thread.stack_.top().value();
    cpu.work = thread.kept_work_ | (thread.wait_is_over(WaitMode::Interruptible) ? kWorkThread : 0);
    own.slice_end = now + slice_ticks;
    thread.running_since_.store(now, kRelaxed);
    thread.on_core_.store(true, kRelaxed);
    thread.state_.store(ThreadState::Running, kRelaxed);
    if (thread.space_.get() != cpu.loaded_space) {
        if (thread.space_)
            thread.space_->load();
        else
            AddressSpace::load_kernel_only();
    }
    if (!thread.fpu)
        return;
    if (!mutant(Mutant::FpuSwitch))
        fpu_restore(thread.fpu.data());
    // Kernel threads in between have left the last user thread's values in the registers.
    if (own.selectors != thread.selectors) {
        load_user_selectors(thread.selectors); // changes the bases
        own.selectors = thread.selectors;
        own.user_gs_base = read_user_gs_base();
    }
    load_user_fs_base(thread.fs_base);
    if (own.user_gs_base != thread.user_gs_base)
        load_user_gs_base(own.user_gs_base = thread.user_gs_base);
}

// On the new thread's stack: only now may another core run the old one, or its stack go.
[[gnu::always_inline]] inline void Scheduler::leave_stack(Core& own) {
    Thread* previous = own.leaving;
    own.leaving = nullptr;
    if (previous == nullptr)
        return;
    const ThreadState state = previous->state_.load(kRelaxed);
    if (state == ThreadState::Dead) [[unlikely]] {
        own.threads.fetch_sub(1, kRelaxed);
        (void)Ref<Thread>::adopt(previous);
        return;
    }
    const bool moves = state == ThreadState::Running && previous != this_cpu().idle && must_move(*previous);
    if (moves)
        previous->state_.store(ThreadState::Ready, kRelaxed);
    // Release: whoever takes the thread from here on sees its registers. A thread that is in the queue, or blocked, may
    // be anybody's after this line.
    previous->on_core_.store(false, kRelease);
    if (moves)
        move(*previous, pick_cpu(previous->affinity_.load(kSeqCst)));
}

// Interrupts are off. Returns when the thread that called runs again.
void Scheduler::schedule() {
    Cpu& cpu = this_cpu();
    Thread& previous = *cpu.current;
    Core& own = core(cpu.number);
    ASSERT(cpu.lock_ranks == 0); // a thread may not sleep with a lock held
    if (previous.is_lent()) [[unlikely]]
        return end_loan(previous);
    // One that may no longer run here stays Running and is handed on when its stack is free: finish_switch().
    const bool goes_round =
        previous.state_.load(kRelaxed) == ThreadState::Running && &previous != cpu.idle && !must_move(previous);
    Thread& next = take_next(own, goes_round ? &previous : nullptr);
    if (&next != &previous)
        return switch_to(next);
    own.slice_end = x86::rdtsc() + slice_ticks;
    previous.state_.store(ThreadState::Running, kRelaxed);
    arm_timer();
}

// The same, to a thread that is Ready, at home here and on no queue.
[[gnu::always_inline]] inline void Scheduler::switch_to(Thread& next) {
    Cpu& cpu = this_cpu();
    Thread& previous = *cpu.current;
    Core& own = core(cpu.number);
    const u64 now = x86::rdtsc();
    leave(own, previous, now);
    own.leaving = &previous;
    enter(own, next, now);
    ++cpu.counters.switches;
    if (slice_ends_first(own))
        arm_timer();
    switch_context(&previous.saved_rsp_, next.saved_rsp_);
    leave_stack(core(this_cpu().number)); // maybe another core
}

void Scheduler::finish_switch() { leave_stack(core(this_cpu().number)); }

// The next event of this core: the end of the slice, if somebody waits for it, or the first alarm. Without either no
// timer is set, so that a measurement alone on its core is not interrupted. One that is set and has lost its reason is
// left to fire once: that is cheaper than to program it at every switch.
void Scheduler::arm_timer() {
    Core& own = core(this_cpu().number);
    u64 at = timers::next_tsc();
    if (own.ready_count.load(kRelaxed) != 0 && own.slice_end < at && this_cpu().current != this_cpu().idle)
        at = own.slice_end;
    if (at >= own.armed_for)
        return;
    own.armed_for = at;
    apic::timer_arm(at);
}

void Scheduler::on_timer(TrapOrigin origin) {
    Core& own = core(this_cpu().number);
    own.armed_for = ~u64{0};
    Thread& current = *this_cpu().current;
    Atomic<u32>& samples = origin == TrapOrigin::User ? current.user_samples_ : current.kernel_samples_;
    samples.store(samples.load(kRelaxed) + 1, kRelaxed);
    timers::run();
    const u64 now = x86::rdtsc();
    if (own.ready_count.load(kRelaxed) != 0 && &current != this_cpu().idle && now >= own.slice_end) {
        push_away();
        cpu_request_work(kWorkReschedule);
        // An interrupt that is due again before the thread is out of the kernel would leave it no time to get there.
        // Nor may it never be due again: if whoever waits goes to another core first, this thread goes on with a new
        // turn.
        own.slice_end = now + slice_ticks;
    }
    arm_timer();
}

void Scheduler::on_reschedule() {
    Thread& current = *this_cpu().current;
    if (current.killed_.load(kSeqCst) || current.interrupted_.load(kSeqCst))
        cpu_request_work(kWorkThread);
    if (must_move(current) || gives_way(current))
        cpu_request_work(kWorkReschedule);
    arm_timer(); // somebody may have joined the queue
}

Result<void> Scheduler::initialise_cpu() {
    Cpu& cpu = this_cpu();
    slice_ticks = clock_ns_to_ticks(sched::kSliceNs);
    timers::set_program_hook(arm_timer);
    Ref<Thread> idle = TRY(Thread::create("idle", idle_loop, nullptr));
    idle->cpu_.store(cpu.number, kRelaxed);
    cpu.idle = cpu.current = idle.leak();
    cpu.idle->state_.store(ThreadState::Running, kRelaxed);
    cpu.idle->running_since_.store(x86::rdtsc(), kRelaxed);
    cpu.kernel_stack = cpu.idle->stack_.top().value();
    return {};
}

void Scheduler::run_idle() {
    x86::cli();
    u64 boot_context;
    switch_context(&boot_context, this_cpu().idle->saved_rsp_);
    ASSERT_NOT_REACHED();
}

void Scheduler::idle_loop(void*) {
    this_cpu().online.store(1, kRelease); // only now is whatever stack it started on free
    Core& own = core(this_cpu().number);
    const u64 bit = u64{1} << this_cpu().number;
    for (;;) {
        x86::cli();
        tlb_service();
        // seq_cst: either whoever looks for an idle core sees the bit, or we see the thread that it has put elsewhere.
        idle_cores.fetch_or(bit, kSeqCst);
        Thread* taken = nullptr;
        if (own.ready_count.load(kSeqCst) == 0 && (taken = steal()) == nullptr) {
            rest(own);
            continue;
        }
        idle_cores.fetch_and(~bit, kRelaxed);
        if (taken != nullptr)
            switch_to(*taken);
        else
            schedule();
    }
}

void Scheduler::yield() {
    InterruptGuard interrupts;
    cpu_clear_work(kWorkReschedule); // even if whoever waited has gone to another core
    if (core(this_cpu().number).ready_count.load(kRelaxed) != 0 || must_move(*this_cpu().current))
        schedule();
}

void Scheduler::kill(Thread& thread) {
    thread.killed_.store(true, kSeqCst);
    make_look(thread);
}

void Scheduler::interrupt(Thread& thread) {
    thread.interrupted_.store(true, kSeqCst);
    // This one, and not on its way to sleep, as it is when an interrupt's handler comes here.
    if (&thread == this_cpu().current && thread.state_.load(kRelaxed) == ThreadState::Running)
        return cpu_request_work(kWorkThread);
    make_look(thread);
}

// Wakes it, or has the core that runs it look at its flags. If it changes cores meanwhile, the new one looks when it
// enters the thread.
void Scheduler::make_look(Thread& thread) {
    InterruptGuard interrupts;
    if (make_ready(thread))
        return;
    const unsigned home = thread.cpu_.load(kSeqCst);
    if (home == this_cpu().number)
        on_reschedule();
    else
        apic::send_ipi(cpu_by_number(home).apic_id, kVectorReschedule);
}

void Scheduler::exit_current() {
    x86::cli();
    Thread& self = *this_cpu().current;
    self.state_.store(ThreadState::Dead, kRelaxed);
    schedule();
    ASSERT_NOT_REACHED();
}

Result<void> Scheduler::set_affinity(Thread& thread, u64 cpus) {
    if (pick_cpu(cpus & application_cores) == kMaxCpus)
        return fail(Errno::Inval);
    InterruptGuard interrupts;
    thread.affinity_.store(cpus, kSeqCst);
    if (&thread == this_cpu().current) {
        if (must_move(thread))
            schedule();
    } else {
        // Whatever core runs it looks again; one that waits is handed on when its turn comes.
        apic::send_ipi(cpu_by_number(thread.cpu_.load(kSeqCst)).apic_id, kVectorReschedule);
    }
    return {};
}

sched::CpuTime Scheduler::cpu_time(const Thread& thread) {
    for (;;) {
        const u64 since = thread.running_since_.load(kAcquire);
        const u64 ticks = thread.cpu_ticks_.load(kAcquire);
        if (thread.running_since_.load(kRelaxed) != since)
            continue;
        return {since == 0 ? ticks : ticks + x86::rdtsc() - since, thread.user_samples_.load(kRelaxed),
                thread.kernel_samples_.load(kRelaxed), thread.others_ticks_.load(kRelaxed)};
    }
}

void Scheduler::charge_current(Thread& payer) {
    InterruptGuard interrupts;
    Thread& self = *this_cpu().current;
    const u64 now = x86::rdtsc();
    charge(payer, self.cpu_ticks_.load(kRelaxed) + now - self.running_since_.load(kRelaxed));
    self.cpu_ticks_.store(0, kRelaxed);
    self.running_since_.store(now, kRelaxed);
}

namespace sched {

void initialise_cpu() {
    if (!Scheduler::initialise_cpu().has_value())
        panic("no memory for an idle thread");
}
void run_idle() { Scheduler::run_idle(); }
void start(Thread& thread) { Scheduler::start(thread, Scheduler::pick_cpu(Scheduler::affinity(thread))); }
void start_on(Thread& thread, unsigned cpu) {
    Scheduler::pin(thread, cpu);
    Scheduler::start(thread, cpu);
}
void start_urgent(Thread& thread, unsigned cpu) {
    Scheduler::make_urgent(thread);
    start_on(thread, cpu);
}
Thread& current() {
    Thread* thread;
    asm volatile("movq %%gs:%c1, %0" : "=r"(thread) : "i"(__builtin_offsetof(Cpu, current)));
    return *thread;
}
void yield() { Scheduler::yield(); }
bool lend(Thread& borrower) { return Scheduler::lend(borrower); }
void give_back() { Scheduler::give_back(); }
void park() { Scheduler::park(); }
bool is_parked(const Thread& thread) { return Scheduler::is_parked(thread); }
void exit_current() { Scheduler::exit_current(); }
void kill(Thread& thread) { Scheduler::kill(thread); }
void interrupt(Thread& thread) { Scheduler::interrupt(thread); }
Result<void> set_affinity(Thread& thread, u64 cpus) { return Scheduler::set_affinity(thread, cpus); }
u64 affinity(const Thread& thread) { return Scheduler::affinity(thread); }
CpuTime cpu_time(const Thread& thread) { return Scheduler::cpu_time(thread); }
void charge(Thread& payer, u64 ticks) { Scheduler::charge(payer, ticks); }
void charge_current(Thread& payer) { Scheduler::charge_current(payer); }
void on_timer(TrapOrigin origin) { Scheduler::on_timer(origin); }
void on_reschedule() {
    run_errand();
    Scheduler::on_reschedule();
}

Result<void> sleep_until(Deadline deadline) {
    WaitQueue nobody;
    return nobody.wait_while([] { return true; }, deadline);
}

} // namespace sched
} // namespace tollgate
