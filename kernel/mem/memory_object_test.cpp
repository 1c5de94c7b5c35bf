#ifdef TOLLGATE_KERNEL
#include "mem/memory_object.h"

#include "mem/address_space.h"
#include "mem/user_copy.h"
#include "tests/harness/hoard.h"
#include "tests/harness/loaded_space.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

using testing::kBase;
using testing::LoadedSpace;

TEST(PageTree, SparsePages) {
    const u64 before = frames::free_count();
    {
        PageTree tree;
        constexpr u64 kIndices[] = {0, 5, 511, 512, 1000, 262143, 262144, u64{1} << 35};
        for (const u64 index : kIndices) {
            EXPECT_TRUE(tree.find(index).is_null());
            Result<Frame> frame = Frame::allocate();
            ASSERT_TRUE(frame.has_value());
            *frame->data<u64>() = index;
            ASSERT_TRUE(tree.insert(index, std::move(*frame)).has_value());
        }
        EXPECT_EQ(tree.size(), 8u);
        for (const u64 index : kIndices)
            EXPECT_EQ(*direct<u64>(tree.find(index)), index);
        EXPECT_TRUE(tree.find(1).is_null() && tree.find(~u64{0}).is_null() && tree.find(513).is_null());
        tree.remove_from(600);
        EXPECT_EQ(tree.size(), 4u);
        EXPECT_TRUE(tree.find(1000).is_null() && !tree.find(512).is_null());
        tree.remove_from(0);
        EXPECT_EQ(tree.size(), 0u);
        EXPECT_EQ(frames::free_count(), before);
    }
    EXPECT_EQ(frames::free_count(), before);
}

Result<u64> map_object(LoadedSpace& space, u64 at, u64 pages, const Ref<MemoryObject>& object, Sharing sharing,
                       u64 offset = 0) {
    return space->map({.hint = at,
                       .length = pages * kPageSize,
                       .placement = Placement::Fixed,
                       .sharing = sharing,
                       .object = object,
                       .offset = offset});
}
u64 word(u64 n) {
    u64 value = 0;
    return copy_from_user_bytes(&value, kBase + n * kPageSize, 8).has_value() ? value : ~u64{0};
}
bool store(u64 n, u64 value) { return copy_to_user_bytes(kBase + n * kPageSize, &value, 8).has_value(); }

TEST(MemoryObject, SharedAndPrivateViews) {
    auto object = make_ref<PagedObject>(3 * kPageSize);
    ASSERT_TRUE(object.has_value());
    LoadedSpace space(0);
    ASSERT_TRUE(map_object(space, kBase, 4, *object, Sharing::Shared).has_value());
    ASSERT_TRUE(map_object(space, kBase + 4 * kPageSize, 2, *object, Sharing::Private, kPageSize).has_value());
    EXPECT_EQ((*object)->page_count(), 0u);
    EXPECT_TRUE(store(1, 10));
    EXPECT_EQ(*(*object)->find(1).data<u64>(), 10u);
    EXPECT_EQ(word(4), 10u); // the private view, read before it is written
    EXPECT_TRUE(store(1, 11));
    EXPECT_EQ(word(4), 11u);
    EXPECT_TRUE(store(4, 20)); // its own from now on
    EXPECT_EQ(word(1), 11u);
    EXPECT_TRUE(store(1, 12));
    EXPECT_EQ(word(4), 20u);
    EXPECT_TRUE(store(5, 30)); // written before it was read
    EXPECT_EQ(word(2), 0u);
    EXPECT_EQ(word(3), ~u64{0}); // beyond the end
    using Access = AddressSpace::FaultAccess;
    EXPECT_TRUE(space->handle_fault(kBase + 3 * kPageSize, Access::Read) == FaultOutcome::BusError);
    EXPECT_TRUE(space->handle_fault(kBase + 6 * kPageSize, Access::Read) == FaultOutcome::NoArea);
    EXPECT_TRUE(space->handle_fault(kBase, Access::Execute) == FaultOutcome::NoAccess);
    EXPECT_TRUE(space->handle_fault(kBase, Access::Write) == FaultOutcome::Resolved);
    const SharedKey key = space->shared_key(kBase + kPageSize + 8);
    EXPECT_TRUE(key.object.get() == object->get() && key.offset == kPageSize + 8);
    EXPECT_TRUE(space->shared_key(kBase + 4 * kPageSize).object.get() == nullptr);
    EXPECT_EQ(space->audit(), 0u);
}

