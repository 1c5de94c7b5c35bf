// Tests of the address types and of the arithmetic below them.
#include "lib/address.h"

#include "tests/harness/test.h"

namespace tollgate {
namespace {

template <class T>
concept Dereferenceable = requires(T value) {
    *value;
};
static_assert(!Dereferenceable<UserPtr<int>> && !Dereferenceable<PhysAddr>);
static_assert(!std::is_convertible_v<u64, PhysAddr> && !std::is_convertible_v<PhysAddr, VirtAddr>);

TEST(Bits, AlignmentAndOverflow) {
    EXPECT_EQ(align_up(u64{1}, 4096), 4096u);
    EXPECT_EQ(align_up(u64{4096}, 4096), 4096u);
    EXPECT_EQ(align_down(u64{8191}, 4096), 4096u);
    EXPECT_TRUE(is_aligned(u64{0}, 4096));
    EXPECT_FALSE(is_aligned(u64{8}, 16));
    EXPECT_FALSE(checked_add(~u64{0}, 1).has_value());
    EXPECT_EQ(checked_add(u64{2}, 3), 5u);
    EXPECT_FALSE(checked_sub(u64{2}, 3).has_value());
    EXPECT_FALSE(checked_mul(u64{1} << 32, u64{1} << 32).has_value());
    EXPECT_EQ(checked_mul(u64{1} << 31, 2), u64{1} << 32);
    EXPECT_FALSE(checked_align_up(~u64{0} - 5, 4096).has_value());
    EXPECT_EQ(checked_align_up(u64{5}, 4096), 4096u);
    EXPECT_FALSE(checked_add(u8{255}, 1).has_value());
}

TEST(Bits, RangeFitsWithoutOverflow) {
    EXPECT_TRUE(range_fits(0, 0, 0));
    EXPECT_TRUE(range_fits(4, 4, 8));
    EXPECT_FALSE(range_fits(5, 4, 8));
    EXPECT_FALSE(range_fits(9, 0, 8));
    EXPECT_FALSE(range_fits(8, ~u64{0}, 16));
    EXPECT_FALSE(range_fits(~u64{0}, 2, 16));
}

TEST(Bits, CountBits) {
    EXPECT_EQ(count_bits(0), 0u);
    EXPECT_EQ(count_bits(~u64{0}), 64u);
    EXPECT_EQ(count_bits(0x8000000000000001), 2u);
    EXPECT_TRUE(is_power_of_two(1) && is_power_of_two(u64{1} << 63));
    EXPECT_FALSE(is_power_of_two(0) || is_power_of_two(3));
}

TEST(Address, Canonical) {
    EXPECT_TRUE(is_canonical(0));
    EXPECT_TRUE(is_canonical(0x00007fffffffffff));
    EXPECT_FALSE(is_canonical(0x0000800000000000));
    EXPECT_FALSE(is_canonical(0xffff7fffffffffff));
    EXPECT_TRUE(is_canonical(0xffff800000000000));
    EXPECT_TRUE(is_canonical(~u64{0}));
    for (unsigned bit = 47; bit < 64; ++bit)
        EXPECT_FALSE(is_canonical(u64{1} << bit));
}

TEST(Address, Arithmetic) {
    PhysAddr address(0x1234);
    EXPECT_EQ(address.align_down(), PhysAddr(0x1000));
    EXPECT_EQ(address.align_up(), PhysAddr(0x2000));
    EXPECT_EQ(address.align_up(0x10), PhysAddr(0x1240));
    EXPECT_EQ(address.page_offset(), 0x234u);
    EXPECT_FALSE(address.page_aligned());
    EXPECT_EQ(address + 4 - PhysAddr(0x1000), 0x238u);
    address += 0xdcc;
    EXPECT_TRUE(address.page_aligned());
    EXPECT_LT(PhysAddr(1), PhysAddr(2));
    EXPECT_TRUE(PhysAddr().is_null());
}

TEST(UserPtr, OffsetsCountElements) {
    const UserPtr<u32> pointer(0x1000);
    EXPECT_EQ(pointer.offset(3).address(), 0x100cu);
    EXPECT_EQ(pointer.byte_offset(3).address(), 0x1003u);
    EXPECT_EQ(pointer.cast<void>().offset(3).address(), 0x1003u);
    EXPECT_TRUE(UserPtr<char>().is_null());
    EXPECT_FALSE(pointer.is_null());
}

} // namespace
} // namespace tollgate
