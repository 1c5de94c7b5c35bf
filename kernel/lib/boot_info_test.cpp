// Tests of the memory map's normalisation.
#include "lib/boot_info.h"

#include "tests/harness/test.h"

namespace tollgate {
namespace {

using Kind = MemoryRegion::Kind;

bool add(MemoryMap& map, u64 base, u64 length, Kind kind) {
    return map.add({PhysAddr(base), length, kind}).has_value();
}

bool region_is(const MemoryMap& map, size_t index, u64 base, u64 end, Kind kind) {
    return index < map.regions().size() && map.regions()[index] == MemoryRegion{PhysAddr(base), end - base, kind};
}

TEST(MemoryMap, SortsJoinsAndAligns) {
    static MemoryMap map;
    map = MemoryMap();
    EXPECT_TRUE(add(map, 0x100000, 0x100000, Kind::Usable));
    EXPECT_TRUE(add(map, 0, 0x9fc00, Kind::Usable));
    EXPECT_TRUE(add(map, 0x9fc00, 0x400, Kind::Reserved));
    EXPECT_TRUE(add(map, 0x200000, 0x100000, Kind::Usable));
    EXPECT_TRUE(add(map, 0x500800, 0x400, Kind::Usable)); // less than a page
    EXPECT_TRUE(add(map, 0x600000, 0, Kind::Usable));
    ASSERT_TRUE(map.normalise().has_value());
    ASSERT_EQ(map.regions().size(), 3u);
    EXPECT_TRUE(region_is(map, 0, 0, 0x9f000, Kind::Usable));
    EXPECT_TRUE(region_is(map, 1, 0x9f000, 0xa0000, Kind::Reserved));
    EXPECT_TRUE(region_is(map, 2, 0x100000, 0x300000, Kind::Usable));
    EXPECT_EQ(map.usable_bytes(), 0x29f000u);
}

TEST(MemoryMap, TheStrongerKindWinsOverlaps) {
    static MemoryMap map;
    map = MemoryMap();
    EXPECT_TRUE(add(map, 0x1000, 0x9000, Kind::Usable));
    EXPECT_TRUE(add(map, 0x3000, 0x2000, Kind::Reserved));
    EXPECT_TRUE(add(map, 0x4000, 0x3000, Kind::AcpiReclaimable));
    EXPECT_TRUE(add(map, 0x9800, 0x100, Kind::Bad));
    ASSERT_TRUE(map.normalise().has_value());
    ASSERT_EQ(map.regions().size(), 5u);
    EXPECT_TRUE(region_is(map, 0, 0x1000, 0x3000, Kind::Usable));
    EXPECT_TRUE(region_is(map, 1, 0x3000, 0x5000, Kind::Reserved));
    EXPECT_TRUE(region_is(map, 2, 0x5000, 0x7000, Kind::AcpiReclaimable));
    EXPECT_TRUE(region_is(map, 3, 0x7000, 0x9000, Kind::Usable));
    EXPECT_TRUE(region_is(map, 4, 0x9000, 0xa000, Kind::Bad));
    ASSERT_TRUE(map.normalise().has_value()); // orderly already: nothing changes
    EXPECT_EQ(map.regions().size(), 5u);
}

TEST(MemoryMap, RefusesTheImpossible) {
    static MemoryMap map;
    map = MemoryMap();
    EXPECT_FALSE(add(map, ~u64{0} - 10, 100, Kind::Usable));
    EXPECT_FALSE(add(map, 0x1000, ~u64{0}, Kind::Reserved));
    EXPECT_FALSE(add(map, MemoryMap::kPhysicalLimit - 0x1000, 0x1001, Kind::Usable));
    EXPECT_TRUE(add(map, MemoryMap::kPhysicalLimit - 0x1000, 0x1000, Kind::Reserved));
    EXPECT_FALSE(map.normalise().has_value()); // nothing usable
    for (size_t i = 1; i < MemoryMap::kMaxRegions; ++i)
        EXPECT_TRUE(add(map, i * 0x2000, 0x1000, Kind::Usable));
    EXPECT_FALSE(add(map, 0, 0x1000, Kind::Usable));
    EXPECT_TRUE(map.normalise().has_value());
    EXPECT_EQ(map.regions().size(), MemoryMap::kMaxRegions);
}

TEST(MemoryMap, TooManyPiecesAreAnError) {
    static MemoryMap map;
    map = MemoryMap();
    EXPECT_TRUE(add(map, 0, 0x1000000, Kind::Usable));
    for (size_t i = 1; i < MemoryMap::kMaxRegions; ++i)
        EXPECT_TRUE(add(map, i * 0x2000, 0x1000, Kind::Reserved));
    EXPECT_FALSE(map.normalise().has_value());
}

TEST(MemoryMap, E820Types) {
    EXPECT_EQ(memory_kind_from_e820(1), Kind::Usable);
    EXPECT_EQ(memory_kind_from_e820(2), Kind::Reserved);
    EXPECT_EQ(memory_kind_from_e820(3), Kind::AcpiReclaimable);
    EXPECT_EQ(memory_kind_from_e820(4), Kind::AcpiNvs);
    EXPECT_EQ(memory_kind_from_e820(5), Kind::Bad);
    EXPECT_EQ(memory_kind_from_e820(0), Kind::Reserved);
    EXPECT_EQ(memory_kind_from_e820(77), Kind::Reserved);
}

} // namespace
} // namespace tollgate
