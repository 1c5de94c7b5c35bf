#ifdef TOLLGATE_KERNEL
#include "mem/address_space.h"

#include "mem/user_copy.h"
#include "tests/harness/hoard.h"
#include "tests/harness/loaded_space.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

using testing::kBase;
using testing::LoadedSpace;
using Placement = AddressSpace::Placement;

Result<u64> map(LoadedSpace& space, u64 at, u64 pages, Placement how = Placement::Fixed) {
    return space->map_anonymous(at, pages * kPageSize, Access::ReadWrite, AreaKind::Anonymous, how);
}
u64 page(u64 n) { return kBase + n * kPageSize; }

template <class T>
bool failed(const Result<T>& result, Errno error) {
    return !result.has_value() && result.error() == error;
}

/// The first word of page n, or ~0 if it cannot be read.
u64 word(u64 n) {
    u64 value = 0;
    return copy_from_user_bytes(&value, page(n), 8).has_value() ? value : ~u64{0};
}
bool store(u64 n, u64 value) { return copy_to_user_bytes(page(n), &value, 8).has_value(); }

TEST(AddressSpace, PagesComeAtTheFirstTouch) {
    LoadedSpace space(0);
    ASSERT_TRUE(space.good());
    ASSERT_TRUE(map(space, kBase, 100).has_value());
    EXPECT_EQ(space->mapped_bytes(), 100 * kPageSize);
    const u64 before = frames::free_count();
    EXPECT_TRUE(store(50, 1));
    EXPECT_EQ(frames::free_count(), before - 4); // three tables and the page
    EXPECT_TRUE(store(51, 1));
    EXPECT_EQ(frames::free_count(), before - 5);
    EXPECT_EQ(word(51), 1u);
    EXPECT_EQ(word(52), 0u);
    EXPECT_FALSE(store(100, 1));
    EXPECT_EQ(space->audit(), 0u);
}

TEST(AddressSpace, BadRangesAreRefused) {
    LoadedSpace space(1);
    ASSERT_TRUE(space.good());
    EXPECT_TRUE(failed(map(space, kBase, 0), Errno::Inval));
    EXPECT_TRUE(failed(map(space, kBase + 1, 1), Errno::Inval));
    EXPECT_TRUE(failed(map(space, 0, 1), Errno::NoMem));
    EXPECT_TRUE(failed(map(space, 0xf000, 1), Errno::NoMem));
    EXPECT_TRUE(failed(map(space, kUserTop, 1), Errno::NoMem));
    EXPECT_TRUE(failed(map(space, kUserTop - kPageSize, 2), Errno::NoMem));
    EXPECT_TRUE(failed(map(space, u64{1} << 47, 1), Errno::NoMem));
    EXPECT_TRUE(failed(map(space, kDirectMap, 1), Errno::NoMem));
    EXPECT_TRUE(failed(map(space, ~u64{0xfff}, 1), Errno::NoMem));
    for (const u64 length : {~u64{0}, ~u64{0} - 4095, kUserTop + kPageSize, u64{1} << 63})
        for (const Placement how : {Placement::Anywhere, Placement::Fixed, Placement::FixedNoReplace})
            EXPECT_TRUE(
                failed(space->map_anonymous(kBase, length, Access::Read, AreaKind::Anonymous, how), Errno::NoMem));
    EXPECT_TRUE(failed(space->unmap(kBase + 1, kPageSize), Errno::Inval));
    EXPECT_TRUE(failed(space->unmap(kBase, 0), Errno::Inval));
    EXPECT_TRUE(failed(space->unmap(kBase, ~u64{0}), Errno::Inval));
    EXPECT_TRUE(failed(space->unmap(kUserTop - kPageSize, 2 * kPageSize), Errno::Inval));
    EXPECT_TRUE(failed(space->protect(kBase + 1, kPageSize, Access::Read), Errno::Inval));
    EXPECT_TRUE(failed(space->protect(kBase, ~u64{0}, Access::Read), Errno::NoMem));
    EXPECT_TRUE(failed(space->protect(kBase, 2 * kPageSize, Access::Read), Errno::NoMem));
    EXPECT_EQ(space->mapped_bytes(), kPageSize);
    EXPECT_TRUE(map(space, kUserTop - kPageSize, 1).has_value()); // the very last page is fine
    EXPECT_TRUE(map(space, 0x10000, 1).has_value());
    EXPECT_EQ(space->audit(), 0u);
}

