// The policy Adaptive as arithmetic: what it chooses after given costs, and that batches of one size, chosen for
// another, leave it unharmed.
#include "gate/flexsc/adaptive.h"

#include "tests/harness/test.h"

namespace tollgate::flexsc {
namespace {

/// So many batches of `entries`, each side at its cost by call; how many ran on the worker's.
unsigned run(Adaptive& adaptive, unsigned batches, u64 entries, u64 own, u64 worker) {
    unsigned by_worker = 0;
    for (unsigned i = 0; i < batches; ++i) {
        if (adaptive.settled(entries))
            continue; // on the own core
        const Side side = adaptive.choose(entries);
        by_worker += side == Side::Worker;
        adaptive.note(side, entries, (side == Side::Own ? own : worker) * entries);
    }
    return by_worker;
}

TEST(FlexscAdaptive, TakesTheCheaperSide) {
    Adaptive cheap_worker, cheap_own;
    run(cheap_worker, 100, 8, 300, 100);
    EXPECT_TRUE(run(cheap_worker, 1000, 8, 300, 100) >= 950);
    run(cheap_own, 100, 8, 100, 300);
    EXPECT_TRUE(run(cheap_own, 1000, 8, 100, 300) <= 50);
}

TEST(FlexscAdaptive, ChangesItsMind) {
    Adaptive adaptive;
    run(adaptive, 500, 64, 100, 200);
    EXPECT_TRUE(run(adaptive, 2000, 64, 400, 200) >= 1500);
}

TEST(FlexscAdaptive, SizesAreJudgedApart) {
    Adaptive adaptive;
    run(adaptive, 200, 1, 100, 1000);
    run(adaptive, 200, 512, 1000, 100);
    EXPECT_TRUE(run(adaptive, 100, 1, 100, 1000) <= 10);
    EXPECT_TRUE(run(adaptive, 100, 512, 1000, 100) >= 90);
}

/// A batch is chosen by the size of the last one, and noted by its own: a trial of a size may be noted before its best
/// side is known.
TEST(FlexscAdaptive, NotedForASizeThatWasNeverChosen) {
    Adaptive adaptive;
    for (unsigned i = 0; i < 20; ++i)
        adaptive.note(Side::Worker, 512, 1000);
    EXPECT_TRUE(run(adaptive, 200, 512, 100, 1000) <= 20);
}

} // namespace
} // namespace tollgate::flexsc
