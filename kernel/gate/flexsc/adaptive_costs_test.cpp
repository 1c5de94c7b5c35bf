// The policy Adaptive against costs that are made up: whatever the two sides cost, and however that changes, it takes
// at most a tenth more than the better of them.
#include "gate/flexsc/adaptive.h"

#include "tests/harness/test.h"

#include <initializer_list>

namespace tollgate::flexsc {
namespace {

/// Ticks of a batch on a side, before noise.
struct Costs {
    u64 fixed[2], each[2];
    u64 of(Side side, u64 entries) const {
        const auto at = static_cast<unsigned>(side);
        return fixed[at] + each[at] * entries;
    }
};

struct Noise {
    u64 state = 42;
    u64 next() { return (state = state * 6364136223846793005 + 1442695040888963407) >> 33; }
    /// One batch in `rarely` is interrupted for `long_ticks`; all vary by an eighth.
    u64 on(u64 ticks, u64 rarely, u64 long_ticks) {
        const u64 varied = ticks - ticks / 16 + next() % (ticks / 8 + 1);
        return rarely != 0 && next() % rarely == 0 ? varied + long_ticks : varied;
    }
};

struct Totals {
    u64 adaptive = 0, better = 0;
    bool good() const { return adaptive <= better + better / 10; }
};

/// Feeds `batches` batches of `entries`. A worker that has not been used for a batch sleeps: its next one comes late.
void feed(Adaptive& policy, Totals& totals, const Costs& costs, u64 entries, unsigned batches, u64 rarely = 0) {
    constexpr u64 kWake = 2000;
    Noise noise;
    Side last = Side::Own;
    u64 fixed[2] = {};
    for (unsigned i = 0; i < batches; ++i) {
        const bool settled = policy.settled(entries);
        const Side side = settled ? Side::Own : policy.choose(entries);
        const u64 own = noise.on(costs.of(Side::Own, entries), rarely, 100'000);
        const u64 worker = noise.on(costs.of(Side::Worker, entries), rarely, 100'000);
        u64 ticks = side == Side::Own ? own : worker;
        if (side == Side::Worker && last == Side::Own)
            ticks += kWake;
        last = side;
        if (!settled)
            policy.note(side, entries, ticks);
        totals.adaptive += ticks;
        fixed[0] += own;
        fixed[1] += worker;
    }
    totals.better += fixed[0] < fixed[1] ? fixed[0] : fixed[1];
}

constexpr Costs kOwnWins{{700, 1400}, {50, 70}}, kWorkerWins{{700, 500}, {900, 300}}, kEqual{{700, 700}, {50, 50}},
    kOwnWinsByFar{{700, 50'000}, {50, 60}}, kCrossing{{700, 3000}, {400, 100}};
constexpr u64 kSizes[] = {1, 3, 8, 64, 500};

TEST(Adaptive, SteadyCosts) {
    for (const Costs& costs : {kOwnWins, kWorkerWins, kEqual, kOwnWinsByFar, kCrossing})
        for (const u64 entries : kSizes) {
            Adaptive policy;
            Totals totals;
            feed(policy, totals, costs, entries, 10'000);
            EXPECT_TRUE(totals.good());
        }
}

TEST(Adaptive, BatchesThatAreInterrupted) {
    for (const Costs& costs : {kOwnWins, kWorkerWins, kCrossing})
        for (const u64 entries : kSizes) {
            Adaptive policy;
            Totals totals;
            feed(policy, totals, costs, entries, 20'000, 200);
            EXPECT_TRUE(totals.good());
        }
}

TEST(Adaptive, CostsThatChange) {
    for (const u64 entries : kSizes) {
        Adaptive policy;
        Totals totals;
        for (const Costs& costs : {kOwnWins, kWorkerWins, kOwnWins, kCrossing, kWorkerWins})
            feed(policy, totals, costs, entries, 10'000);
        EXPECT_TRUE(totals.good());
    }
}

// Small batches on the own core, large ones on the worker.
TEST(Adaptive, EachSizeForItself) {
    Adaptive policy;
    Totals totals;
    for (unsigned round = 0; round < 200; ++round) {
        feed(policy, totals, kCrossing, 2, 50);
        feed(policy, totals, kCrossing, 100, 50);
    }
    EXPECT_TRUE(totals.good());
}

} // namespace
} // namespace tollgate::flexsc
