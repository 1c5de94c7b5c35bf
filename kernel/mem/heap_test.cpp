#ifdef TOLLGATE_KERNEL
#include "lib/bits.h"
#include "tests/harness/hoard.h"
#include "tests/harness/test.h"

#include <new>

namespace tollgate {
namespace {

u8* take(u64 size) { return static_cast<u8*>(operator new[](size, std::nothrow)); }
void give_back(u8* block) { operator delete[](block); }
u64 number(const void* pointer) { return reinterpret_cast<u64>(pointer); }

TEST(Heap, EverySizeClass) {
    for (u64 size = 1; size <= 1024; size = size < 16 ? 16 : size * 2) {
        for (const u64 exact : {size, size > 16 ? size / 2 + 1 : size}) {
            u8 *a = take(exact), *b = take(exact);
            ASSERT_TRUE(a != nullptr && b != nullptr);
            const u64 block = size < 16 ? 16 : size;
            EXPECT_TRUE(is_aligned(number(a), block) && is_aligned(number(b), block));
            EXPECT_TRUE(number(a) + exact <= number(b) || number(b) + exact <= number(a));
            EXPECT_EQ(align_down(number(a), kPageSize), align_down(number(a) + exact - 1, kPageSize));
            give_back(a);
            u8* again = take(block); // the same class: its last block comes back first
            EXPECT_TRUE(again == a);
            give_back(again);
            give_back(b);
        }
    }
}

TEST(Heap, BlocksDoNotOverlap) {
    constexpr unsigned kBlocks = 200;
    u8* blocks[kBlocks];
    for (unsigned i = 0; i < kBlocks; ++i) {
        const u64 size = 1 + i * 37 % 1500;
        blocks[i] = take(size);
        ASSERT_TRUE(blocks[i] != nullptr);
        for (u64 at = 0; at < size; ++at)
            blocks[i][at] = static_cast<u8>(i);
    }
    u64 wrong = 0;
    for (unsigned i = 0; i < kBlocks; ++i) {
        const u64 size = 1 + i * 37 % 1500;
        for (u64 at = 0; at < size; ++at)
            wrong += blocks[i][at] != static_cast<u8>(i);
        give_back(blocks[i]);
    }
    EXPECT_EQ(wrong, 0u);
}

TEST(Heap, RunsOfFramesGoBack) {
    for (const u64 size : {u64{1025}, kPageSize, 5 * kPageSize, u64{1} << 20}) {
        const u64 before = frames::free_count();
        u8* run = take(size);
        ASSERT_TRUE(run != nullptr);
        run[0] = run[size - 1] = 1;
        EXPECT_LE(frames::free_count() + size / kPageSize, before);
        give_back(run);
        EXPECT_EQ(frames::free_count(), before);
    }
}

TEST(Heap, ZeroBytesAndNull) {
    u8* nothing = take(0);
    EXPECT_TRUE(nothing != nullptr);
    give_back(nothing);
    give_back(nullptr);
}

TEST(Heap, ExhaustionIsNull) {
    testing::Hoard hoard(0);
    EXPECT_TRUE(take(2000) == nullptr);
    EXPECT_TRUE(take(u64{1} << 40) == nullptr);
    // A small class lives on until its blocks are gone, then it needs a frame.
    u8* chain = nullptr;
    unsigned count = 0;
    while (u8* block = take(1024)) {
        ASSERT_LT(count++, 4096u);
        *reinterpret_cast<u8**>(block) = chain;
        chain = block;
    }
    while (chain != nullptr) {
        u8* next = *reinterpret_cast<u8**>(chain);
        give_back(chain);
        chain = next;
    }
}

} // namespace
} // namespace tollgate
#endif
