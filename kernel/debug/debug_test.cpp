// Words for exceptions and names for addresses: what a panic prints.
#ifdef TOLLGATE_KERNEL
#include "debug/panic.h"
#include "debug/symbols.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

extern "C" const u8 __image_start[], __text_end[];

u64 address_of(void (*function)(const PanicHooks&)) { return reinterpret_cast<u64>(function); }

TEST(Symbols, FunctionsHaveTheirNames) {
    const u64 address = address_of(&set_panic_hooks);
    EXPECT_TRUE(is_kernel_text(address));
    EXPECT_TRUE(find_symbol(address).name == "set_panic_hooks");
    EXPECT_EQ(find_symbol(address).offset, 0u);
    EXPECT_TRUE(find_symbol(address + 1).name == "set_panic_hooks");
    EXPECT_EQ(find_symbol(address + 1).offset, 1u);
    EXPECT_TRUE(find_symbol(reinterpret_cast<u64>(&find_symbol)).name == "find_symbol");
    EXPECT_FALSE(find_symbol(address - 1).name == "set_panic_hooks");
}

TEST(Symbols, NothingOutsideTheText) {
    const u64 start = reinterpret_cast<u64>(__image_start), end = reinterpret_cast<u64>(__text_end);
    for (const u64 address : {u64{0}, start - 1, end, end + 4096, ~u64{0}, u64{1} << 47}) {
        EXPECT_FALSE(is_kernel_text(address));
        EXPECT_TRUE(find_symbol(address).name.empty());
    }
    (void)find_symbol(start); // headers, before the first function: no name, but no wild read either
    EXPECT_FALSE(find_symbol(end - 1).name.empty());
}

TEST(Panic, ExceptionsHaveNames) {
    EXPECT_TRUE(StringView(exception_name(0)) == "#DE divide error");
    EXPECT_TRUE(StringView(exception_name(8)) == "#DF double fault");
    EXPECT_TRUE(StringView(exception_name(13)) == "#GP general protection");
    EXPECT_TRUE(StringView(exception_name(14)) == "#PF page fault");
    EXPECT_TRUE(StringView(exception_name(21)) == "#CP control protection");
    for (const u64 vector : {u64{22}, u64{31}, u64{32}, u64{255}, ~u64{0}})
        EXPECT_TRUE(StringView(exception_name(vector)) == "interrupt");
}

} // namespace
} // namespace tollgate
#endif