TEST(AddressSpace, UnmapSplits) {
    LoadedSpace space(5);
    ASSERT_TRUE(space.good());
    for (u64 n = 0; n < 5; ++n)
        ASSERT_TRUE(store(n, n + 1));
    const u64 before = frames::free_count();
    ASSERT_TRUE(space->unmap(page(2), kPageSize).has_value());
    EXPECT_EQ(frames::free_count(), before + 1);
    EXPECT_EQ(space->mapped_bytes(), 4 * kPageSize);
    EXPECT_EQ(word(2), ~u64{0});
    EXPECT_TRUE(word(0) == 1 && word(1) == 2 && word(3) == 4 && word(4) == 5);
    EXPECT_TRUE(space->unmap(page(2), kPageSize).has_value()); // nothing there is no error
    ASSERT_TRUE(map(space, page(2), 1).has_value());
    EXPECT_EQ(word(2), 0u);
    ASSERT_TRUE(space->unmap(page(1), 3 * kPageSize).has_value()); // over three areas at once
    EXPECT_TRUE(word(0) == 1 && word(1) == ~u64{0} && word(3) == ~u64{0} && word(4) == 5);
    EXPECT_EQ(space->mapped_bytes(), 2 * kPageSize);
    EXPECT_EQ(space->audit(), 0u);
}

TEST(AddressSpace, ProtectSplitsAndNeighboursMerge) {
    LoadedSpace space(4);
    ASSERT_TRUE(space.good());
    for (u64 n = 0; n < 4; ++n)
        ASSERT_TRUE(store(n, n + 1));
    ASSERT_TRUE(space->protect(page(1), 2 * kPageSize, Access::Read).has_value());
    EXPECT_TRUE(store(0, 10) && !store(1, 10) && !store(2, 10) && store(3, 10));
    EXPECT_TRUE(word(1) == 2 && word(2) == 3);
    ASSERT_TRUE(space->protect(kBase, 4 * kPageSize, Access::ReadWrite).has_value());
    EXPECT_TRUE(store(1, 10) && store(2, 10));
    // A touching area of the same kind and rights grows instead of becoming a second one.
    ASSERT_TRUE(map(space, page(4), 1).has_value());
    EXPECT_TRUE(space->protect(kBase, 5 * kPageSize, Access::Read).has_value());
    EXPECT_FALSE(store(4, 1));
    EXPECT_FALSE(space->user_executable(kBase));
    ASSERT_TRUE(space->protect(kBase, kPageSize, Access::ReadExecute).has_value());
    EXPECT_TRUE(space->user_executable(kBase));
    EXPECT_EQ(space->audit(), 0u);
}

TEST(AddressSpace, GapsAreFoundFromTheTop) {
    LoadedSpace space(0);
    const auto first = map(space, 0, 3, Placement::Anywhere), second = map(space, 0, 2, Placement::Anywhere);
    ASSERT_TRUE(first.has_value() && second.has_value());
    EXPECT_EQ(*second + 2 * kPageSize, *first);
    ASSERT_TRUE(space->unmap(*first, 3 * kPageSize).has_value());
    const auto again = map(space, 0, 3, Placement::Anywhere);
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(*again, *first);
    const auto hinted = map(space, kBase + 5, 1, Placement::Anywhere);
    ASSERT_TRUE(hinted.has_value());
    EXPECT_EQ(*hinted, kBase);
    const auto taken = map(space, kBase, 1, Placement::Anywhere);
    ASSERT_TRUE(taken.has_value());
    EXPECT_NE(*taken, kBase);
    EXPECT_TRUE(failed(map(space, kBase, 1, Placement::FixedNoReplace), Errno::Exist));
    EXPECT_TRUE(map(space, page(1), 1, Placement::FixedNoReplace).has_value());
}

