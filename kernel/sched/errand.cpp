// One errand at a time for the whole machine.
#include "sched/errand.h"

#include "cpu/apic.h"
#include "cpu/tlb.h"
#include "cpu/trap_frame.h"
#include "sched/mutex.h"
#include "sched/scheduler.h"
#include "sync/spinlock.h"

namespace tollgate::sched {
namespace {

using Errand = void (*)();

constinit Mutex one_at_a_time;
constinit Errand errand_to_run = nullptr; // under the mutex; read by cores whose bit is set
constinit Atomic<u64> due{0};             // cores that have not run it yet

} // namespace

void run_errand() {
    const u64 bit = u64{1} << this_cpu().number;
    if (!(due.load(kAcquire) & bit)) // acquire: pairs with run_everywhere(), for errand_to_run
        return;
    errand_to_run();
    due.fetch_and(~bit, kRelease);
}

void run_everywhere(void (*errand)()) {
    MutexGuard mutex{one_at_a_time};
    u64 cores = 0;
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu)
        if (cpu_by_number(cpu).online.load(kAcquire))
            cores |= u64{1} << cpu;
    errand_to_run = errand;
    due.store(cores, kSeqCst); // before the interrupts
    {
        InterruptGuard interrupts;
        run_errand();
        for (unsigned cpu = 0; cpu < cpu_count(); ++cpu)
            if (due.load(kRelaxed) >> cpu & 1)
                apic::send_ipi(cpu_by_number(cpu).apic_id, kVectorReschedule);
    }
    while (due.load(kAcquire) != 0)
        yield();
}

} // namespace tollgate::sched
