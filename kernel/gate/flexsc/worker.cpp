// Workers: a kernel thread pinned to each worker core. It goes round the registered pages, process by process, takes on
// the submitter's address space and lends its core to the submitter's syscall threads. Without work it polls for as
// long as somebody's pages want it to, then sleeps until flexsc_wait() wakes it, by an IPI since it sleeps on another
// core.
#include "cpu/clock.h"
#include "gate/flexsc/flexsc.h"
#include "lib/mutants.h"

namespace tollgate::flexsc {
namespace {

enum class State : u32 { Working, Polling, Sleeping };

struct Worker {
    Atomic<State> state{State::Working};
    WaitQueue sleeping{};
    u64 visited = 0; ///< serial number of the pages it has looked at last
    // For /proc; its own.
    Atomic<u64> calls{0}, batches{0}, polls{0}, sleeps{0}, wakes{0}, idle_ticks{0};
};

constinit Spinlock lock{LockRank::Flexsc};
constinit List<Pages, &Pages::link> registered GUARDED_BY(lock){};    // in the order of their serial numbers
constinit List<Pages, &Pages::served_link> served GUARDED_BY(lock){}; // those for workers; likewise
constinit u64 last_serial GUARDED_BY(lock) = 0;
constinit Worker workers[kMaxCpus] = {}; // global: requests come from anywhere
constinit Atomic<u64> requests{0};       // counts request(); a worker that sleeps waits for a change

/// How many calls a worker executes for one thread before it looks after the next one.
constexpr u64 kTurn = 64;
/// The mutant's worker answers for so long.
constexpr u64 kMutantStops = 100;

/// The pages that come after those visited last, for the caller to keep alive; null if there are none at all.
Ref<Pages> next_served(u64 visited) {
    Guard guard{lock};
    for (Pages& pages : served)
        if (pages.serial > visited)
            return Ref<Pages>(pages);
    Pages* const first = served.front();
    return first == nullptr ? Ref<Pages>() : Ref<Pages>(*first);
}

size_t served_count() {
    Guard guard{lock};
    return served.size();
}

struct Visit {
    u64 executed = 0;
    bool left = false; ///< another worker has been on a page that somebody waits for
    u64 poll_ns = 0;
};

/// Executes what is submitted in a thread's pages, up to about kTurn calls.
Visit visit(Worker& self, Pages& pages) {
    Visit result;
    const bool polled = pages.polled.load(kRelaxed);
    if (polled)
        result.poll_ns = pages.spin_ns();
    u64 which = pages.wanted.load(kSeqCst) | (polled ? pages.all() : 0);
    SyscallThread* kept = nullptr;
    for (; which != 0 && result.executed < kTurn; which &= which - 1) {
        const unsigned page = static_cast<unsigned>(__builtin_ctzll(which));
        const u64 bit = u64{1} << page;
        if (!pages.try_lock(page)) {
            result.left |= (pages.wanted.load(kRelaxed) & bit) != 0;
            continue;
        }
        if (pages.wanted.load(kRelaxed) & bit)
            pages.wanted.fetch_and(~bit, kSeqCst); // before looking: a request from now on is seen in the next round
        if (pages.submitted(bit) != 0) {
            // Kept until other pages or sleep: the next batch is likely to be of the same process.
            Thread& thread = sched::current();
            if (thread.space() != pages.space() && !mutant(Mutant::FlexscSpace))
                thread.set_space(Ref<AddressSpace>(*pages.space()));
            const u64 begin = x86::rdtsc(), done = pages.execute(page, kept);
            pages.charge(x86::rdtsc() - begin);
            if (done != 0) {
                add_alone(self.batches, 1);
                result.executed += done;
                pages.statistics.worker.add(done);
                pages.completed(done);
            }
        }
        pages.unlock(page);
    }
    result.left |= which != 0 && (pages.wanted.load(kRelaxed) & which) != 0;
    pages.give_up(kept);
    return result;
}

/// Once round all pages, each process in its turn.
Visit round(Worker& self) {
    Visit all;
    for (size_t left = served_count(); left != 0; --left) {
        const Ref<Pages> pages = next_served(self.visited);
        if (!pages)
            break;
        self.visited = pages->serial;
        Visit one = visit(self, *pages);
        all.executed += one.executed;
        if (mutant(Mutant::FlexscFlood))
            while (one.executed != 0)
                one = visit(self, *pages);
        all.left |= one.left;
        all.poll_ns = one.poll_ns > all.poll_ns ? one.poll_ns : all.poll_ns;
    }
    add_alone(self.calls, all.executed);
    return all;
}

void work(void* argument) {
    Worker& self = *static_cast<Worker*>(argument);
    Thread& thread = sched::current();
    x86::sti();
    u64 idle_since = 0; // TSC; 0: it works
    for (;;) {
        const u64 seen = requests.load(kSeqCst); // before looking: a request after this ends the sleep below at once
        const Visit found = round(self);
        const u64 now = x86::rdtsc();
        sched::yield(); // to calls of this core that have waited and go on
        if (found.executed != 0 || found.left) {
            if (idle_since != 0)
                add_alone(self.idle_ticks, now - idle_since);
            idle_since = 0;
            continue;
        }
        add_alone(self.polls, 1);
        if (idle_since == 0) {
            idle_since = now;
            self.state.store(State::Polling, kRelaxed);
        }
        if (now - idle_since < clock_ns_to_ticks(found.poll_ns)) {
            x86::pause();
            continue;
        }
        add_alone(self.idle_ticks, x86::rdtsc() - idle_since);
        idle_since = 0;
        thread.set_space({});
        add_alone(self.sleeps, 1);
        self.state.store(State::Sleeping, kSeqCst);
        (void)self.sleeping.wait_while([&] {
            // Whoever sets Working has asked for us, perhaps so late that the round above has served it already.
            return (requests.load(kSeqCst) == seen && self.state.load(kSeqCst) == State::Sleeping) ||
                   (mutant(Mutant::FlexscStop) && self.calls.load(kRelaxed) > kMutantStops);
        });
        self.state.store(State::Working, kRelaxed);
    }
}

} // namespace

void attach(Pages& pages) {
    Guard guard{lock};
    pages.serial = ++last_serial;
    registered.push_back(pages);
    pages.polled.store(pages.policy() == api::FlexscPolicy::WorkerPoll, kRelaxed);
    if (pages.policy() != api::FlexscPolicy::Own)
        served.push_back(pages);
}

void detach(Pages& pages) {
    Guard guard{lock};
    registered.remove(pages);
    if (pages.served_link.linked())
        served.remove(pages);
}

Ref<Pages> next_registered(u64 serial) {
    Guard guard{lock};
    for (Pages& pages : registered)
        if (pages.serial > serial)
            return Ref<Pages>(pages);
    return {};
}

// seq_cst against a worker that goes to sleep: either we see that it sleeps, or it sees the request.
void request(Pages& pages, u64 which) {
    pages.wanted.fetch_or(which, kSeqCst);
    requests.fetch_add(1, kSeqCst);
    const unsigned count = sched::worker_count();
    for (unsigned n = 0; n < count && which != 0; ++n) { // one for each page
        Worker& worker = workers[n];
        State sleeping = State::Sleeping;
        if (worker.state.compare_exchange_strong(sleeping, State::Working, kSeqCst)) {
            which &= which - 1;
            worker.sleeping.wake_everything();
            worker.wakes.fetch_add(1, kRelaxed);
            pages.statistics.wakes.fetch_add(1, kRelaxed);
        } else if (sleeping == State::Polling) {
            which &= which - 1; // it looks anyway
        }
    }
}

Result<void> start_workers() {
    for (unsigned n = 0; n < sched::worker_count(); ++n) {
        Ref<Thread> thread = TRY(Thread::create("flexsc-worker", work, &workers[n]));
        sched::start_urgent(*thread, sched::worker_cpu(n));
    }
    return {};
}

void write_workers(Sink& to) {
    constexpr const char* kStates[] = {"working", "polling", "sleeping"};
    for (unsigned n = 0; n < sched::worker_count(); ++n) {
        const Worker& worker = workers[n];
        format_to(to,
                  "worker {} cpu {} state {} calls {} batches {} polls {} sleeps {} ipis {} idle_cycles {} mwaits {}\n",
                  n, sched::worker_cpu(n), kStates[static_cast<u32>(worker.state.load(kRelaxed))],
                  worker.calls.load(kRelaxed), worker.batches.load(kRelaxed), worker.polls.load(kRelaxed),
                  worker.sleeps.load(kRelaxed), worker.wakes.load(kRelaxed), worker.idle_ticks.load(kRelaxed),
                  sched::monitor_waits(sched::worker_cpu(n)));
    }
}

} // namespace tollgate::flexsc
