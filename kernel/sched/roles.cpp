// What cores are for, and what a worker core does without work: it runs ordinary threads, if it is shared, and waits
// for a store or an interrupt.
#include "cpu/features.h"
#include "sched/scheduler_internal.h"

namespace tollgate {

constinit u64 Scheduler::application_cores = ~u64{0};
constinit u64 Scheduler::ordinary_cores = ~u64{0};

/// An ordinary thread on a worker core, for which an urgent one waits.
bool Scheduler::gives_way(const Thread& current) {
    Core& own = core(this_cpu().number);
    if (application_cores >> this_cpu().number & 1 || is_urgent(current))
        return false;
    QuietGuard guard{own.lock};
    return !own.ready.empty() && is_urgent(*own.ready.front());
}

// Until an interrupt comes, or a store by tell(). An emulator's MWAIT may return at once, which would be a loop that
// never rests: whoever sees that some times in a row halts from then on.
void Scheduler::rest(Core& own) {
    constexpr u32 kMostForNothing = 8;
    if (!own.may_monitor)
        return x86::sti_halt();
    const u64 interrupts = this_cpu().counters.interrupts;
    own.monitored.store(1, kSeqCst);
    x86::monitor(&own.monitored);
    // A store after MONITOR ends MWAIT; one before it is seen here.
    if (own.monitored.load(kSeqCst) == 0 || own.ready_count.load(kSeqCst) != 0) {
        own.monitored.store(0, kRelaxed);
        return x86::sti();
    }
    x86::sti_mwait();
    own.mwaits.store(own.mwaits.load(kRelaxed) + 1, kRelaxed);
    const bool told = own.monitored.exchange(0, kSeqCst) == 0;
    own.for_nothing = told || this_cpu().counters.interrupts != interrupts ? 0 : own.for_nothing + 1;
    own.may_monitor = own.for_nothing < kMostForNothing;
}

namespace sched {

void set_roles(unsigned workers, Sharing sharing, Rest rest) {
    const unsigned applications = cpu_count() - (workers < cpu_count() ? workers : cpu_count() - 1);
    Scheduler::application_cores = applications == kMaxCpus ? ~u64{0} : (u64{1} << applications) - 1;
    if (sharing == Sharing::Dedicated)
        Scheduler::ordinary_cores = Scheduler::application_cores;
    for (unsigned cpu = applications; cpu < cpu_count(); ++cpu)
        Scheduler::core(cpu).may_monitor = rest == Rest::Monitor && cpu_features.monitor;
}
Role role(unsigned cpu) { return Scheduler::application_cores >> cpu & 1 ? Role::Application : Role::Worker; }
unsigned worker_count() {
    unsigned workers = 0;
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu)
        workers += role(cpu) == Role::Worker;
    return workers;
}
u64 monitor_waits(unsigned cpu) { return Scheduler::core(cpu).mwaits.load(kRelaxed); }
unsigned worker_cpu(unsigned n) { return cpu_count() - worker_count() + n; }

} // namespace sched
} // namespace tollgate
