#ifdef TOLLGATE_KERNEL
#include "mem/frames.h"

#include "tests/harness/hoard.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

extern "C" const u8 __image_start[], __image_end[];

bool all_zero(PhysAddr frame) {
    const u64* words = direct<const u64>(frame);
    for (unsigned i = 0; i < kPageSize / 8; ++i)
        if (words[i] != 0)
            return false;
    return true;
}

TEST(Frames, OneReferenceEach) {
    const u64 before = frames::free_count();
    {
        Result<Frame> frame = Frame::allocate();
        ASSERT_TRUE(frame.has_value());
        EXPECT_TRUE(frame->address().page_aligned());
        EXPECT_EQ(frames::free_count(), before - 1);
        EXPECT_EQ(frames::references(frame->address()), 1u);
        Frame second = frame->share();
        EXPECT_EQ(second.address(), frame->address());
        EXPECT_EQ(frames::references(frame->address()), 2u);
        Frame third = Frame::from(frame->address());
        EXPECT_EQ(frames::references(frame->address()), 3u);
        { Frame moved = std::move(third); }
        EXPECT_FALSE(static_cast<bool>(third));
        EXPECT_EQ(frames::references(frame->address()), 2u);
        EXPECT_EQ(frames::free_count(), before - 1);
    }
    EXPECT_EQ(frames::free_count(), before);
}

TEST(Frames, LeakAndAdopt) {
    const u64 before = frames::free_count();
    Result<Frame> frame = Frame::allocate();
    ASSERT_TRUE(frame.has_value());
    const PhysAddr address = frame->leak();
    EXPECT_FALSE(static_cast<bool>(*frame));
    EXPECT_EQ(frames::free_count(), before - 1);
    { Frame adopted = Frame::adopt(address); }
    EXPECT_EQ(frames::free_count(), before);
}

// The last frame given back is the first to be handed out again, so that this one comes dirty from its last owner
// [threats L8].
TEST(Frames, ZeroedAfterUse) {
    PhysAddr used;
    {
        Result<Frame> frame = Frame::allocate();
        ASSERT_TRUE(frame.has_value());
        used = frame->address();
        for (unsigned i = 0; i < kPageSize; ++i)
            frame->data()[i] = 0xa5;
    }
    Result<Frame> again = Frame::allocate();
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->address(), used);
    EXPECT_TRUE(all_zero(again->address()));
}

TEST(Frames, Contiguous) {
    const u64 before = frames::free_count();
    const Result<PhysAddr> first = frames::allocate_contiguous(9);
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(frames::free_count(), before - 9);
    for (u64 i = 0; i < 9; ++i) {
        EXPECT_EQ(frames::references(*first + i * kPageSize), 1u);
        EXPECT_TRUE(all_zero(*first + i * kPageSize));
        *direct<u64>(*first + i * kPageSize) = ~u64{0};
    }
    frames::free_contiguous(*first, 9);
    EXPECT_EQ(frames::free_count(), before);
    const Result<PhysAddr> impossible = frames::allocate_contiguous(frames::total_count() + 1);
    ASSERT_FALSE(impossible.has_value());
    EXPECT_TRUE(impossible.error() == Errno::NoMem);
    EXPECT_EQ(frames::free_count(), before);
}

TEST(Frames, ExhaustionIsAnError) {
    const u64 before = frames::free_count();
    EXPECT_LE(before, frames::total_count());
    {
        testing::Hoard hoard(0);
        EXPECT_EQ(hoard.count(), before);
        EXPECT_EQ(frames::free_count(), 0u);
        for (int i = 0; i < 3; ++i) {
            const Result<Frame> none = Frame::allocate();
            ASSERT_FALSE(none.has_value());
            EXPECT_TRUE(none.error() == Errno::NoMem);
            EXPECT_FALSE(frames::allocate_contiguous(1).has_value());
        }
    }
    EXPECT_EQ(frames::free_count(), before);
}

TEST(Frames, NothingOfTheKernelIsHandedOut) {
    const u64 start = image_to_phys(__image_start).value(), end = image_to_phys(__image_end).value();
    u64 inside = 0, below_1m = 0;
    Frame held[64];
    for (Frame& frame : held) {
        Result<Frame> fresh = Frame::allocate();
        ASSERT_TRUE(fresh.has_value());
        frame = std::move(*fresh);
        const u64 at = frame.address().value();
        inside += at >= start && at < end;
        below_1m += at < (u64{1} << 20);
        EXPECT_LT(at, frames::top().value());
    }
    EXPECT_EQ(inside, 0u);
    EXPECT_EQ(below_1m, 0u);
}

} // namespace
} // namespace tollgate
#endif
