#include "mem/frame_pool.h"

#include "tests/harness/test.h"

namespace tollgate {
namespace {

constexpr u32 kCount = 700;

/// A pool of frames 3 .. kCount - 1, over records that nothing else uses.
struct SmallPool {
    SmallPool() {
        for (FrameRecord& record : records) {
            record.next = record.previous = 0;
            record.order = record.state = 0;
        }
        pool.use(records, kCount);
        pool.add(3, kCount);
    }
    static inline FrameRecord records[kCount] = {};
    FramePool pool;
};

TEST(FramePool, HandsOutEachFrameOnce) {
    SmallPool small;
    EXPECT_EQ(small.pool.free_count(), u64{kCount - 3});
    static bool seen[kCount];
    for (bool& each : seen)
        each = false;
    unsigned wrong = 0;
    for (u32 i = 3; i < kCount; ++i) {
        const u32 n = small.pool.take(0);
        wrong += n < 3 || n >= kCount || seen[n];
        if (n < kCount)
            seen[n] = true;
    }
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(small.pool.take(0), FramePool::kNone);
    EXPECT_EQ(small.pool.free_count(), 0u);
    for (u32 i = 3; i < kCount; ++i)
        small.pool.give(i * 3 % (kCount - 3) + 3, 0); // 3 does not divide 697
    EXPECT_EQ(small.pool.free_count(), u64{kCount - 3});
    EXPECT_EQ(small.pool.take(8), 256u); // all has become whole again
}

TEST(FramePool, RunsGiveBackTheirRest) {
    SmallPool small;
    const u32 run = small.pool.take_run(9);
    ASSERT_NE(run, FramePool::kNone);
    EXPECT_EQ(run % 16, 0u);
    EXPECT_EQ(small.pool.free_count(), u64{kCount - 3 - 9});
    small.pool.give_run(run, 9);
    EXPECT_EQ(small.pool.free_count(), u64{kCount - 3});
    EXPECT_EQ(small.pool.take(8), 256u);
}

TEST(FramePool, LooseFramesBecomeWholeAgain) {
    SmallPool small;
    for (u32 i = 3; i < kCount; ++i)
        ASSERT_NE(small.pool.take(0), FramePool::kNone);
    for (u32 i = 3; i < kCount; ++i)
        small.pool.give_loose(i * 3 % (kCount - 3) + 3);
    EXPECT_EQ(small.pool.free_count(), u64{kCount - 3});
    EXPECT_EQ(small.pool.take(8), 256u);
    EXPECT_EQ(small.pool.free_count(), u64{kCount - 3 - 256});
    small.pool.give(256, 8);
    for (u32 i = 3; i < kCount; ++i)
        ASSERT_NE(small.pool.take(0), FramePool::kNone);
    EXPECT_EQ(small.pool.take(0), FramePool::kNone);
}

TEST(FramePool, TooMuchIsRefused) {
    SmallPool small;
    EXPECT_EQ(small.pool.take_run(513), FramePool::kNone);
    EXPECT_EQ(small.pool.take_run(0), FramePool::kNone);
    EXPECT_EQ(small.pool.take_run(1u << 30), FramePool::kNone);
    EXPECT_EQ(small.pool.free_count(), u64{kCount - 3});
}

} // namespace
} // namespace tollgate
