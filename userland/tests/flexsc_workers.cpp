// Workers of syscall pages: one that is flooded, one that stops, one that has nothing to do, and what they see of what
// the owner writes [threats F12, F14, F15, F17]. Needs `-smp 2 flexsc.workers=1`. With mutant=flexsc_stop the workers
// stop after their first calls, and the test of F14 is made.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include "userland/lib/gate_flexsc.h"
#include "userland/lib/ktap.h"
#include "userland/tests/support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;
using api::FlexscPolicy;

std::string text_of(const char* path) {
    std::string text;
    if (std::FILE* const file = std::fopen(path, "r")) {
        char part[4096];
        while (const std::size_t got = std::fread(part, 1, sizeof part, file))
            text.append(part, got);
        std::fclose(file);
    }
    return text;
}

/// The word or number after `key` in the first line of /proc/tollgate/flexsc that begins with `line`.
std::string reported(const std::string& line, const char* key) {
    const std::string text = "\n" + text_of("/proc/tollgate/flexsc");
    const std::size_t begin = text.find("\n" + line + " ");
    if (begin == std::string::npos)
        return "no such line";
    const std::string found = text.substr(begin + 1, text.find('\n', begin + 1) - begin - 1);
    const std::size_t at = found.find(std::string(" ") + key + " ");
    if (at == std::string::npos)
        return "no such key";
    const std::size_t value = at + std::strlen(key) + 2;
    return found.substr(value, found.find(' ', value) - value);
}
uint64_t reported_number(const std::string& line, const char* key) {
    return std::strtoull(reported(line, key).c_str(), nullptr, 10);
}
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

/// Every call beside a flood is done, and soon.
int beside_flood(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(static_cast<FlexscPolicy>(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    for (unsigned round = 0; round < 30; ++round) {
        const uint64_t begin = now_ms();
        checks.expect(gate->call(SYS_getppid) == getppid());
        checks.expect(now_ms() - begin < 1000);
    }
    checks.expect(reported_number(own_line(), "watchdog") == 0);
    return checks.result();
}

/// F15: what a call is given and what it returns are those of its own round, never of an entry's last one.
int litmus(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(static_cast<FlexscPolicy>(policy));
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
    const auto gate = Flexsc::open(static_cast<FlexscPolicy>(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    for (unsigned round = 0; round < 10; ++round)
        checks.expect(gate->call(SYS_getpid) == getpid());
    const auto rest = [] { usleep(2000); };
    bool sleeps = false;
    for (unsigned round = 0; round < 100 && !sleeps; ++round, rest())
        sleeps = reported("worker 0", "state") == "sleeping";
    checks.expect(sleeps);
    const uint64_t polls = reported_number("worker 0", "polls"), burnt = reported_number("worker 0", "idle_cycles");
    for (unsigned round = 0; round < 10; ++round)
        rest();
    checks.expect(reported_number("worker 0", "polls") == polls);
    checks.expect(reported_number("worker 0", "idle_cycles") == burnt);
    // It wakes again.
    checks.expect(gate->call(SYS_getpid) == getpid());
    return checks.result();
}

/// What /proc/tollgate/flexsc says of known batches.
int report(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(static_cast<FlexscPolicy>(policy), 2);
    if (!checks.expect(gate.has_value()))
        return 1;
    constexpr const char* kNames[] = {"own", "ipi", "poll", "adaptive"};
    checks.expect(reported(own_line(), "policy") == kNames[policy] && reported_number(own_line(), "pages") == 2);
    checks.expect(reported_number(own_line(), "free") == 128);
    const long parent = getppid();
    for (unsigned round = 0; round < 10; ++round)
        checks.expect(gate->batch(
            64, [&](long result) { checks.expect(result == parent); }, SYS_getppid));
    const std::string line = own_line();
    checks.expect(reported_number(line, "own_calls") + reported_number(line, "worker_calls") == 640);
    if (policy == 0)
        checks.expect(reported_number(line, "own_batches") == 10 && reported_number(line, "waits") == 10);
    if (policy == static_cast<uint64_t>(FlexscPolicy::WorkerIpi))
        checks.expect(reported_number(line, "worker_calls") == 640 && reported_number(line, "ipis") != 0);
    checks.expect(reported_number(line, "free") == 128 && reported_number(line, "watchdog") == 0);
    return checks.result();
}

/// F14: the worker answers no more; every call is done all the same, and it is said.
int stopped_worker(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(static_cast<FlexscPolicy>(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    for (unsigned round = 0; round < 4; ++round) {
        unsigned right = 0;
        checks.expect(gate->batch(
            64, [&](long result) { right += result == getpid() ? 1 : 0; }, SYS_getpid));
        checks.expect(right == 64);
    }
    checks.expect(reported_number(own_line(), "watchdog") != 0);
    return checks.result();
}

bool has_worker = false;
int probe_for_worker(uint64_t) { return Flexsc::open(FlexscPolicy::WorkerPoll).has_value() ? 1 : 2; }

constexpr Victim kVictims[] = {{"flood", flood},
                               {"beside-flood", beside_flood},
                               {"litmus", litmus},
                               {"idle", idle},
                               {"report", report},
                               {"stopped-worker", stopped_worker},
                               {"probe-for-worker", probe_for_worker}};

constexpr const char* kPolicies[] = {"own core", "worker by IPI", "worker that polls", "adaptive"};

void test_case(Ktap& ktap, const char* victim, const char* name, uint64_t first, uint64_t last) {
    for (uint64_t policy = first; policy <= last; ++policy) {
        char line[128];
        std::snprintf(line, sizeof line, "%s, %s", name, kPolicies[policy]);
        if (policy != 0 && !has_worker) {
            ktap.skip(line, "there is no worker core");
            continue;
        }
        const int status = run_victim(victim, policy);
        ktap.check(exited_with(status, 0), "%s", describe(status));
        ktap.test(line);
    }
}

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims});
    has_worker = exited_with(run_victim("probe-for-worker"), 1);
    if (stops()) {
        Ktap ktap(2);
        test_case(ktap, "stopped-worker", "F14 a worker stops: the calls run on their own core", 1, 2);
        return ktap.finish();
    }
    Ktap ktap(4 + 4 + 2 + 3);
    test_case(ktap, "report", "/proc/tollgate/flexsc tells what was done", 0, 3);
    test_case(ktap, "litmus", "F15 arguments before Submitted, results before Done", 0, 3);
    test_case(ktap, "idle", "F17 a worker without work sleeps", 1, 2);
    const int flooder = has_worker ? start_victim("flood") : -1;
    test_case(ktap, "beside-flood", "F12 beside a process that posts without end", 1, 3);
    if (flooder > 0) {
        kill(flooder, SIGKILL);
        wait_status(flooder);
    }
    return ktap.finish();
}
