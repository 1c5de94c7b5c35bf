// What a worker that polls burns: cycles without work, by call, as /proc/tollgate/flexsc counts them, while its owner
// makes calls one after the other, makes them with pauses, and makes none. Wants a worker core (-smp 2
// flexsc.workers=1).  poller [CALLS], or poller idle SECONDS: nothing but one call and sleep
// (tests/system/idle_guest.py)
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

#include "userland/bench/flexsc_batch.h"
#include "userland/lib/flexsc_report.h"
#include "userland/lib/gate_native.h"
#include "userland/lib/machine.h"
#include "userland/lib/ticks.h"

namespace {

using namespace tollgate;
using namespace tollgate::bench;

constexpr const char* kWorker = "worker 0";

struct Account {
    std::uint64_t burnt = flexsc_reported_number(kWorker, "idle_cycles"),
                  polls = flexsc_reported_number(kWorker, "polls"), sleeps = flexsc_reported_number(kWorker, "sleeps");
};

/// The worker adds up what it has burnt when it finds work or falls asleep: until it sleeps.
bool settle() {
    for (unsigned i = 0; i < 1000; ++i) {
        if (flexsc_reported(kWorker, "state") == "sleeping")
            return true;
        usleep(1000);
    }
    return false;
}

bool row(FlexscContext& context, const char* name, unsigned calls, unsigned batch, unsigned pause_us) {
    const long parent = Native::call(SYS_getppid);
    long handles[kMostCalls];
    bool good = settle();
    const Account before;
    const auto begin = ticks_begin();
    for (unsigned made = 0; made < calls; made += batch) {
        post_batch(context, handles, batch, SYS_getppid);
        good = reap_batch(context, handles, batch, [&](long result) { good = result == parent && good; }) && good;
        if (pause_us != 0)
            usleep(pause_us);
    }
    if (calls == 0)
        usleep(pause_us);
    const auto length = ticks_end() - begin;
    good = settle() && good;
    const Account after;
    const auto burnt = static_cast<double>(after.burnt - before.burnt);
    std::printf("%-34s %8u %14.0f ", name, calls, burnt);
    if (calls != 0)
        std::printf("%12.0f ", burnt / calls);
    else
        std::printf("%12s ", "-");
    std::printf("%10.1f %10llu %8llu\n", 100.0 * burnt / static_cast<double>(length),
                static_cast<unsigned long long>(after.polls - before.polls),
                static_cast<unsigned long long>(after.sleeps - before.sleeps));
    return good;
}

} // namespace

int main(int argc, char** argv) {
    const bool idles = argc > 2 && std::strcmp(argv[1], "idle") == 0;
    const unsigned calls = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 6400;
    const Machine machine = Machine::read();
    FlexscContext context;
    if (const int failed = flexsc_open(&context, FLEXSC_WORKER_POLL, 1); failed != 0) {
        std::printf("poller: not available: %s (-smp 2 flexsc.workers=1 make a worker core)\n", std::strerror(-failed));
        return failed == -ENODEV || failed == -ENOSYS ? 0 : 1;
    }
    if (idles) {
        const bool good = flexsc_await(&context, flexsc_post(&context, SYS_getppid)) == Native::call(SYS_getppid);
        sleep(static_cast<unsigned>(std::atoi(argv[2])));
        return good ? 0 : 1;
    }
    const std::string accel = machine.get("accel", "?");
    std::printf("poller: accel=%s pti=%s, a worker that polls for flexsc.spin_us; %s\n", accel.c_str(),
                machine.get("pti", "?").c_str(),
                accel == "icount" ? "a cycle is an instruction of any CPU"
                : accel == "kvm"  ? "TSC cycles"
                                  : "TSC ticks of an emulator, not what hardware burns");
    std::printf("%-34s %8s %14s %12s %10s %10s %8s\n", "the owner", "calls", "cycles burnt", "a call", "% of time",
                "polls", "sleeps");
    bool good = row(context, "one call after the other", calls, 1, 0);
    good = row(context, "batches of 64", calls, 64, 0) && good;
    good = row(context, "a call every 20 us", calls / 64, 1, 20) && good;
    good = row(context, "a call every 200 us", calls / 64, 1, 200) && good;
    good = row(context, "a call every 2 ms", calls / 64, 1, 2000) && good;
    good = row(context, "none for 100 ms", 0, 1, 100'000) && good;
    std::printf("poller: %s\n", good ? "ok" : "FAILED");
    return good ? 0 : 1;
}