TEST(AddressSpace, FixedReplaces) {
    LoadedSpace space(3);
    ASSERT_TRUE(space.good());
    ASSERT_TRUE(store(0, 1) && store(1, 2) && store(2, 3));
    ASSERT_TRUE(map(space, page(1), 1).has_value());
    EXPECT_TRUE(word(0) == 1 && word(1) == 0 && word(2) == 3);
    EXPECT_EQ(space->mapped_bytes(), 3 * kPageSize);
}

TEST(AddressSpace, PinnedAreasStay) { // [threats M4]
    LoadedSpace space(0);
    ASSERT_TRUE(space.good());
    Frame frames[2];
    for (Frame& frame : frames) {
        Result<Frame> fresh = Frame::allocate();
        ASSERT_TRUE(fresh.has_value());
        frame = std::move(*fresh);
        *frame.data<u64>() = 77;
    }
    const auto at = space->map_pinned(std::span<const Frame>(frames), Access::ReadWrite);
    ASSERT_TRUE(at.has_value());
    EXPECT_EQ(frames::references(frames[0].address()), 2u);
    u64 value = 0;
    EXPECT_TRUE(copy_from_user_bytes(&value, *at, 8).has_value() && value == 77);
    EXPECT_TRUE(failed(space->unmap(*at, kPageSize), Errno::Inval));
    EXPECT_TRUE(failed(space->unmap(*at - kPageSize, 4 * kPageSize), Errno::Inval));
    EXPECT_TRUE(failed(space->protect(*at, kPageSize, Access::Read), Errno::Access));
    EXPECT_TRUE(failed(map(space, *at + kPageSize, 1), Errno::Inval));
    EXPECT_TRUE(failed(map(space, *at, 1, Placement::FixedNoReplace), Errno::Inval));
    EXPECT_TRUE(failed(space->write_bytes(*at, &value, 8), Errno::Fault));
    value = 78;
    EXPECT_TRUE(copy_to_user_bytes(*at + kPageSize, &value, 8).has_value());
    EXPECT_EQ(*frames[1].data<u64>(), 78u); // the very frame
    EXPECT_EQ(space->audit(), 0u);
    space->unmap_pinned(*at, 2 * kPageSize);
    EXPECT_FALSE(copy_from_user_bytes(&value, *at, 8).has_value());
    EXPECT_EQ(frames::references(frames[0].address()), 1u);
    EXPECT_EQ(frames::references(frames[1].address()), 1u);
}

TEST(AddressSpace, WriteBytes) {
    LoadedSpace space(2);
    ASSERT_TRUE(space.good());
    ASSERT_TRUE(space->protect(kBase, 2 * kPageSize, Access::ReadExecute).has_value()); // the loader may all the same
    u8 from[200], back[200] = {};
    for (unsigned i = 0; i < sizeof from; ++i)
        from[i] = static_cast<u8>(i * 7);
    ASSERT_TRUE(space->write_bytes(page(1) - 100, from, sizeof from).has_value());
    ASSERT_TRUE(copy_from_user_bytes(back, page(1) - 100, sizeof back).has_value());
    unsigned wrong = 0;
    for (unsigned i = 0; i < sizeof from; ++i)
        wrong += from[i] != back[i];
    EXPECT_EQ(wrong, 0u);
    EXPECT_TRUE(failed(space->write_bytes(page(2) - 100, from, sizeof from), Errno::Fault));
    EXPECT_TRUE(failed(space->write_bytes(kDirectMap, from, 1), Errno::Fault));
    EXPECT_TRUE(failed(space->write_bytes(~u64{0}, from, 2), Errno::Fault));
    EXPECT_TRUE(space->write_bytes(0, from, 0).has_value());
}

