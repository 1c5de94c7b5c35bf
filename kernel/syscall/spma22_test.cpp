#ifdef TOLLGATE_KERNEL
// What reaches the array that no program can read.
#include "syscall/spma22.h"

#include "api/spma22.h"
#include "cpu/features.h"
#include "tests/harness/loaded_space.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

using testing::kBase;
using testing::LoadedSpace;

/// Bytes that differ from each other and from those of another seed, put where a program's would be.
bool put_pattern(u8 seed) {
    u8 bytes[64];
    for (u8 i = 0; i < 64; ++i)
        bytes[i] = static_cast<u8>(seed + 3 * i);
    return copy_to_user_bytes(kBase, bytes, sizeof bytes).has_value();
}
u64 matching(unsigned slot, u8 seed) {
    u64 count = 0;
    for (unsigned i = 0; i < 64; ++i)
        count += static_cast<u8>(spma22::array()[slot * 64 + i]) == static_cast<u8>(seed + 3 * i) ? 1 : 0;
    return count;
}
bool failed_with(const Result<u64>& result, Errno error) { return !result.has_value() && result.error() == error; }

TEST(Spma22, WithoutTheOptionThereAreNoCalls) {
    Caller caller{};
    if (spma22::enabled())
        return;
    EXPECT_TRUE(failed_with(sys_fccmp_array(caller, kBase, 0, 8), Errno::NoSys));
    EXPECT_TRUE(failed_with(sys_fccmp_nt(caller, kBase, 0), Errno::NoSys));
    EXPECT_TRUE(failed_with(sys_syscall_bench(caller, 0, UserPtr<u64>(kBase)), Errno::NoSys));
    EXPECT_TRUE(failed_with(sys_perf_event_open(caller, UserPtr<const u8>(kBase), 0, -1, -1, 0), Errno::NoSys));
}

TEST(Spma22, ArrayTakesTheBytesAskedForAndNoMore) {
    LoadedSpace space(1);
    ASSERT_TRUE(space.good());
    spma22::enable();
    Caller caller{};
    ASSERT_TRUE(put_pattern(1));
    EXPECT_TRUE(sys_fccmp_array(caller, kBase, 46, 64).has_value() &&
                sys_fccmp_array(caller, kBase, 48, 64).has_value());
    for (u8 size = 0; size <= 64; ++size) {
        ASSERT_TRUE(put_pattern(1));
        EXPECT_TRUE(sys_fccmp_array(caller, kBase, 47, 64).has_value());
        ASSERT_TRUE(put_pattern(2));
        EXPECT_TRUE(sys_fccmp_array(caller, kBase, 47, size).has_value());
        EXPECT_EQ(matching(47, 2), u64{size});
        EXPECT_EQ(matching(47, 1), u64{64} - size);
    }
    EXPECT_EQ(matching(46, 1), u64{64});
    EXPECT_EQ(matching(48, 1), u64{64});
    EXPECT_TRUE(failed_with(sys_fccmp_array(caller, kBase, 64, 8), Errno::Inval));
    EXPECT_TRUE(failed_with(sys_fccmp_array(caller, kBase + kPageSize - 8, 47, 64), Errno::Fault));
}

TEST(Spma22, CopiesPastTheCacheReachTheirSlot) {
    LoadedSpace space(1);
    ASSERT_TRUE(space.good());
    spma22::enable();
    Caller caller{};
    for (u8 slot = 0; slot < 64; ++slot) {
        ASSERT_TRUE(put_pattern(slot));
        const Result<u64> result = sys_fccmp_nt(caller, kBase, slot);
        if (!cpu_features.avx2) {
            EXPECT_TRUE(failed_with(result, Errno::Busy));
            continue;
        }
        EXPECT_TRUE(result.has_value());
        EXPECT_EQ(matching(slot, slot), u64{64});
    }
}

} // namespace
} // namespace tollgate
#endif
