#ifdef TOLLGATE_KERNEL
#include "mem/user_copy.h"

#include "cpu/x86.h"
#include "tests/harness/loaded_space.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

using testing::kBase;
using testing::LoadedSpace;

bool refused(u64 address, u64 size) {
    const Result<void> checked = check_user_range(address, size);
    return !checked.has_value() && checked.error() == Errno::Fault;
}

TEST(UserCopy, RangesAtTheEdges) {
    EXPECT_FALSE(refused(0, 0));
    EXPECT_FALSE(refused(0, kUserTop));
    EXPECT_FALSE(refused(kUserTop - 1, 1));
    EXPECT_FALSE(refused(kUserTop, 0));
    EXPECT_TRUE(refused(0, kUserTop + 1));
    EXPECT_TRUE(refused(kUserTop, 1));
    EXPECT_TRUE(refused(kUserTop - 1, 2));
    EXPECT_TRUE(refused(kUserTop + 1, 0));
    EXPECT_TRUE(refused(u64{1} << 47, 1));
}

TEST(UserCopy, RangesThatWrap) {
    EXPECT_TRUE(refused(~u64{0}, 1));
    EXPECT_TRUE(refused(~u64{0}, ~u64{0}));
    EXPECT_TRUE(refused(1, ~u64{0}));
    EXPECT_TRUE(refused(0, ~u64{0}));
    EXPECT_TRUE(refused(u64{1} << 63, u64{1} << 63));
    EXPECT_TRUE(refused(kUserTop - 8, ~u64{0} - kUserTop + 16));
    for (unsigned bit = 47; bit < 64; ++bit)
        EXPECT_TRUE(refused(u64{1} << bit, 8));
}

TEST(UserCopy, KernelAddressesAreNeverTouched) {
    u64 here = 42;
    EXPECT_FALSE(copy_to_user_bytes(reinterpret_cast<u64>(&here), "12345678", 8).has_value());
    EXPECT_FALSE(clear_user(reinterpret_cast<u64>(&here), 8).has_value());
    EXPECT_EQ(here, 42u);
    u64 to = 7;
    EXPECT_FALSE(copy_from_user_bytes(&to, reinterpret_cast<u64>(&here), 8).has_value());
    EXPECT_EQ(to, 7u);
    char text[8];
    const auto string = copy_string_from_user(text, UserPtr<const char>(reinterpret_cast<u64>(&here)));
    ASSERT_FALSE(string.has_value());
    EXPECT_TRUE(string.error() == Errno::Fault);
}

TEST(UserCopy, WithoutASpaceEverythingFaults) {
    u64 to = 7;
    EXPECT_FALSE(copy_from_user_bytes(&to, kBase, 8).has_value());
    EXPECT_FALSE(copy_from_user_bytes(&to, 0, 8).has_value());
    EXPECT_TRUE(copy_from_user_bytes(&to, kBase, 0).has_value());
    EXPECT_EQ(to, 7u);
}

TEST(UserCopy, EverySizeAndOffset) {
    LoadedSpace space(2);
    ASSERT_TRUE(space.good());
    u8 from[40], back[40];
    for (unsigned i = 0; i < sizeof from; ++i)
        from[i] = static_cast<u8>(i + 1);
    unsigned wrong = 0;
    for (u64 size = 0; size <= 33; ++size)
        for (u64 offset = 0; offset < 9; ++offset) {
            const u64 at = kBase + kPageSize - 20 + offset; // most of them across the two pages
            wrong += !clear_user(at - 1, size + 2).has_value();
            wrong += !copy_to_user_bytes(at, from, size).has_value();
            wrong += !copy_from_user_bytes(back, at - 1, size + 2).has_value();
            wrong += back[0] != 0 || back[size + 1] != 0;
            for (u64 i = 0; i < size; ++i)
                wrong += back[i + 1] != from[i];
        }
    EXPECT_EQ(wrong, 0u);
    EXPECT_FALSE(x86::read_flags() & x86::kFlagAc);
}

TEST(UserCopy, FaultsAtTheEndOfTheArea) {
    LoadedSpace space(1);
    ASSERT_TRUE(space.good());
    u8 bytes[16] = {};
    for (u64 inside = 0; inside < sizeof bytes; ++inside) {
        EXPECT_FALSE(copy_to_user_bytes(kBase + kPageSize - inside, bytes, sizeof bytes).has_value());
        EXPECT_FALSE(copy_from_user_bytes(bytes, kBase + kPageSize - inside, sizeof bytes).has_value());
        EXPECT_FALSE(clear_user(kBase + kPageSize - inside, sizeof bytes).has_value());
    }
    EXPECT_TRUE(clear_user(kBase + kPageSize - 16, 16).has_value());
    EXPECT_FALSE(x86::read_flags() & x86::kFlagAc); // SMAP is closed again after a fault
}

TEST(UserCopy, RightsOfTheAreaCount) {
    LoadedSpace space(2);
    ASSERT_TRUE(space.good());
    u64 value = 1;
    EXPECT_TRUE(copy_to_user_bytes(kBase, &value, 8).has_value());
    ASSERT_TRUE(space->protect(kBase, kPageSize, Access::Read).has_value());
    EXPECT_FALSE(copy_to_user_bytes(kBase, &value, 8).has_value());
    EXPECT_TRUE(copy_from_user_bytes(&value, kBase, 8).has_value());
    ASSERT_TRUE(space->protect(kBase, kPageSize, Access::ReadExecute).has_value());
    EXPECT_FALSE(copy_to_user_bytes(kBase, &value, 8).has_value());
    ASSERT_TRUE(space->protect(kBase, kPageSize, Access::None).has_value());
    EXPECT_FALSE(copy_from_user_bytes(&value, kBase, 8).has_value());
    ASSERT_TRUE(space->protect(kBase, kPageSize, Access::ReadWrite).has_value());
    EXPECT_TRUE(copy_from_user_bytes(&value, kBase, 8).has_value());
    EXPECT_EQ(value, 1u); // it was kept all the while
}

TEST(UserCopy, Strings) {
    LoadedSpace space(1);
    ASSERT_TRUE(space.good());
    const u64 end = kBase + kPageSize;
    ASSERT_TRUE(copy_to_user_bytes(end - 6, "hello", 6).has_value());
    char text[8];
    const auto whole = copy_string_from_user(text, UserPtr<const char>(end - 6));
    ASSERT_TRUE(whole.has_value());
    EXPECT_TRUE(*whole == "hello");
    const auto long_one = copy_string_from_user(std::span<char>(text, 5), UserPtr<const char>(end - 6));
    ASSERT_FALSE(long_one.has_value());
    EXPECT_TRUE(long_one.error() == Errno::NameTooLong);
    ASSERT_TRUE(copy_to_user_bytes(end - 6, "123456", 6).has_value());
    const auto endless = copy_string_from_user(text, UserPtr<const char>(end - 6));
    ASSERT_FALSE(endless.has_value());
    EXPECT_TRUE(endless.error() == Errno::Fault);
    EXPECT_FALSE(copy_string_from_user(text, UserPtr<const char>(~u64{0})).has_value());
    EXPECT_FALSE(copy_string_from_user(text, UserPtr<const char>(kUserTop)).has_value());
    EXPECT_FALSE(x86::read_flags() & x86::kFlagAc);
}

} // namespace
} // namespace tollgate
#endif
