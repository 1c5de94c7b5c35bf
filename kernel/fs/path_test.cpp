#include "fs/path.h"

#include "tests/harness/test.h"

namespace tollgate::fs {
namespace {

/// All names of a path, joined by '|'; "!" in place of an error.
StringView joined(StringView path, char (&buffer)[1024]) {
    PathNames names(path);
    size_t length = 0;
    for (;;) {
        const auto name = names.next();
        if (!name)
            return "!";
        if (!*name)
            return {buffer, length};
        if (length != 0)
            buffer[length++] = '|';
        for (const char c : **name)
            buffer[length++] = c;
    }
}

TEST(PathNames, LeavesOutEmptyNamesAndDots) {
    char buffer[1024];
    EXPECT_TRUE(joined("/usr/bin/x", buffer) == "usr|bin|x");
    EXPECT_TRUE(joined("//usr/./bin/", buffer) == "usr|bin");
    EXPECT_TRUE(joined("../a/..", buffer) == "..|a|..");
    EXPECT_TRUE(joined("/", buffer).empty());
    EXPECT_TRUE(joined("", buffer).empty());
    EXPECT_TRUE(joined("...", buffer) == "...");
}

TEST(PathNames, RefusesLongNames) {
    char text[kMaxName + 1];
    for (char& c : text)
        c = 'a';
    char buffer[1024];
    EXPECT_TRUE(joined({text, kMaxName + 1}, buffer) == "!");
    EXPECT_EQ(joined({text, kMaxName}, buffer).size(), kMaxName);
}

TEST(SplitPath, SeparatesTheLastName) {
    const SplitPath plain = split_path("/a/b");
    EXPECT_TRUE(plain.parent == "/a/" && plain.name == "b" && !plain.directory);
    const SplitPath relative = split_path("b");
    EXPECT_TRUE(relative.parent.empty() && relative.name == "b");
    const SplitPath slashed = split_path("/a/b//");
    EXPECT_TRUE(slashed.parent == "/a/" && slashed.name == "b" && slashed.directory);
}

TEST(SplitPath, HasNoNameForTheRootAndDots) {
    EXPECT_TRUE(split_path("/").name.empty());
    EXPECT_TRUE(split_path("/").parent == "/");
    EXPECT_TRUE(split_path("///").name.empty());
    EXPECT_TRUE(split_path("a/..").name.empty());
    EXPECT_TRUE(split_path("a/..").parent == "a/..");
    EXPECT_TRUE(split_path(".").parent == ".");
}

} // namespace
} // namespace tollgate::fs
