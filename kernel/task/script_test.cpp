// First lines of scripts, good and bad.
#include "task/script.h"

#include "tests/harness/test.h"

namespace tollgate::task {
namespace {

bool is(StringView head, StringView interpreter, StringView argument) {
    const auto line = parse_script(head);
    return line && line->interpreter == interpreter && line->argument == argument;
}

TEST(Script, InterpreterAndArgument) {
    EXPECT_TRUE(is("#!/bin/sh\necho", "/bin/sh", ""));
    EXPECT_TRUE(is("#! /bin/sh -e\n", "/bin/sh", "-e"));
    EXPECT_TRUE(is("#!\t /bin/sh \t -e  -x \t\nrest", "/bin/sh", "-e  -x"));
    EXPECT_TRUE(is("#!/bin/sh", "/bin/sh", ""));
    EXPECT_TRUE(is("#!sh\n", "sh", ""));
}

TEST(Script, WhatIsNone) {
    EXPECT_FALSE(parse_script("").has_value());
    EXPECT_FALSE(parse_script("#").has_value());
    EXPECT_FALSE(parse_script("#!").has_value());
    EXPECT_FALSE(parse_script("#!\n/bin/sh").has_value());
    EXPECT_FALSE(parse_script("#!  \t\n").has_value());
    EXPECT_FALSE(parse_script(" #!/bin/sh\n").has_value());
}

TEST(Script, LongLines) {
    char text[kScriptHead];
    for (char& c : text)
        c = 'x';
    text[0] = '#';
    text[1] = '!';
    EXPECT_FALSE(parse_script({text, sizeof text}).has_value()); // the name may go on
    text[100] = ' ';
    const auto line = parse_script({text, sizeof text});
    EXPECT_TRUE(line && line->interpreter.size() == 98 && line->argument.size() == 155);
    EXPECT_TRUE(parse_script({text, 90}).has_value()); // the file ends there
}

} // namespace
} // namespace tollgate::task
