// Invariants: a thread's home core alone takes it off its run queue and runs it; sleepers are listed on their home
// core; both lists and `current` change with interrupts off. So a thread that is made ready while it is still on its
// way into block() is simply found in the queue by its own core, and nobody ever waits for another core to finish a
// switch.
#include "sched/scheduler.h"

#include "cpu/apic.h"
#include "cpu/clock.h"
#include "cpu/fpu.h"
#include "cpu/tlb.h"
#include "cpu/trap_frame.h"
#include "cpu/user_bases.h"
#include "debug/panic.h"
#include "lib/mutants.h"
#include "sched/scheduler_internal.h"

namespace tollgate {
namespace {

constexpr u64 kSliceNs = 10'000'000;
constinit unsigned workers = 0; // the last cores; set once before user threads start

bool is_worker(unsigned cpu) { return cpu >= cpu_count() - workers; }

} // namespace

extern "C" void switch_context(u64* save_rsp, u64 new_rsp);
extern "C" void sched_finish_switch() { Scheduler::finish_switch(); }

constinit Scheduler::Core Scheduler::cores[kMaxCpus];
Scheduler::Core& Scheduler::core(unsigned cpu) { return cores[cpu]; }

bool Scheduler::must_move(const Thread& thread) {
    return &thread != this_cpu().idle && !(thread.affinity_.load(kSeqCst) >> this_cpu().number & 1);
}

void Scheduler::enqueue(Thread& thread) {
    const unsigned home = thread.cpu_.load(kRelaxed);
    {
        Guard guard{core(home).lock};
        core(home).ready.push_back(thread);
    }
    if (home != this_cpu().number)
        apic::send_ipi(cpu_by_number(home).apic_id, kVectorReschedule);
    else
        arm_timer();
}

bool Scheduler::has_ready() {
    Core& own = core(this_cpu().number);
    Guard guard{own.lock};
    return !own.ready.empty();
}

void Scheduler::prepare_to_block(Thread& self, Deadline deadline, WaitMode mode) {
    self.timed_out_ = false;
    self.wake_at_ = deadline;
    // seq_cst against kill() and interrupt(): either they see Blocked and wake us, or we see their flag and do not
    // sleep.
    self.state_.store(ThreadState::Blocked, kSeqCst);
    if (self.killed_.load(kSeqCst) || (mode == WaitMode::Interruptible && self.interrupted_.load(kSeqCst))) {
        ThreadState blocked = ThreadState::Blocked;
        (void)self.state_.compare_exchange_strong(blocked, ThreadState::Running, kAcqRel);
    }
}

void Scheduler::block() {
    InterruptGuard interrupts;
    Thread& self = *this_cpu().current;
    if (self.state_.load(kAcquire) == ThreadState::Running)
        return; // it was killed before it slept
    Core& own = core(this_cpu().number);
    if (self.wake_at_ != kNoDeadline)
        own.sleepers.push_back(self);
    schedule();
    if (self.sleep_link_.linked())
        core(this_cpu().number).sleepers.remove(self);
}

bool Scheduler::make_ready(Thread& thread) {
    ThreadState blocked = ThreadState::Blocked;
    if (!thread.state_.compare_exchange_strong(blocked, ThreadState::Ready, kAcqRel))
        return false;
    enqueue(thread);
    return true;
}

void Scheduler::leave(Thread& thread) {
    thread.kept_work_ = this_cpu().work & kWorkFullReturn;
    if (!thread.fpu)
        return;
    if (!mutant(Mutant::FpuSwitch))
        fpu_save(thread.fpu.data());
    thread.selectors = read_user_selectors();
    thread.fs_base = read_user_fs_base();
    thread.user_gs_base = read_user_gs_base();
}

void Scheduler::enter(Thread& thread) {
    Cpu& cpu = this_cpu();
    cpu.current = &thread;
    cpu.caller = thread.caller;
    cpu.kernel_stack = thread.stack_.top().value();
    cpu.work = thread.kept_work_ | (thread.wait_is_over(WaitMode::Interruptible) ? kWorkThread : 0);
    core(cpu.number).slice_end = clock_monotonic_ns() + kSliceNs;
    thread.state_.store(ThreadState::Running, kRelaxed);
    if (thread.space_)
        thread.space_->load();
    else
        AddressSpace::load_kernel_only();
    if (!thread.fpu)
        return;
    if (!mutant(Mutant::FpuSwitch))
        fpu_restore(thread.fpu.data());
    load_user_selectors(thread.selectors);
    load_user_fs_base(thread.fs_base);
    load_user_gs_base(thread.user_gs_base);
}

// Interrupts are off. Returns when the thread that called runs again.
void Scheduler::schedule() {
    Cpu& cpu = this_cpu();
    Thread& previous = *cpu.current;
    Core& own = core(cpu.number);
    ASSERT(cpu.lock_ranks == 0); // a thread may not sleep with a lock held
    const bool runnable = previous.state_.load(kRelaxed) == ThreadState::Running && &previous != cpu.idle;
    const bool moves = runnable && must_move(previous);
    if (runnable && !moves) {
        previous.state_.store(ThreadState::Ready, kRelaxed);
        Guard guard{own.lock};
        own.ready.push_back(previous);
    }
    Thread* next;
    {
        Guard guard{own.lock};
        next = own.ready.pop_front();
    }
    if (next == nullptr)
        next = cpu.idle;
    cpu_clear_work(kWorkReschedule);
    if (next == &previous) {
        own.slice_end = clock_monotonic_ns() + kSliceNs;
        previous.state_.store(ThreadState::Running, kRelaxed);
        arm_timer();
        return;
    }
    leave(previous);
    own.leaving = &previous;
    enter(*next);
    ++cpu.counters.switches;
    arm_timer();
    switch_context(&previous.saved_rsp_, next->saved_rsp_);
    finish_switch();
}

// On the new thread's stack: only now may another core run the old one, or its stack go.
void Scheduler::finish_switch() {
    Cpu& cpu = this_cpu();
    Core& own = core(cpu.number);
    Thread* previous = own.leaving;
    own.leaving = nullptr;
    if (previous == nullptr || previous == cpu.idle)
        return;
    const ThreadState state = previous->state_.load(kRelaxed);
    if (state == ThreadState::Dead) {
        own.threads.fetch_sub(1, kRelaxed);
        (void)Ref<Thread>::adopt(previous);
    } else if (state == ThreadState::Running) { // it moves to another core
        const unsigned target = pick_cpu(previous->affinity_.load(kSeqCst));
        own.threads.fetch_sub(1, kRelaxed);
        core(target).threads.fetch_add(1, kRelaxed);
        previous->cpu_.store(target, kRelaxed);
        previous->state_.store(ThreadState::Ready, kRelaxed);
        enqueue(*previous);
    }
}

// The next event of this core: the end of the slice, if somebody waits for it, or the first sleeper. Otherwise no timer
// runs at all, so that a measurement alone on its core is never interrupted.
void Scheduler::arm_timer() {
    Core& own = core(this_cpu().number);
    u64 at = kNoDeadline;
    for (Thread& thread : own.sleepers)
        at = thread.wake_at_ < at ? thread.wake_at_ : at;
    if (this_cpu().current != this_cpu().idle && has_ready()) {
        at = own.slice_end < at ? own.slice_end : at;
    }
    if (at == kNoDeadline) {
        if (this_cpu().timer_armed)
            apic::timer_stop();
        this_cpu().timer_armed = false;
        return;
    }
    this_cpu().timer_armed = true;
    apic::timer_arm(clock_ns_to_tsc(at));
}

void Scheduler::on_timer() {
    Core& own = core(this_cpu().number);
    const u64 now = clock_monotonic_ns();
    for (Thread& thread : own.sleepers) {
        if (thread.wake_at_ > now)
            continue;
        own.sleepers.remove(thread);
        thread.timed_out_ = true;
        (void)make_ready(thread);
    }
    if (has_ready() && now >= own.slice_end) {
        cpu_request_work(kWorkReschedule);
        // The turn is over, which must be said once: an interrupt that is due again before the thread is out of the
        // kernel would leave it no time to get there.
        own.slice_end = kNoDeadline;
    }
    arm_timer();
}

void Scheduler::on_reschedule() {
    Thread& current = *this_cpu().current;
    if (current.killed_.load(kSeqCst) || current.interrupted_.load(kSeqCst))
        cpu_request_work(kWorkThread);
    if (has_ready() || must_move(current))
        cpu_request_work(kWorkReschedule);
}

Result<void> Scheduler::initialise_cpu() {
    Cpu& cpu = this_cpu();
    Ref<Thread> idle = TRY(Thread::create("idle", idle_loop, nullptr));
    idle->cpu_.store(cpu.number, kRelaxed);
    cpu.idle = cpu.current = idle.leak();
    cpu.idle->state_.store(ThreadState::Running, kRelaxed);
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
    for (;;) {
        x86::cli();
        tlb_service();
        if (has_ready())
            schedule();
        else
            x86::sti_halt();
    }
}

unsigned Scheduler::pick_cpu(u64 allowed) {
    unsigned best = kMaxCpus;
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu) {
        if (!(allowed >> cpu & 1) || is_worker(cpu) || !cpu_by_number(cpu).online.load(kAcquire))
            continue;
        if (best == kMaxCpus || core(cpu).threads.load(kRelaxed) < core(best).threads.load(kRelaxed))
            best = cpu;
    }
    return best;
}

