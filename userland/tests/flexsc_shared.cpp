// A worker core that ordinary threads may use while no page is busy: they do, and a call does not wait for them. Needs
// `-smp 2 flexsc.workers=1 flexsc.shared=on`: two cores, the second one the worker's.
#include <csignal>
#include <ctime>
#include <sys/mman.h>
#include <unistd.h>

#include "userland/lib/ktap.h"
#include "userland/tests/flexsc_pages.h"
#include "userland/tests/support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;

struct Shared {
    volatile unsigned cpu;    ///< where the spinner runs
    volatile uint64_t rounds; ///< how often it has looked
};
Shared* shared = nullptr;

/// Never sleeps. PAUSE lets the other CPU run under an emulator that runs one at a time.
[[noreturn]] void spin() {
    for (;; _mm_pause()) {
        unsigned cpu = 0;
        Native::call(SYS_getcpu, &cpu, nullptr, nullptr);
        shared->cpu = cpu;
        shared->rounds = shared->rounds + 1;
    }
}

uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

/// Until the spinner has been seen on the worker's core, and goes on there.
bool spins_beside_us() {
    const uint64_t before = shared->rounds, end = now_ns() + 1'000'000'000;
    while (now_ns() < end) {
        _mm_pause();
        if (shared->cpu == 1 && shared->rounds > before + 10)
            return true;
    }
    return false;
}

/// The longest of some calls, each posted while an ordinary thread runs on the worker's core.
uint64_t longest_call(Ktap& ktap, const Flexsc& gate) {
    uint64_t longest = 0;
    for (unsigned round = 0; round < 50; ++round) {
        ktap.check(spins_beside_us(), "no ordinary thread runs on the worker's core in round %u", round);
        const uint64_t begin = now_ns();
        Flexsc::post(gate.entry(0), SYS_getppid);
        Flexsc::wait(0, api::kFlexscKick);
        while (!Flexsc::is_done(gate.entry(0)))
            _mm_pause();
        const uint64_t length = now_ns() - begin;
        ktap.check(Flexsc::take(gate.entry(0)) == getppid(), "a wrong result");
        longest = length > longest ? length : longest;
    }
    return longest;
}

} // namespace

int main() {
    Ktap ktap(2);
    shared = static_cast<Shared*>(mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    const int child = fork();
    if (child == 0)
        spin();
    ktap.check(spins_beside_us(), "it runs on core %u", shared->cpu);
    ktap.test("an ordinary thread runs on a worker core that has nothing to do");
    const auto gate = Flexsc::open(api::FlexscPolicy::WorkerIpi);
    ktap.check(gate.has_value(), "flexsc_register");
    if (gate) {
        constexpr uint64_t kMost = 1'000'000; // a tenth of a slice
        const uint64_t longest = longest_call(ktap, *gate);
        ktap.note("the longest call took %llu us", static_cast<unsigned long long>(longest / 1000));
        ktap.check(longest < kMost, "a call took %llu ns", static_cast<unsigned long long>(longest));
    }
    ktap.test("a call is executed before an ordinary thread's slice is over");
    kill(child, SIGKILL);
    wait_status(child);
    return ktap.finish();
}
