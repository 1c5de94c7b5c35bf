// A worker: a kernel thread pinned to a worker core. It goes round the registered pages, takes on the submitter's
// address space, and executes what is submitted there as the submitter. Without work it polls for a bounded time, then
// sleeps until flexsc_wait() of some process wakes it, by an IPI since it sleeps on another core.
#include "cpu/clock.h"
#include "gate/flexsc/flexsc.h"

namespace tollgate::flexsc {
namespace {

constinit Spinlock lock{LockRank::Flexsc};
constinit List<Pages, &Pages::link> registered GUARDED_BY(lock){};
constinit WaitQueue sleeping{};
constinit Atomic<u64> kicks{0}; // counts worker_kick(); a worker that sleeps waits for a change
constinit u64 spin_ns = 50'000; // set before the workers start

/// The pages after `previous` in the list, for the caller to keep alive; null at the end.
Ref<Pages> next_pages(Pages* previous) {
    Guard guard{lock};
    Pages* next =
        previous == nullptr || !registered.contains(*previous) ? registered.front() : registered.next(*previous);
    return next == nullptr ? Ref<Pages>() : Ref<Pages>(*next);
}

/// Executes what is submitted in all pages; the number of calls.
u64 round(Thread& self) {
    u64 executed = 0;
    Ref<Pages> pages = next_pages(nullptr);
    for (unsigned guard = 0; pages && guard < 4096; ++guard) {
        if (pages->has_submitted() && pages->try_begin()) {
            // Kept until other pages or sleep: the next batch is likely to be of the same process.
            if (self.space() != pages->space())
                self.set_space(Ref<AddressSpace>(*pages->space()));
            const u64 here = pages->execute();
            pages->end();
            if (here != 0)
                pages->done.wake_everything();
            executed += here;
        }
        Pages* previous = pages.get();
        Ref<Pages> next = next_pages(previous);
        pages = std::move(next);
        if (pages.get() == previous)
            break;
    }
    return executed;
}

void work(void*) {
    Thread& self = sched::current();
    x86::sti();
    u64 idle_since = clock_monotonic_ns();
    for (;;) {
        const u64 seen = kicks.load(kSeqCst); // before looking: a kick after this ends the sleep below at once
        if (round(self) != 0) {
            idle_since = clock_monotonic_ns();
            continue;
        }
        sched::yield();
        if (clock_monotonic_ns() - idle_since < spin_ns) {
            x86::pause();
            continue;
        }
        self.set_space({});
        ++this_cpu().counters.worker_sleeps;
        (void)sleeping.wait_while([&] { return kicks.load(kSeqCst) == seen; });
        ++this_cpu().counters.worker_wakes;
        idle_since = clock_monotonic_ns();
    }
}

} // namespace

void worker_attach(Pages& pages) {
    Guard guard{lock};
    registered.push_back(pages);
}

void worker_detach(Pages& pages) {
    Guard guard{lock};
    registered.remove(pages);
}

void worker_kick() {
    kicks.fetch_add(1, kSeqCst);
    sleeping.wake_everything();
}

Result<void> start_workers(u64 spin_us) {
    spin_ns = spin_us * 1000;
    for (unsigned n = 0; n < sched::worker_count(); ++n) {
        Ref<Thread> thread = TRY(Thread::create("flexsc-worker", work, nullptr));
        sched::start_on(*thread, sched::worker_cpu(n));
    }
    return {};
}

} // namespace tollgate::flexsc
