// Which core runs a thread. A waking thread stays on the core where it ran last, whose caches know it, unless that one
// is busy and another is idle. A core without work takes a waiting thread from another; a core whose slice ends while
// others have less to do gives one away. No lock is taken while another queue's is held: a thread between two queues is
// found by nobody, and whoever wants it to look at its flags is heard when it runs.
//
// A thread that an idle core takes runs there at once and does not wait in its queue, where another idle core would
// find it: two of them in step would take it from each other for ever.
#include "cpu/apic.h"
#include "sched/scheduler_internal.h"

namespace tollgate {

/// The core hears of its new thread.
[[gnu::noinline]] void Scheduler::tell(unsigned cpu) {
    Core& target = core(cpu);
    if (cpu != this_cpu().number && target.monitored.load(kSeqCst) != 0 && target.monitored.exchange(0, kSeqCst) != 0)
        return; // the store has woken it
    if (cpu != this_cpu().number)
        apic::send_ipi(cpu_by_number(cpu).apic_id, kVectorReschedule);
    else
        arm_timer();
}

void Scheduler::join_urgent(Core& target, Thread& thread) {
    Thread* behind = target.ready.front();
    while (behind != nullptr && is_urgent(*behind))
        behind = target.ready.next(*behind);
    if (behind == nullptr)
        target.ready.push_back(thread);
    else
        target.ready.insert_before(*behind, thread);
}

// Interrupts are off.
[[gnu::always_inline]] inline void Scheduler::enqueue(Thread& thread, unsigned cpu) {
    Core& target = core(cpu);
    {
        QuietGuard guard{target.lock};
        join(target, thread);
        target.ready_count.store(target.ready_count.load(kRelaxed) + 1, kSeqCst);
    }
    if (cpu != this_cpu().number || slice_ends_first(target))
        tell(cpu);
    else if (is_urgent(thread) && gives_way(*this_cpu().current)) [[unlikely]]
        cpu_request_work(kWorkReschedule);
}

bool Scheduler::make_ready(Thread& thread) {
    ThreadState blocked = ThreadState::Blocked;
    if (!thread.state_.compare_exchange_strong(blocked, ThreadState::Ready, kAcqRel))
        return false;
    // It is on no queue, and ours alone to place.
    const unsigned home = thread.cpu_.load(kRelaxed);
    const u64 allowed = thread.affinity_.load(kRelaxed);
    const u64 idle = idle_cores.load(kRelaxed) & allowed & ordinary_cores;
    const bool stays = (allowed >> home & 1) && (idle == 0 || idle >> home & 1);
    enqueue(thread, stays ? home : place_elsewhere(thread, idle));
    return true;
}

// `idle` are the idle cores that the thread may run on. Its old core may still be on its way out of it.
unsigned Scheduler::place_elsewhere(Thread& thread, u64 idle) {
    if (thread.on_core_.load(kAcquire)) // acquire: pairs with leave_stack()
        return thread.cpu_.load(kRelaxed);
    if (idle == 0) {
        set_home(thread, pick_cpu(thread.affinity_.load(kRelaxed)));
    } else {
        const unsigned target = static_cast<unsigned>(__builtin_ctzll(idle));
        idle_cores.fetch_and(~(u64{1} << target), kRelaxed); // the next one goes elsewhere
        set_home(thread, target);
    }
    return thread.cpu_.load(kRelaxed);
}

void Scheduler::set_home(Thread& thread, unsigned to) {
    core(thread.cpu_.load(kRelaxed)).threads.fetch_sub(1, kRelaxed);
    core(to).threads.fetch_add(1, kRelaxed);
    thread.cpu_.store(to, kSeqCst); // before anybody enters the thread there, see make_look()
}

void Scheduler::move(Thread& thread, unsigned to) {
    set_home(thread, to);
    enqueue(thread, to);
}

unsigned Scheduler::pick_cpu(u64 allowed) {
    const u64 idle = idle_cores.load(kRelaxed);
    const u64 eligible = allowed & (application_cores | (ordinary_cores & idle));
    unsigned best = kMaxCpus;
    u64 best_load = ~u64{0};
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu) {
        if (!(eligible >> cpu & 1) || !cpu_by_number(cpu).online.load(kAcquire))
            continue;
        // Idle cores first, then those where fewest wait, then those where fewest live.
        const u64 load = (idle >> cpu & 1 ? 0 : u64{1} + core(cpu).ready_count.load(kRelaxed)) << 32 |
                         core(cpu).threads.load(kRelaxed);
        if (load < best_load) {
            best = cpu;
            best_load = load;
        }
    }
    return best;
}

void Scheduler::start(Thread& thread, unsigned cpu) {
    thread.retain(); // the scheduler's own reference, dropped after the last switch away
    thread.cpu_.store(cpu, kRelaxed);
    core(cpu).threads.fetch_add(1, kRelaxed);
    InterruptGuard interrupts;
    ThreadState fresh = ThreadState::New;
    const bool started = thread.state_.compare_exchange_strong(fresh, ThreadState::Ready, kAcqRel);
    ASSERT(started);
    enqueue(thread, cpu);
}

/// The last waiting thread of a queue that may run on `cpu`, taken off; null if there is none.
Thread* Scheduler::take_for(Core& from, unsigned cpu) {
    Guard guard{from.lock};
    for (Thread* thread = from.ready.back(); thread != nullptr; thread = from.ready.previous(*thread)) {
        if (!(thread->affinity_.load(kRelaxed) >> cpu & 1) || thread->on_core_.load(kAcquire))
            continue;
        from.ready.remove(*thread);
        from.ready_count.store(from.ready_count.load(kRelaxed) - 1, kRelaxed);
        return thread;
    }
    return nullptr;
}

Thread* Scheduler::steal() {
    const unsigned here = this_cpu().number;
    if (!(ordinary_cores >> here & 1))
        return nullptr;
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu) {
        if (cpu == here || core(cpu).ready_count.load(kSeqCst) == 0)
            continue;
        if (Thread* thread = take_for(core(cpu), here)) {
            set_home(*thread, here);
            return thread;
        }
    }
    return nullptr;
}

void Scheduler::push_away() {
    const unsigned here = this_cpu().number;
    const unsigned target = pick_cpu(~(u64{1} << here));
    if (target == kMaxCpus)
        return;
    const bool idle = idle_cores.load(kRelaxed) >> target & 1;
    const bool worker = !(application_cores >> here & 1); // which works, and may do so for long
    if (!idle && !worker && core(target).ready_count.load(kRelaxed) + 1 >= core(here).ready_count.load(kRelaxed))
        return;
    if (Thread* thread = take_for(core(here), target))
        move(*thread, target);
}

} // namespace tollgate