void Scheduler::start(Thread& thread, unsigned cpu) {
    thread.retain(); // the scheduler's own reference, dropped after the last switch away
    thread.cpu_.store(cpu, kRelaxed);
    core(cpu).threads.fetch_add(1, kRelaxed);
    InterruptGuard interrupts;
    const bool started = make_ready(thread);
    ASSERT(started);
}

void Scheduler::yield() {
    InterruptGuard interrupts;
    if (has_ready() || must_move(*this_cpu().current))
        schedule();
}

void Scheduler::kill(Thread& thread) {
    thread.killed_.store(true, kSeqCst);
    make_look(thread);
}

void Scheduler::interrupt(Thread& thread) {
    thread.interrupted_.store(true, kSeqCst);
    make_look(thread);
}

// Wakes it, or has the core that runs it look at its flags.
void Scheduler::make_look(Thread& thread) {
    InterruptGuard interrupts;
    if (make_ready(thread))
        return;
    const unsigned home = thread.cpu_.load(kRelaxed);
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
    if (pick_cpu(cpus) == kMaxCpus)
        return fail(Errno::Inval);
    InterruptGuard interrupts;
    thread.affinity_.store(cpus, kSeqCst);
    if (&thread == this_cpu().current) {
        if (must_move(thread))
            schedule();
    } else {
        // Whatever core runs it looks again; if it moves meanwhile, the new one has already seen the new set.
        apic::send_ipi(cpu_by_number(thread.cpu_.load(kRelaxed)).apic_id, kVectorReschedule);
    }
    return {};
}

