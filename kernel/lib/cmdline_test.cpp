// Tests of the kernel command line.
#include "lib/cmdline.h"

#include "tests/harness/test.h"

namespace tollgate {
namespace {

TEST(Cmdline, KeysValuesAndFlags) {
    const Cmdline cmdline("  pti=on trace\tflexsc.workers=2 empty= pti=off path=/a=b ");
    EXPECT_EQ(cmdline.get("pti"), StringView("off")); // the last one wins
    EXPECT_EQ(cmdline.get("trace"), StringView(""));
    EXPECT_EQ(cmdline.get("empty"), StringView(""));
    EXPECT_EQ(cmdline.get("path"), StringView("/a=b"));
    EXPECT_TRUE(cmdline.has("trace"));
    EXPECT_FALSE(cmdline.get("pt").has_value());
    EXPECT_FALSE(cmdline.get("").has_value());
    EXPECT_EQ(*cmdline.get_u64("flexsc.workers"), 2u);
    EXPECT_EQ(cmdline.get_u64("missing").error(), Errno::NoEnt);
    EXPECT_EQ(cmdline.get_u64("pti").error(), Errno::Inval);
    EXPECT_EQ(cmdline.get_u64("trace").error(), Errno::Inval);
}

TEST(Cmdline, Numbers) {
    const Cmdline cmdline("a=0x20 b=99999999999999999999");
    EXPECT_EQ(*cmdline.get_u64("a"), 32u);
    EXPECT_EQ(cmdline.get_u64("b").error(), Errno::Range);
}

TEST(Cmdline, InitArgumentsAfterADoubleDash) {
    const Cmdline cmdline("pti=on -- bench --pti=x \"two words\" -- last ");
    EXPECT_EQ(cmdline.get("pti"), StringView("on"));
    EXPECT_FALSE(cmdline.has("--pti"));
    EXPECT_FALSE(cmdline.has("bench"));
    EXPECT_EQ(cmdline.init_arguments(), "bench --pti=x \"two words\" -- last");
    Words words(cmdline.init_arguments());
    EXPECT_EQ(words.next(), StringView("bench"));
    EXPECT_EQ(words.next(), StringView("--pti=x"));
    EXPECT_EQ(unquoted(*words.next()), "two words");
    EXPECT_EQ(words.next(), StringView("--"));
    EXPECT_EQ(words.next(), StringView("last"));
    EXPECT_FALSE(words.next().has_value());

    EXPECT_EQ(Cmdline("-- only init").init_arguments(), "only init");
    EXPECT_EQ(Cmdline("a --").init_arguments(), "");
    EXPECT_EQ(Cmdline("a --b").init_arguments(), "");
    EXPECT_TRUE(Cmdline("a --b").has("--b"));
}

TEST(Cmdline, Quotes) {
    const Cmdline cmdline("a=\"x -- y\" \"b=p q\" c=\"open d=1");
    EXPECT_EQ(cmdline.get("a"), StringView("x -- y"));
    EXPECT_EQ(cmdline.get("b"), StringView("p q"));
    EXPECT_EQ(cmdline.get("c"), StringView("open d=1"));
    EXPECT_EQ(cmdline.init_arguments(), "");
    EXPECT_EQ(unquoted("\""), "");
    EXPECT_EQ(unquoted("\"\""), "");
    EXPECT_EQ(unquoted("plain"), "plain");
}

TEST(Cmdline, VisitsEveryOptionInOrder) {
    const StringView keys[] = {"a", "b", "", "a"};
    size_t count = 0;
    Cmdline("a=1 b =x a -- c").for_each([&](const CmdlineOption& option) {
        EXPECT_TRUE(count < 4 && option.key == keys[count]);
        EXPECT_EQ(option.has_value, count == 0 || count == 2);
        ++count;
    });
    EXPECT_EQ(count, 4u);
}

TEST(Cmdline, Empty) {
    EXPECT_FALSE(Cmdline().has("a"));
    EXPECT_FALSE(Cmdline("   ").has(""));
    EXPECT_EQ(Cmdline("").init_arguments(), "");
}

} // namespace
} // namespace tollgate
