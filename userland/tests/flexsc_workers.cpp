// Workers of syscall pages: one that is flooded, one that stops, one that has nothing to do, and what they see of what
// the owner writes [threats F12, F14, F15, F17]. Needs `-smp 2 flexsc.workers=1`. With mutant=flexsc_stop the workers
// stop after their first calls, and the test of F14 is made.
#include <cerrno>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include "userland/lib/flexsc_report.h"
#include "userland/lib/ktap.h"
#include "userland/tests/flexsc_cases.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;

std::string own_line() { return "process " + std::to_string(getpid()); }
bool stops() { return text_of("/proc/tollgate/machine").find("mutant=flexsc_stop") != std::string::npos; }

uint64_t now_ms() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

/// Posts without end and without looking.
int flood(uint64_t) {
    const auto gate = Flexsc::open(FlexscPolicy::WorkerPoll, api::kFlexscMaxPages);
    if (!gate)
        return 1;
    for (;; _mm_pause()) // lets another CPU run under an emulator that runs one at a time
        for (unsigned slot = 0; slot < gate->size(); ++slot)
            Flexsc::post(gate->entry(slot), api::kSysNull);
}

// Descriptors of the crowd and of whoever stands beside it.
constexpr int kSteps = 20, kGo = 21, kReady = 22;

/// Whenever it is told to it submits all entries of eight pages. Each call is a step of a file offset that it shares.
int crowd(uint64_t) {
    const auto gate = Flexsc::open(FlexscPolicy::WorkerPoll, api::kFlexscMaxPages);
    if (!gate)
        return 1;
    bool first = true;
    for (char go; read(kGo, &go, 1) == 1; first = false) {
        for (unsigned slot = 0; slot < gate->size() && !first; ++slot)
            if (!gate->await(gate->entry(slot)) || Flexsc::take(gate->entry(slot)) < 0)
                return 1;
        for (unsigned slot = 0; slot < gate->size(); ++slot)
            Flexsc::post(gate->entry(slot), SYS_lseek, kSteps, 1, SEEK_CUR);
        if (write(kReady, &go, 1) != 1)
            return 1;
    }
    return 0;
}

