// Tests of StringView and of number parsing.
#include "lib/string_view.h"

#include "tests/harness/test.h"

namespace tollgate {
namespace {

TEST(StringView, ComparesAndOrders) {
    EXPECT_EQ(StringView("abc"), StringView("abcdef", 3));
    EXPECT_NE(StringView("abc"), StringView("abd"));
    EXPECT_EQ(StringView(), "");
    EXPECT_EQ(StringView(nullptr), "");
    EXPECT_TRUE(StringView("ab") < StringView("abc"));
    EXPECT_TRUE(StringView("\x7f") < StringView("\x80"));
}

TEST(StringView, CutsWithinBounds) {
    const StringView text("tollgate");
    EXPECT_EQ(text.substr(4), "gate");
    EXPECT_EQ(text.substr(4, 2), "ga");
    EXPECT_EQ(text.substr(4, 100), "gate");
    EXPECT_EQ(text.substr(100), "");
    EXPECT_TRUE(text.starts_with("toll") && text.starts_with("") && !text.starts_with("tollgates"));
    EXPECT_TRUE(text.ends_with("gate") && text.ends_with("") && !text.ends_with("a tollgate"));
    EXPECT_EQ(text.front(), 't');
    EXPECT_EQ(text.back(), 'e');
}

TEST(StringView, Finds) {
    const StringView text("a/bb/ccc");
    EXPECT_EQ(text.find('/'), 1u);
    EXPECT_EQ(text.find('/', 2), 4u);
    EXPECT_EQ(text.rfind('/'), 4u);
    EXPECT_FALSE(text.find('x').has_value());
    EXPECT_FALSE(text.find('a', 100).has_value());
    EXPECT_EQ(text.find("bb"), 2u);
    EXPECT_EQ(text.find("ccc"), 5u);
    EXPECT_EQ(text.find(""), 0u);
    EXPECT_FALSE(text.find("cccc").has_value());
    EXPECT_TRUE(text.contains("b/c") && text.contains('c') && !text.contains("x"));
}

TEST(StringView, Trims) {
    EXPECT_EQ(StringView(" \t a b\r\n").trimmed(), "a b");
    EXPECT_EQ(StringView(" \n ").trimmed(), "");
}

TEST(StringView, Splits) {
    const StringView expected[] = {"a", "", "b", ""};
    size_t count = 0;
    for (const StringView part : StringView("a//b/").split('/')) {
        ASSERT_LT(count, 4u);
        EXPECT_EQ(part, expected[count]);
        ++count;
    }
    EXPECT_EQ(count, 4u);
    size_t pieces = 0;
    for (const StringView part : StringView("").split('/')) {
        EXPECT_TRUE(part.empty());
        ++pieces;
    }
    EXPECT_EQ(pieces, 1u);
}

TEST(StringView, Strnlen) {
    EXPECT_EQ(strnlen("abc", 10), 3u);
    EXPECT_EQ(strnlen("abc", 2), 2u);
    EXPECT_EQ(strnlen("abc", 0), 0u);
}

TEST(ParseNumber, Decimal) {
    EXPECT_EQ(*parse_decimal("0"), 0u);
    EXPECT_EQ(*parse_decimal("18446744073709551615"), ~u64{0});
    EXPECT_EQ(parse_decimal("18446744073709551616").error(), Errno::Range);
    EXPECT_EQ(parse_decimal("99999999999999999999999").error(), Errno::Range);
    EXPECT_EQ(parse_decimal("").error(), Errno::Inval);
    EXPECT_EQ(parse_decimal("12a").error(), Errno::Inval);
    EXPECT_EQ(parse_decimal("-1").error(), Errno::Inval);
    EXPECT_EQ(parse_decimal(" 1").error(), Errno::Inval);
}

TEST(ParseNumber, Hexadecimal) {
    EXPECT_EQ(*parse_hex("ffffffffffffffff"), ~u64{0});
    EXPECT_EQ(*parse_hex("0xDeadBeef"), 0xdeadbeefu);
    EXPECT_EQ(parse_hex("0x").error(), Errno::Inval);
    EXPECT_EQ(parse_hex("10000000000000000").error(), Errno::Range);
    EXPECT_EQ(*parse_number("0X10"), 16u);
    EXPECT_EQ(*parse_number("10"), 10u);
    EXPECT_EQ(parse_number("ff").error(), Errno::Inval);
}

} // namespace
} // namespace tollgate