TEST(MemoryObject, ShrinkingTakesPagesAway) {
    auto object = make_ref<PagedObject>(4 * kPageSize);
    ASSERT_TRUE(object.has_value());
    LoadedSpace space(0);
    ASSERT_TRUE(map_object(space, kBase, 4, *object, Sharing::Shared).has_value());
    for (u64 n = 0; n < 4; ++n)
        ASSERT_TRUE(store(n, n + 1));
    const u64 before = frames::free_count();
    (*object)->resize(kPageSize + 4);
    EXPECT_EQ(frames::free_count(), before + 2);
    EXPECT_TRUE(word(0) == 1 && word(1) == 2 && word(2) == ~u64{0} && word(3) == ~u64{0});
    EXPECT_EQ(*(*object)->find(1).data<u64>(), 2u);
    (*object)->resize(4 * kPageSize);
    EXPECT_TRUE(word(1) == 2 && word(2) == 0);
    (*object)->resize(2);
    (*object)->resize(kPageSize);
    EXPECT_EQ(word(0), 1u);
    (*object)->resize(0);
    EXPECT_EQ(word(0), ~u64{0});
    EXPECT_EQ(space->resident_bytes(), 0u);
}

/// The bytes of whichever space runs.
TEST(MemoryObject, ForkCopiesAtTheFirstWrite) {
    const u64 start = frames::free_count();
    {
        LoadedSpace parent(6);
        ASSERT_TRUE(parent.good());
        for (u64 n = 0; n < 4; ++n)
            ASSERT_TRUE(store(n, n + 1));
        auto object = make_anonymous_object(kPageSize);
        ASSERT_TRUE(object.has_value());
        ASSERT_TRUE(map_object(parent, kBase + 6 * kPageSize, 1, *object, Sharing::Shared).has_value());
        ASSERT_TRUE(store(6, 60));
        Result<Ref<AddressSpace>> child = parent->fork();
        ASSERT_TRUE(child.has_value());
        EXPECT_EQ((*child)->mapped_bytes(), parent->mapped_bytes());
        EXPECT_EQ((*child)->resident_bytes(), 4 * kPageSize);
        const u64 before = frames::free_count();
        EXPECT_TRUE(store(0, 10)); // copied
        EXPECT_EQ(frames::free_count(), before - 1);
        EXPECT_TRUE(store(0, 11)); // once
        EXPECT_EQ(frames::free_count(), before - 1);
        EXPECT_TRUE(store(6, 61));
        EXPECT_EQ(parent->audit() + (*child)->audit(), 0u);
        const Ref<AddressSpace> parents(*sched::current().space());
        sched::current().set_space(*child);
        EXPECT_TRUE(word(0) == 1 && word(1) == 2 && word(5) == 0 && word(6) == 61);
        EXPECT_TRUE(store(0, 20));                   // the last owner: no copy
        EXPECT_EQ(frames::free_count(), before - 2); // page 5 is new
        EXPECT_TRUE(store(1, 21));
        EXPECT_EQ(word(1), 21u);
        ASSERT_TRUE((*child)->protect(kBase + 2 * kPageSize, kPageSize, Access::Read).has_value());
        ASSERT_TRUE((*child)->protect(kBase + 2 * kPageSize, kPageSize, Access::ReadWrite).has_value());
        EXPECT_TRUE(store(2, 22)); // shared still: copied although mprotect has made it writable
        sched::current().set_space(parents);
        EXPECT_TRUE(word(0) == 11 && word(1) == 2 && word(2) == 3 && word(6) == 61);
        child->reset();
        const u64 last = frames::free_count();
        EXPECT_TRUE(store(3, 40)); // nobody else has it any more
        EXPECT_EQ(frames::free_count(), last);
    }
    EXPECT_LE(start - frames::free_count(), 4u); // slabs of the heap
}

TEST(MemoryObject, ForkWithoutMemoryLeavesTheParentWhole) { // [threats X2]
    LoadedSpace parent(40);
    ASSERT_TRUE(parent.good());
    for (u64 n = 0; n < 40; ++n)
        ASSERT_TRUE(store(n, n + 1));
    ASSERT_TRUE(parent->fork().has_value());
    unsigned failures = 0;
    for (u64 left = 0; left < 32; ++left) {
        testing::Hoard hoard(left);
        const auto child = parent->fork();
        if (child.has_value())
            break;
        EXPECT_TRUE(child.error() == Errno::NoMem);
        ++failures;
        EXPECT_TRUE(store(left, 100)); // in place: the failed child holds nothing
    }
    EXPECT_GT(failures, 3u);
    EXPECT_LT(failures, 32u);
}

} // namespace
} // namespace tollgate
#endif