/// A worker that finds eight full pages of another process executes two or three pages of them, and then our call: it
/// returns how many steps were made before it. Registered before the crowd and served last, ours is the second in the
/// worker's round.
int beside_crowd(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(static_cast<FlexscPolicy>(policy));
    int go[2], ready[2];
    const int steps = open("/tmp/steps", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (!checks.expect(gate.has_value() && pipe(go) == 0 && pipe(ready) == 0 && dup2(steps, kSteps) == kSteps &&
                       dup2(go[0], kGo) == kGo && dup2(ready[1], kReady) == kReady))
        return 1;
    checks.expect(gate->call(SYS_getppid) == getppid());
    const int child = start_victim("crowd");
    constexpr long kMost = 3 * api::kFlexscEntriesPerPage;
    for (unsigned round = 0; round < 20; ++round) {
        char told = 0;
        checks.expect(write(go[1], "g", 1) == 1 && read(ready[0], &told, 1) == 1);
        const long before = lseek(kSteps, 0, SEEK_CUR);
        Flexsc::post(gate->entry(0), SYS_lseek, kSteps, 0, SEEK_CUR);
        Flexsc::wait(0, api::kFlexscKick);
        const long during = gate->await(gate->entry(0)) ? Flexsc::take(gate->entry(0)) : -ETIME;
        if (!checks.expect(during >= before && during - before <= kMost))
            break;
    }
    kill(child, SIGKILL);
    checks.expect(killed_by(wait_status(child), {SIGKILL}));
    return checks.result();
}

/// Every call beside a flood is done, and soon.
int beside_flood(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    for (unsigned round = 0; round < 30; ++round) {
        const uint64_t begin = now_ms();
        if (!checks.expect(gate->call(SYS_getppid) == getppid() && now_ms() - begin < 1000))
            break;
    }
    checks.expect(flexsc_reported_number(own_line(), "watchdog") == 0);
    return checks.result();
}

/// F15: what a call is given and what it returns are those of its own round, never of an entry's last one.
int litmus(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    const int file = open("/tmp/litmus", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (!checks.expect(gate.has_value() && file >= 0))
        return 1;
    uint64_t round = 0, wrong = 0;
    for (; round < 1000; ++round) {
        for (unsigned slot = 0; slot < gate->size(); ++slot)
            Flexsc::post(gate->entry(slot), SYS_lseek, file, round * 64 + slot, SEEK_SET);
        for (unsigned slot = 0; slot < gate->size(); ++slot) {
            if (!checks.expect(gate->await(gate->entry(slot))))
                return 1;
            wrong += Flexsc::take(gate->entry(slot)) != static_cast<long>(round * 64 + slot);
        }
    }
    checks.expect(wrong == 0);
    close(file);
    return checks.result();
}

/// A worker without work goes to sleep, and then costs nothing.
int idle(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    for (unsigned round = 0; round < 10; ++round)
        checks.expect(gate->call(SYS_getpid) == getpid());
    const auto rest = [] { usleep(2000); };
    bool sleeps = false;
    for (unsigned round = 0; round < 100 && !sleeps; ++round, rest())
        sleeps = flexsc_reported("worker 0", "state") == "sleeping";
    checks.expect(sleeps);
    const uint64_t polls = flexsc_reported_number("worker 0", "polls"),
                   burnt = flexsc_reported_number("worker 0", "idle_cycles");
    for (unsigned round = 0; round < 10; ++round)
        rest();
    checks.expect(flexsc_reported_number("worker 0", "polls") == polls);
    checks.expect(flexsc_reported_number("worker 0", "idle_cycles") == burnt);
    // It wakes again.
    checks.expect(gate->call(SYS_getpid) == getpid());
    return checks.result();
}

/// What /proc/tollgate/flexsc says of known batches.
int report(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy), 2);
    if (!checks.expect(gate.has_value()))
        return 1;
    constexpr const char* kNames[] = {"own", "ipi", "poll", "adaptive"};
    checks.expect(flexsc_reported(own_line(), "policy") == kNames[policy] &&
                  flexsc_reported_number(own_line(), "pages") == 2);
    checks.expect(flexsc_reported_number(own_line(), "free") == 128);
    const long parent = getppid();
    for (unsigned round = 0; round < 10; ++round)
        checks.expect(gate->batch(
            64, [&](long result) { checks.expect(result == parent); }, SYS_getppid));
    const std::string line = own_line();
    checks.expect(flexsc_reported_number(line, "own_calls") + flexsc_reported_number(line, "worker_calls") == 640);
    if (policy == 0)
        checks.expect(flexsc_reported_number(line, "own_batches") == 10 && flexsc_reported_number(line, "waits") == 10);
    if (policy == static_cast<uint64_t>(FlexscPolicy::WorkerIpi))
        checks.expect(flexsc_reported_number(line, "worker_calls") == 640 && flexsc_reported_number(line, "ipis") != 0);
    checks.expect(flexsc_reported_number(line, "free") == 128 && flexsc_reported_number(line, "watchdog") == 0);
    return checks.result();
}

