// Tests of the ring buffers; the two-sided one with two threads on the host.
#include "lib/ring.h"

#include "tests/harness/test.h"

#ifndef TOLLGATE_KERNEL
#include <thread>
#endif

namespace tollgate {
namespace {

TEST(Ring, FillsDrainsAndWraps) {
    Ring<int, 4> ring;
    EXPECT_FALSE(ring.pop().has_value());
    for (int round = 0; round < 10; ++round) {
        for (int i = 0; i < 4; ++i)
            EXPECT_TRUE(ring.push(round * 10 + i));
        EXPECT_TRUE(ring.full());
        EXPECT_FALSE(ring.push(99));
        EXPECT_EQ(ring[3], round * 10 + 3);
        for (int i = 0; i < 4; ++i)
            EXPECT_EQ(ring.pop(), round * 10 + i);
        EXPECT_TRUE(ring.empty());
    }
}

TEST(Ring, OverwritingDropsTheOldest) {
    Ring<int, 4> ring;
    for (int i = 0; i < 6; ++i)
        ring.push_overwriting(i);
    EXPECT_EQ(ring.size(), 4u);
    EXPECT_EQ(ring.pop(), 2);
    ring.clear();
    EXPECT_TRUE(ring.empty());
}

TEST(SpscRing, FillsDrainsAndWraps) {
    SpscRing<int, 2> ring;
    for (int round = 0; round < 5; ++round) {
        EXPECT_TRUE(ring.push(1) && ring.push(2) && !ring.push(3));
        EXPECT_EQ(ring.pop(), 1);
        EXPECT_EQ(ring.pop(), 2);
        EXPECT_FALSE(ring.pop().has_value());
        EXPECT_TRUE(ring.empty());
    }
}

#ifndef TOLLGATE_KERNEL
TEST(SpscRing, TwoThreads) {
    constexpr u64 kCount = 100000;
    static SpscRing<u64, 64> ring;
    std::thread producer([] {
        for (u64 i = 0; i < kCount; ++i)
            while (!ring.push(i))
                std::this_thread::yield();
    });
    bool in_order = true;
    for (u64 expected = 0; expected < kCount;)
        if (const auto value = ring.pop())
            in_order = in_order && *value == expected++;
        else
            std::this_thread::yield();
    producer.join();
    EXPECT_TRUE(in_order);
}
#endif

} // namespace
} // namespace tollgate
