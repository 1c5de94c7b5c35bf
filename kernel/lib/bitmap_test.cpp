// Tests of the bitmap, mostly at its word boundaries and at its end.
#include "lib/bitmap.h"

#include "tests/harness/test.h"

namespace tollgate {
namespace {

TEST(Bitmap, FindsAcrossWordsAndStopsAtTheEnd) {
    u64 words[3] = {};
    Bitmap map(words, 130);
    EXPECT_EQ(map.find_first_clear(), 0u);
    EXPECT_FALSE(map.find_first_set().has_value());
    map.set_range(0, 129);
    EXPECT_EQ(map.find_first_clear(), 129u);
    EXPECT_EQ(map.count_set(), 129u);
    map.set(129);
    EXPECT_FALSE(map.find_first_clear().has_value());
    EXPECT_EQ(words[2], 3u);
    map.clear(64);
    EXPECT_EQ(map.find_first_clear(), 64u);
    EXPECT_FALSE(map.find_first_clear(65).has_value());
    EXPECT_EQ(map.find_first_set(64), 65u);
    EXPECT_FALSE(map.find_first_clear(130).has_value());
    EXPECT_TRUE(map.test(63) && !map.test(64));
}

TEST(Bitmap, BitsBeyondTheSizeDoNotExist) {
    u64 words[1] = {~u64{0} << 10};
    Bitmap map(words, 10);
    EXPECT_FALSE(map.find_first_set().has_value());
    EXPECT_EQ(map.count_set(), 0u);
    map.set_range(0, 10);
    EXPECT_FALSE(map.find_first_clear().has_value());
    Bitmap none;
    EXPECT_FALSE(none.find_first_clear().has_value());
    EXPECT_EQ(none.count_set(), 0u);
}

TEST(Bitmap, Ranges) {
    u64 words[4] = {};
    Bitmap map(words, 256);
    map.set_range(60, 72);
    EXPECT_EQ(map.count_set(), 72u);
    EXPECT_TRUE(map.test(60) && map.test(131) && !map.test(59) && !map.test(132));
    map.clear_range(64, 64);
    EXPECT_EQ(map.count_set(), 8u);
    map.clear_range(0, 0);
    EXPECT_EQ(map.count_set(), 8u);
}

TEST(Bitmap, RunsOfClearBits) {
    u64 words[4] = {};
    Bitmap map(words, 200);
    map.set(3);
    map.set(70);
    EXPECT_EQ(map.find_clear_run(3), 0u);
    EXPECT_EQ(map.find_clear_run(4), 4u);
    EXPECT_EQ(map.find_clear_run(66), 4u);
    EXPECT_EQ(map.find_clear_run(67), 71u);
    EXPECT_EQ(map.find_clear_run(129), 71u);
    EXPECT_FALSE(map.find_clear_run(130).has_value());
    EXPECT_EQ(map.find_clear_run(16, 0, 16), 16u);
    EXPECT_EQ(map.find_clear_run(64, 0, 64), 128u);
    EXPECT_EQ(map.find_clear_run(2, 69), 71u);
    EXPECT_FALSE(map.find_clear_run(1, 200).has_value());
}

#ifndef TOLLGATE_KERNEL
TEST(BitmapDeathTest, OutOfRangeIsAnAssertion) {
    u64 words[1] = {};
    Bitmap map(words, 10);
    EXPECT_DEATH(map.set(10), "bit < bits_");
    EXPECT_DEATH(map.set_range(5, 6), "range_fits");
}
#endif

} // namespace
} // namespace tollgate
