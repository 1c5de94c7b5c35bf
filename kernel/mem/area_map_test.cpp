#ifdef TOLLGATE_KERNEL
#include "mem/area_map.h"

#include "lib/unique_ptr.h"
#include "mem/memory_object.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

constexpr u64 kLow = 0x100000;
u64 page(u64 n) { return kLow + n * kPageSize; }

/// A map that owns its areas.
struct Areas {
    ~Areas() {
        while (Area* area = map.last())
            take(*area);
    }
    Area* add(u64 first, u64 end) {
        auto area = make_owned<Area>(AreaShape(page(first), page(end), Access::Read, AreaKind::Anonymous), nullptr);
        if (!area)
            return nullptr;
        Area* added = area->release();
        map.insert(*added);
        return added;
    }
    void take(Area& area) {
        map.remove(area);
        delete &area;
    }
    AreaMap map;
};

/// The highest gap below `top`, by looking everywhere.
u64 gap_by_search(const AreaMap& map, u64 length, u64 top) {
    for (u64 start = align_down(top - length, kPageSize); start >= kMinUserAddress; start -= kPageSize)
        if (map.is_free(start, start + length))
            return start;
    return 0;
}

TEST(AreaMap, FindsWhatIsThere) {
    Areas areas;
    EXPECT_TRUE(areas.map.find(kLow) == nullptr && areas.map.at_or_above(0) == nullptr);
    Area *first = areas.add(0, 2), *third = areas.add(6, 7), *second = areas.add(4, 5);
    ASSERT_TRUE(first && second && third);
    EXPECT_TRUE(areas.map.find(page(0)) == first && areas.map.find(page(2) - 1) == first);
    EXPECT_TRUE(areas.map.find(page(2)) == nullptr && areas.map.find(page(0) - 1) == nullptr);
    EXPECT_TRUE(areas.map.at_or_above(page(2)) == second && areas.map.at_or_above(page(5)) == third);
    EXPECT_TRUE(areas.map.at_or_above(page(7)) == nullptr);
    EXPECT_TRUE(areas.map.next(*first) == second && areas.map.below(third) == second);
    EXPECT_TRUE(areas.map.below(nullptr) == third && areas.map.below(first) == nullptr);
    EXPECT_TRUE(areas.map.is_free(page(2), page(4)) && !areas.map.is_free(page(2), page(5)));
}

TEST(AreaMap, GapsAreWhatASearchFinds) {
    Areas areas;
    u64 wrong = 0;
    constexpr u64 kTop = kLow + 200 * kPageSize;
    const auto compare = [&] {
        for (const u64 length : {u64{1}, u64{2}, u64{5}, u64{11}, u64{40}})
            for (const u64 top : {kTop, kTop - 60 * kPageSize, page(1)})
                wrong +=
                    areas.map.find_gap(length * kPageSize, top) != gap_by_search(areas.map, length * kPageSize, top);
    };
    compare();
    for (u64 n = 0; n < 40; ++n) { // every second or so of 200 pages, in no order
        const u64 at = n * 23 % 40 * 5;
        ASSERT_TRUE(areas.add(at, at + 1 + n % 5) != nullptr);
        if (n % 4 == 0)
            compare();
    }
    for (u64 n = 0; n < 40; n += 3) {
        Area* area = areas.map.find(page(n * 5));
        ASSERT_TRUE(area != nullptr);
        if (n % 2 == 0)
            areas.take(*area);
        else
            areas.map.set_start(*area, area->end - kPageSize);
        compare();
    }
    EXPECT_EQ(wrong, 0u);
}

TEST(AreaMap, OnlyTheSameContinues) {
    AreaShape left(page(0), page(1), Access::Read, AreaKind::Anonymous);
    AreaShape right(page(1), page(2), Access::Read, AreaKind::Anonymous);
    const auto joins = [&] { return AreaMap::continues(Area(left, nullptr), Area(right, nullptr)); };
    EXPECT_TRUE(joins());
    right.start = page(1) + kPageSize;
    EXPECT_FALSE(joins());
    right.start = page(1);
    right.access = Access::ReadWrite;
    EXPECT_FALSE(joins());
    right.access = Access::Read;
    right.inherit = Inherit::Zeros;
    EXPECT_FALSE(joins());
    right.inherit = Inherit::Copy;
    auto object = make_anonymous_object(kPageSize);
    ASSERT_TRUE(object.has_value());
    right.object = *object;
    EXPECT_FALSE(joins());
    left.object = *object;
    EXPECT_FALSE(joins()); // both begin at its start
    right.offset = kPageSize;
    EXPECT_TRUE(joins());
    left.kind = right.kind = AreaKind::Pinned;
    EXPECT_FALSE(joins());
}

} // namespace
} // namespace tollgate
#endif
