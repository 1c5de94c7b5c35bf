// Alarms, one at a time: the queue is run by hand, with interrupts off, so that nothing else does.
#ifdef TOLLGATE_KERNEL
#include "sched/timer.h"

#include "cpu/clock.h"
#include "cpu/interrupts.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

/// Arms itself again for a time that is past, but not for ever: a kernel without the guard has to end too.
struct Eager : Timer {
    static constexpr u32 kMost = 1000;
    Eager() : Timer(fire) {}
    static void fire(Timer& timer) {
        if (++static_cast<Eager&>(timer).turns < kMost)
            timer.arm(0);
    }
    u32 turns = 0;
};

TEST(Timer, OneTurnARound) {
    Eager eager;
    InterruptGuard interrupts;
    eager.arm(0);
    for (u32 round = 1; round <= 3; ++round) {
        timers::run();
        EXPECT_EQ(eager.turns, round);
    }
    (void)eager.cancel();
}

TEST(Timer, DeadlinesDoNotWrap) {
    EXPECT_EQ(deadline_after(kNoDeadline), kNoDeadline);
    EXPECT_EQ(deadline_after(kNoDeadline - 1), kNoDeadline);
    EXPECT_TRUE(deadline_after(0) <= clock_monotonic_ns());
}

} // namespace
} // namespace tollgate
#endif