TEST(AddressSpace, Break) {
    LoadedSpace space(1);
    ASSERT_TRUE(space.good());
    space->set_break_start(page(1));
    EXPECT_EQ(space->set_break(0), page(1));
    EXPECT_EQ(space->set_break(page(3) + 5), page(3) + 5);
    EXPECT_TRUE(store(3, 1));
    EXPECT_FALSE(store(4, 1));
    EXPECT_EQ(space->set_break(page(1)), page(1));
    EXPECT_FALSE(store(1, 1));
    ASSERT_TRUE(map(space, page(4), 1).has_value());
    EXPECT_EQ(space->set_break(page(8)), page(1)); // something is in the way
    EXPECT_EQ(space->set_break(~u64{0}), page(1));
    EXPECT_EQ(space->set_break(kUserTop), page(1));
    EXPECT_EQ(space->mapped_bytes(), 2 * kPageSize);
}

/// Everything that a space does with memory, until something fails.
Result<void> use_a_space() {
    Ref<AddressSpace> space = TRY(AddressSpace::create());
    for (u64 n = 0; n < 4; ++n) {
        const u64 at = kBase + (n << 30);
        (void)TRY(space->map_anonymous(at, 3 * kPageSize, Access::ReadWrite, AreaKind::Image, Placement::Fixed));
        const u64 data[2] = {1, 2};
        TRY(space->write_bytes(at + kPageSize - 8, data, 16));
        TRY(space->protect(at + kPageSize, kPageSize, Access::None));
    }
    Frame frame = TRY(Frame::allocate());
    (void)TRY(space->map_pinned(std::span<const Frame>(&frame, 1), Access::ReadWrite));
    TRY(space->begin_fastcall_space({}, nullptr));
    TRY(space->map_fastcall_page(kFastcallHeap, TRY(Frame::allocate()), Access::ReadExecute));
    if (space->audit() != 0)
        return fail(Errno::Fault);
    return {};
}

TEST(AddressSpace, DestroyGivesEverythingBack) {
    ASSERT_TRUE(use_a_space().has_value()); // the heap's blocks are there from now on
    const u64 before = frames::free_count();
    for (int i = 0; i < 20; ++i)
        EXPECT_TRUE(use_a_space().has_value());
    EXPECT_EQ(frames::free_count(), before);
}

TEST(AddressSpace, OutOfMemoryAtEveryStep) { // [threats X2]
    ASSERT_TRUE(use_a_space().has_value());
    const u64 before = frames::free_count();
    unsigned failures = 0;
    for (u64 left = 0; left < 64; ++left) {
        testing::Hoard hoard(left);
        const Result<void> used = use_a_space();
        EXPECT_EQ(frames::free_count(), left);
        if (used.has_value())
            break;
        EXPECT_TRUE(used.error() == Errno::NoMem);
        ++failures;
    }
    EXPECT_GT(failures, 10u);
    EXPECT_LT(failures, 64u);
    EXPECT_EQ(frames::free_count(), before);
}

TEST(AddressSpace, AFaultWithoutMemoryIsAFault) {
    LoadedSpace space(2);
    ASSERT_TRUE(space.good());
    ASSERT_TRUE(store(0, 1));
    testing::Hoard hoard(0);
    EXPECT_FALSE(store(1, 1));
    EXPECT_EQ(word(0), 1u);
}

TEST(AddressSpace, HugeAreasCostNothing) {
    LoadedSpace space(0);
    ASSERT_TRUE(space.good());
    const u64 before = frames::free_count(), length = u64{64} << 40;
    const auto at = space->map_anonymous(0, length, Access::None, AreaKind::Anonymous, Placement::Anywhere);
    ASSERT_TRUE(at.has_value());
    ASSERT_TRUE(space->protect(*at, length, Access::ReadWrite).has_value());
    const u64 value = 1;
    EXPECT_TRUE(space->write_bytes(*at + length / 2, &value, 8).has_value());
    EXPECT_TRUE(space->unmap(*at, length).has_value());
    EXPECT_LE(before - frames::free_count(), 4u); // three tables, and perhaps a page of the heap
}

} // namespace
} // namespace tollgate
#endif
