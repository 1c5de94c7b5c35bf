// What a call costs by each policy, batch by batch, and that `adaptive` costs at most a tenth more than the better of
// the two sides between which it chooses. Needs a worker core and a time stamp counter that counts: `-smp 2
// flexsc.workers=1` under icount, where a figure is the instructions of both CPUs.
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

#include "userland/lib/ktap.h"
#include "userland/tests/flexsc_pages.h"
#include "userland/tests/support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;

constexpr unsigned kBatches[] = {1, 8, 64};
constexpr const char* kPolicies[] = {"own", "ipi", "poll", "adaptive"};
constexpr const char* kOperations[] = {"getppid", "pread 4 KiB"};
struct Costs {
    uint64_t ticks[2][std::size(kBatches)]; ///< a call, by operation and batch
};

/// Measures one policy and writes what it finds into a file.
int measure(uint64_t policy) {
    const auto gate = Flexsc::open(static_cast<api::FlexscPolicy>(policy));
    const int file = open("/tmp/policies", O_RDWR | O_CREAT | O_TRUNC, 0600);
    static char page[kPage];
    if (!gate || write(file, page, sizeof page) != long{sizeof page})
        return 1;
    Costs costs{};
    bool good = true;
    const auto batch = [&](unsigned operation, unsigned count) {
        gate->post_batch(count, operation == 0 ? SYS_getppid : SYS_pread64, file, page, sizeof page, 0);
        Flexsc::wait();
        good = gate->reap_batch(count, [&](long result) { good = good && result >= 0; }) && good;
    };
    for (unsigned operation = 0; operation < std::size(kOperations); ++operation)
        for (unsigned size = 0; size < std::size(kBatches); ++size) {
            constexpr unsigned kRounds = 2000;
            for (unsigned round = 0; round < kRounds / 10; ++round) // so that adaptive knows both sides
                batch(operation, kBatches[size]);
            const uint64_t begin = __builtin_ia32_rdtsc();
            for (unsigned round = 0; round < kRounds; ++round)
                batch(operation, kBatches[size]);
            costs.ticks[operation][size] = (__builtin_ia32_rdtsc() - begin) / kRounds / kBatches[size];
        }
    close(file);
    char name[32];
    std::snprintf(name, sizeof name, "/tmp/policy-%u", static_cast<unsigned>(policy));
    const int told = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    return good && write(told, &costs, sizeof costs) == long{sizeof costs} ? 0 : 1;
}

constexpr Victim kVictims[] = {{"measure", measure}};

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims});
    Ktap ktap(1);
    Costs costs[std::size(kPolicies)]{};
    for (unsigned policy = 0; policy < std::size(kPolicies); ++policy) {
        ktap.check(exited_with(run_victim("measure", policy), 0), "%s", kPolicies[policy]);
        char name[32];
        std::snprintf(name, sizeof name, "/tmp/policy-%u", policy);
        const int told = open(name, O_RDONLY);
        ktap.check(read(told, &costs[policy], sizeof costs[policy]) == long{sizeof costs[policy]}, "%s", name);
        close(told);
    }
    ktap.note("ticks a call%*s own       ipi      poll  adaptive", 14, "");
    for (unsigned operation = 0; operation < std::size(kOperations); ++operation)
        for (unsigned size = 0; size < std::size(kBatches); ++size) {
            const auto of = [&](unsigned policy) { return costs[policy].ticks[operation][size]; };
            const auto number = [&](unsigned policy) { return static_cast<unsigned long long>(of(policy)); };
            ktap.note("%-12s N = %-3u  %8llu  %8llu  %8llu  %8llu", kOperations[operation], kBatches[size], number(0),
                      number(1), number(2), number(3));
            const uint64_t better = of(0) < of(2) ? of(0) : of(2);
            ktap.check(of(3) <= better + better / 10, "%s, N = %u", kOperations[operation], kBatches[size]);
        }
    ktap.test("adaptive costs at most a tenth more than the better of own and poll");
    return ktap.finish();
}
