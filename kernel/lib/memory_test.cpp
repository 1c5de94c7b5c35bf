// Tests of the byte loops, at all small sizes and offsets: the errors of such code live at the edges of its 8- and
// 32-byte steps.
#include "lib/memory.h"

#include "tests/harness/test.h"

namespace tollgate {
namespace {

constexpr size_t kSize = 160;

u8 pattern(size_t index) { return static_cast<u8>(index * 7 + 3); }

void fill_pattern(u8 (&bytes)[kSize]) {
    for (size_t i = 0; i < kSize; ++i)
        bytes[i] = pattern(i);
}

TEST(Memory, MoveAtEverySizeAndDistance) {
    bool right = true;
    for (size_t from = 0; from < 48; ++from)
        for (size_t to = 0; to < 48; ++to)
            for (size_t size = 0; size < 100; ++size) {
                u8 bytes[kSize];
                fill_pattern(bytes);
                move_bytes(bytes + to, bytes + from, size);
                for (size_t i = 0; i < kSize; ++i)
                    right = right && bytes[i] == (i >= to && i < to + size ? pattern(i - to + from) : pattern(i));
            }
    EXPECT_TRUE(right);
}

TEST(Memory, CopyAndFillAtEverySize) {
    bool right = true;
    for (size_t start = 0; start < 16; ++start)
        for (size_t size = 0; size < 130; ++size) {
            u8 source[kSize];
            u8 target[kSize];
            fill_pattern(source);
            fill_bytes(target, 0xee, kSize);
            copy_bytes(target + start, source + 5, size);
            for (size_t i = 0; i < kSize; ++i)
                right = right && target[i] == (i >= start && i < start + size ? pattern(i - start + 5) : 0xee);
            fill_bytes(source + start, 0x11, size);
            for (size_t i = 0; i < kSize; ++i)
                right = right && source[i] == (i >= start && i < start + size ? 0x11 : pattern(i));
        }
    EXPECT_TRUE(right);
}

TEST(Memory, CompareFindsEveryDifference) {
    bool right = true;
    for (size_t size = 1; size < 40; ++size)
        for (size_t at = 0; at < size; ++at) {
            u8 left[kSize];
            u8 other[kSize];
            fill_pattern(left);
            fill_pattern(other);
            right = right && compare_bytes(left, other, size) == 0;
            left[at] = 0x7f;
            other[at] = 0x80;
            right = right && compare_bytes(left, other, size) < 0 && compare_bytes(other, left, size) > 0;
            right = right && compare_bytes(left, other, at) == 0;
        }
    EXPECT_TRUE(right);
}

TEST(Memory, StringLength) {
    EXPECT_EQ(string_length(""), 0u);
    EXPECT_EQ(string_length("tollgate"), 8u);
}

} // namespace
} // namespace tollgate