uint64_t cpu_time_ns() {
    timespec used{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(used.tv_nsec);
}
template <class Action>
uint64_t cpu_time_of(Action&& action) {
    const uint64_t before = cpu_time_ns();
    for (unsigned round = 0; round < 50; ++round)
        action();
    return cpu_time_ns() - before;
}

/// Whether `one` takes the CPU time of `other`, over `divisor`. Under icount the first comparison decides. Elsewhere
/// time is what the host gives, and a comparison that it has disturbed is made again.
template <class One, class Other>
bool takes_at_least(One&& one, Other&& other, uint64_t divisor) {
    for (unsigned attempt = 0; attempt < 5; ++attempt) {
        const uint64_t demanded = cpu_time_of(other) / divisor;
        if (cpu_time_of(one) >= demanded)
            return true;
    }
    return false;
}

/// What other threads do for a page is CPU time of the process that submitted it: the copying of calls that have
/// waited, and all that a worker executes.
int accounting(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(static_cast<FlexscPolicy>(policy));
    int ends[2];
    if (!checks.expect(gate.has_value() && pipe(ends) == 0))
        return 1;
    static char out[32768], in[32768];
    FlexscEntry& entry = gate->entry(0);
    const auto fill = [&] { checks.expect(write(ends[1], out, sizeof out) == long{sizeof out}); };
    const auto native = [&] {
        fill();
        checks.expect(read(ends[0], in, sizeof in) == long{sizeof in});
    };
    const auto waited = [&] {
        Flexsc::post(entry, SYS_read, ends[0], in, sizeof in);
        checks.expect(wait_until([&] {
            Flexsc::wait(0, api::kFlexscKick);
            _mm_pause();
            return __atomic_load_n(&entry.status, __ATOMIC_ACQUIRE) == static_cast<uint8_t>(FlexscStatus::Busy);
        }));
        fill();
        checks.expect(gate->await(entry) && Flexsc::take(entry) == long{sizeof in});
    };
    checks.expect(takes_at_least(waited, native, 1));
    const int file = open("/tmp/accounting", O_RDWR | O_CREAT | O_TRUNC, 0600);
    checks.expect(write(file, out, sizeof out) == long{sizeof out});
    const auto trapped = [&] {
        for (unsigned i = 0; i < 64; ++i)
            checks.expect(pread(file, in, sizeof in, 0) == long{sizeof in});
    };
    const auto batched = [&] {
        checks.expect(gate->batch(
            64, [&](long result) { checks.expect(result == long{sizeof in}); }, SYS_pread64, file, in, sizeof in, 0));
    };
    checks.expect(takes_at_least(batched, trapped, 8)); // 64 crossings are saved, which cost TCG much with pti=on
    return checks.result();
}

/// F14: the worker answers no more; every call is done all the same, and it is said.
int stopped_worker(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    for (unsigned round = 0; round < 4; ++round) {
        unsigned right = 0;
        checks.expect(gate->batch(
            64, [&](long result) { right += result == getpid() ? 1 : 0; }, SYS_getpid));
        checks.expect(right == 64);
    }
    checks.expect(flexsc_reported_number(own_line(), "watchdog") != 0);
    return checks.result();
}

constexpr Victim kVictims[] = {{"flood", flood},
                               {"beside-flood", beside_flood},
                               {"crowd", crowd},
                               {"beside-crowd", beside_crowd},
                               {"litmus", litmus},
                               {"idle", idle},
                               {"report", report},
                               {"accounting", accounting},
                               {"stopped-worker", stopped_worker}};

constexpr Policies kAsked{FlexscPolicy::WorkerIpi, FlexscPolicy::WorkerPoll};

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims, kFlexscHelpers});
    if (stops()) {
        Ktap ktap(2);
        test_case(ktap, "stopped-worker", "F14 a worker stops: the calls run on their own core", kAsked);
        return ktap.finish();
    }
    Ktap ktap(4 + 4 + 4 + 2 + 3 + 3);
    test_case(ktap, "report", "/proc/tollgate/flexsc tells what was done");
    test_case(ktap, "accounting", "CPU time of what others execute is the submitter's");
    test_case(ktap, "litmus", "F15 arguments before Submitted, results before Done");
    test_case(ktap, "idle", "F17 a worker without work sleeps", kAsked);
    test_case(ktap, "beside-crowd", "F12 eight full pages of another process keep a call waiting for three at most",
              {FlexscPolicy::WorkerIpi, FlexscPolicy::WorkerPoll, FlexscPolicy::Adaptive});
    const int flooder = has_worker() ? start_victim("flood") : -1;
    test_case(ktap, "beside-flood", "F12 beside a process that posts without end",
              {FlexscPolicy::WorkerIpi, FlexscPolicy::WorkerPoll, FlexscPolicy::Adaptive});
    if (flooder > 0) {
        kill(flooder, SIGKILL);
        wait_status(flooder);
    }
    return ktap.finish();
}
