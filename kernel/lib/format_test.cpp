// Tests of formatting and of the sinks with a fixed size.
#include "lib/format.h"

#include "lib/fixed_string.h"
#include "lib/parse_error.h"
#include "tests/harness/test.h"

#include <limits>

namespace tollgate {
namespace {

template <class... Args>
FixedString<200> text(FormatString<std::type_identity_t<Args>...> format, const Args&... args) {
    FixedString<200> result;
    format_to(result, format, args...);
    return result;
}

FixedString<200> at_run_time(StringView format, u64 argument) {
    FixedString<200> result;
    const FormatArg arg = detail::make_format_arg(argument);
    format_args(result, format, std::span(&arg, 1));
    return result;
}

enum class Colour : u8 { Red = 3 };

struct Point {
    int x;
    int y;
    void format(Sink& sink) const { format_to(sink, "({}, {})", x, y); }
};

TEST(Format, Integers) {
    EXPECT_EQ(text("{} {} {}", 0, -5, 7u).view(), "0 -5 7");
    EXPECT_EQ(text("{}", ~u64{0}).view(), "18446744073709551615");
    EXPECT_EQ(text("{}", std::numeric_limits<i64>::min()).view(), "-9223372036854775808");
    EXPECT_EQ(text("{:x} {:X} {:o} {:b}", 255, 255, 8, 5).view(), "ff FF 10 101");
    EXPECT_EQ(text("{:#x} {:#b} {:+}", 255, 5, 1).view(), "0xff 0b101 +1");
    EXPECT_EQ(text("{:x}", -1).view(), "-1");
    EXPECT_EQ(text("{} {}", u8{200}, i8{-100}).view(), "200 -100");
    EXPECT_EQ(text("{}", Colour::Red).view(), "3");
    EXPECT_EQ(text("{:b}", ~u64{0}).view().size(), 64u);
}

TEST(Format, WidthFillAndZeros) {
    EXPECT_EQ(text("[{:5}] [{:<5}] [{:^5}] [{:>5}]", 42, 42, 42, 42).view(), "[   42] [42   ] [ 42  ] [   42]");
    EXPECT_EQ(text("[{:5}] [{:>5}] [{:*^7}]", "ab", "ab", "abc").view(), "[ab   ] [   ab] [**abc**]");
    EXPECT_EQ(text("{:08x} {:#010x} {:05}", 0xabcd, 0xabcd, -42).view(), "0000abcd 0x0000abcd -0042");
    EXPECT_EQ(text("{:2}", 12345).view(), "12345");
    EXPECT_EQ(text("{:100}", 1).size(), 100u);
    EXPECT_EQ(text("{:0100}", 1).size(), 100u);
}

TEST(Format, OtherTypes) {
    EXPECT_EQ(text("{} {} {}", true, false, 'c').view(), "true false c");
    EXPECT_EQ(text("{:d} {:x} {:c}", 'A', 'A', 66).view(), "65 41 B");
    EXPECT_EQ(text("{} {}", StringView("view"), "literal").view(), "view literal");
    EXPECT_EQ(text("{} {}", PhysAddr(0x1000), VirtAddr(0xffffffff80000000)).view(), "0x1000 0xffffffff80000000");
    EXPECT_EQ(text("{} {}", UserPtr<int>(16), nullptr).view(), "0x10 0x0");
    EXPECT_EQ(text("{:018}", PhysAddr(0x1000)).view(), "0x0000000000001000");
    EXPECT_EQ(text("{}", Errno::NoEnt).view(), "ENOENT");
    EXPECT_EQ(text("{}", Point{1, -2}).view(), "(1, -2)");
    EXPECT_EQ(text("{}", ParseError{"broken", 32}).view(), "broken (at 0x20)");
    const char* const null_text = nullptr;
    EXPECT_EQ(text("[{}]", null_text).view(), "[]");
    const char unterminated[3] = {'a', 'b', 'c'};
    EXPECT_EQ(text("{}", unterminated).view(), "abc");
}

TEST(Format, BracesAndLiterals) {
    EXPECT_EQ(text("{{}} {{{}}}", 1).view(), "{} {1}");
    EXPECT_EQ(text("").view(), "");
}

TEST(Format, BrokenStringsPrintAMarker) {
    EXPECT_EQ(at_run_time("{", 1).view(), "{?}");
    EXPECT_EQ(at_run_time("}", 1).view(), "{?}");
    EXPECT_EQ(at_run_time("a } b", 1).view(), "a {?} b");
    EXPECT_EQ(at_run_time("{:q}", 1).view(), "{?}");
    EXPECT_EQ(at_run_time("{0}", 1).view(), "{?}");
    EXPECT_EQ(at_run_time("{:999}", 1).view(), "{?}");
    EXPECT_EQ(at_run_time("{:99999999999999999999}", 1).view(), "{?}");
    EXPECT_EQ(at_run_time("{:s}", 1).view(), "{?}");
    EXPECT_EQ(at_run_time("{} {}", 1).view(), "1 {?}");
    EXPECT_EQ(at_run_time("no field", 1).view(), "no field");
    EXPECT_EQ(at_run_time("{:x", 1).view(), "{?}");
}

TEST(FixedString, TruncatesAndRemembers) {
    FixedString<4> small;
    small.write("abcd");
    EXPECT_FALSE(small.truncated());
    small.write("");
    EXPECT_FALSE(small.truncated());
    small.write("e");
    EXPECT_TRUE(small.truncated());
    EXPECT_EQ(small.view(), "abcd");
    EXPECT_EQ(StringView(small.c_str()), "abcd");
    small.clear();
    EXPECT_TRUE(small.empty() && !small.truncated());
}

TEST(BufferSink, KeepsTheTerminator) {
    char buffer[4] = {'x', 'x', 'x', 'x'};
    BufferSink sink(buffer);
    format_to(sink, "{}", 12345);
    EXPECT_EQ(sink.view(), "123");
    EXPECT_TRUE(sink.truncated());
    EXPECT_EQ(buffer[3], '\0');
}

} // namespace
} // namespace tollgate