namespace sched {

void set_roles(unsigned wanted) { workers = wanted < cpu_count() ? wanted : cpu_count() - 1; }
Role role(unsigned cpu) { return is_worker(cpu) ? Role::Worker : Role::Application; }
unsigned worker_count() { return workers; }
unsigned worker_cpu(unsigned n) { return cpu_count() - workers + n; }

void initialise_cpu() {
    if (!Scheduler::initialise_cpu().has_value())
        panic("no memory for an idle thread");
}
void run_idle() { Scheduler::run_idle(); }
void start(Thread& thread) { Scheduler::start(thread, Scheduler::pick_cpu(Scheduler::affinity(thread))); }
void start_on(Thread& thread, unsigned cpu) { Scheduler::start(thread, cpu); }
Thread& current() {
    Thread* thread;
    asm volatile("movq %%gs:%c1, %0" : "=r"(thread) : "i"(__builtin_offsetof(Cpu, current)));
    return *thread;
}
void yield() { Scheduler::yield(); }
void exit_current() { Scheduler::exit_current(); }
void kill(Thread& thread) { Scheduler::kill(thread); }
void interrupt(Thread& thread) { Scheduler::interrupt(thread); }
Result<void> set_affinity(Thread& thread, u64 cpus) { return Scheduler::set_affinity(thread, cpus); }
u64 affinity(const Thread& thread) { return Scheduler::affinity(thread); }
void on_timer() { Scheduler::on_timer(); }
void on_reschedule() { Scheduler::on_reschedule(); }

Result<void> sleep_until(Deadline deadline) {
    WaitQueue nobody;
    return nobody.wait_while([] { return true; }, deadline);
}

} // namespace sched
} // namespace tollgate
