#include "fs/line_discipline.h"

#include "lib/fixed_string.h"
#include "tests/harness/test.h"

#include <new>

namespace tollgate::fs {
namespace {

constexpr u32 kInterrupt = 1u << 2, kQuit = 1u << 3, kSuspend = 1u << 20;

class TestScreen final : public Screen {
public:
    void write(StringView more) override { text.write(more); }
    void discard() override { text.clear(); }
    FixedString<8192> text;
};

/// A terminal with its screen; static storage, since kernel stacks are small.
struct Fixture {
    LineDiscipline line;
    TestScreen screen;
    char buffer[LineDiscipline::kSize + 1] = {};

    LineDiscipline::Received type(StringView text) { return line.receive(text, screen); }
    StringView read(u64 size = sizeof buffer) { return {buffer, line.read(buffer, size).size}; }
    StringView echoed() const { return screen.text.view(); }
    template <class Change>
    void change(Change change) {
        Termios settings = line.settings();
        change(settings);
        line.set(settings);
    }
};
Fixture& fresh() {
    static constinit Fixture fixture{};
    new (&fixture.line) LineDiscipline(); // in place: a temporary would fill half a kernel stack
    fixture.screen.text.clear();
    return fixture;
}

TEST(LineDiscipline, GivesALineWhenItIsFinished) {
    Fixture& t = fresh();
    EXPECT_EQ(t.type("ab").taken, 2u);
    EXPECT_FALSE(t.line.readable());
    t.type("c\n");
    EXPECT_TRUE(t.line.readable());
    EXPECT_EQ(t.line.waiting(), 4u);
    EXPECT_TRUE(t.read() == "abc\n");
    EXPECT_FALSE(t.line.readable());
    EXPECT_TRUE(t.echoed() == "abc\r\n");
}

TEST(LineDiscipline, ReadsOneLineAtATime) {
    Fixture& t = fresh();
    t.type("one\ntwo\n");
    EXPECT_TRUE(t.read(2) == "on");
    EXPECT_TRUE(t.read() == "e\n");
    EXPECT_TRUE(t.read() == "two\n");
}

TEST(LineDiscipline, TurnsReturnIntoNewline) {
    Fixture& t = fresh();
    t.type("x\r");
    EXPECT_TRUE(t.read() == "x\n");
    t.change([](Termios& s) { s.input = kIgnCr; });
    t.type("y\rz\n");
    EXPECT_TRUE(t.read() == "yz\n");
    t.change([](Termios& s) { s.input = kInlCr, s.characters[kVEol] = '\r'; });
    t.type("w\n");
    EXPECT_TRUE(t.read() == "w\r");
}

TEST(LineDiscipline, StripsAndLowers) {
    Fixture& t = fresh();
    t.change([](Termios& s) { s.input = kIStrip | kIuclc; });
    t.type("\xc1Z\n");
    EXPECT_TRUE(t.read() == "az\n");
}

TEST(LineDiscipline, ErasesACharacter) {
    Fixture& t = fresh();
    t.type("ab\x7f");
    EXPECT_TRUE(t.echoed() == "ab\b \b");
    t.type("c\n");
    EXPECT_TRUE(t.read() == "ac\n");
}

TEST(LineDiscipline, ErasesNoFurtherThanTheLine) {
    Fixture& t = fresh();
    t.type("done\n\x7f\x7f");
    EXPECT_TRUE(t.echoed() == "done\r\n");
    t.type("\n");
    EXPECT_TRUE(t.read() == "done\n");
    EXPECT_TRUE(t.read() == "\n");
}

TEST(LineDiscipline, ErasesAWholeUtf8Character) {
    Fixture& t = fresh();
    t.type("a\xc3\xa9\x7f\n");
    EXPECT_TRUE(t.read() == "a\n");
    t.change([](Termios& s) { s.input &= ~kIUtf8; });
    t.type("a\xc3\xa9\x7f\n");
    EXPECT_TRUE(t.read() == "a\xc3\n");
}

TEST(LineDiscipline, ErasesAControlCharacterAsTwo) {
    Fixture& t = fresh();
    t.type("\x01\x7f");
    EXPECT_TRUE(t.echoed() == "^A\b \b\b \b");
}

TEST(LineDiscipline, ErasesATabByItsWidth) {
    Fixture& t = fresh();
    t.line.write("$ ", t.screen);
    t.type("abc\t\x7f"); // from column 5 to 8
    EXPECT_TRUE(t.echoed() == "$ abc\t\b\b\b");
    t.screen.text.clear();
    t.type("\t\t\x7f"); // the second is eight wide
    EXPECT_TRUE(t.echoed() == "\t\t\b\b\b\b\b\b\b\b");
}

TEST(LineDiscipline, ErasesAWord) {
    Fixture& t = fresh();
    t.type("echo one_2, \x17");
    EXPECT_TRUE(t.echoed() == "echo one_2, \b \b\b \b\b \b\b \b\b \b\b \b\b \b");
    t.type("x\n");
    EXPECT_TRUE(t.read() == "echo x\n");
}

TEST(LineDiscipline, KillsTheLine) {
    Fixture& t = fresh();
    t.type("ab\x15");
    EXPECT_TRUE(t.echoed() == "ab\b \b\b \b");
    t.change([](Termios& s) { s.local &= ~kEchoKe; });
    t.screen.text.clear();
    t.type("ab\x15");
    EXPECT_TRUE(t.echoed() == "ab^U\r\n");
    t.change([](Termios& s) { s.local &= ~kEchoK; });
    t.screen.text.clear();
    t.type("ab\x15");
    EXPECT_TRUE(t.echoed() == "ab^U");
    t.type("c\n");
    EXPECT_TRUE(t.read() == "c\n");
}

TEST(LineDiscipline, ShowsTheEraseCharacterWithoutEchoe) {
    Fixture& t = fresh();
    t.change([](Termios& s) { s.local &= ~kEchoE; });
    t.type("ab\x7f");
    EXPECT_TRUE(t.echoed() == "ab^?");
}

TEST(LineDiscipline, PrintsWhatItErases) {
    Fixture& t = fresh();
    t.change([](Termios& s) { s.local |= kEchoPrt; });
    t.type("abc\x7f\x7fx");
    EXPECT_TRUE(t.echoed() == "abc\\cb/x");
}

TEST(LineDiscipline, TakesTheNextCharacterLiterally) {
    Fixture& t = fresh();
    EXPECT_EQ(t.type("\x16\x03\x16\x7f\n").signals, 0u);
    EXPECT_TRUE(t.read() == "\x03\x7f\n");
    EXPECT_TRUE(t.echoed() == "^\b^C^\b^?\r\n");
    t.change([](Termios& s) { s.local &= ~kIExten; });
    t.type("\x16y\n");
    EXPECT_TRUE(t.read() == "\x16y\n");
}

TEST(LineDiscipline, Reprints) {
    Fixture& t = fresh();
    t.type("ab\x12");
    EXPECT_TRUE(t.echoed() == "ab^R\r\nab");
}

TEST(LineDiscipline, EndsTheFile) {
    Fixture& t = fresh();
    t.type("\x04");
    EXPECT_TRUE(t.line.readable());
    const LineDiscipline::Piece end = t.line.read(t.buffer, 10);
    EXPECT_EQ(end.size, 0u);
    EXPECT_TRUE(end.end);
    EXPECT_FALSE(t.line.readable());
    t.type("ab\x04"); // behind text it only ends the line
    EXPECT_TRUE(t.read() == "ab");
    EXPECT_FALSE(t.line.readable());
    EXPECT_TRUE(t.echoed() == "ab");
}

TEST(LineDiscipline, TakesTheEndOfFileWithARead) {
    Fixture& t = fresh();
    t.type("ab\x04");
    EXPECT_TRUE(t.read(2) == "ab");
    EXPECT_FALSE(t.line.readable()); // no second read that says 0
}

TEST(LineDiscipline, KnowsOtherLineEnds) {
    Fixture& t = fresh();
    t.change([](Termios& s) { s.characters[kVEol] = ';', s.characters[kVEol2] = '!'; });
    t.type("a;b!");
    EXPECT_TRUE(t.read() == "a;");
    EXPECT_TRUE(t.read() == "b!");
}

TEST(LineDiscipline, AsksForSignals) {
    Fixture& t = fresh();
    const auto received = t.type("ab\x03zz");
    EXPECT_EQ(received.signals, kInterrupt);
    EXPECT_EQ(received.taken, 3u); // the rest comes again
    EXPECT_TRUE(received.start);
    EXPECT_TRUE(t.echoed() == "^C"); // what was not shown yet is gone
    EXPECT_EQ(t.type("\x1c").signals, kQuit);
    EXPECT_EQ(t.type("\x1a").signals, kSuspend);
    t.type("c\n");
    EXPECT_TRUE(t.read() == "c\n");
    t.change([](Termios& s) { s.local &= ~kISig; });
    EXPECT_EQ(t.type("\x03\n").signals, 0u);
    EXPECT_TRUE(t.read() == "\x03\n");
}

TEST(LineDiscipline, KeepsInputWithNoflsh) {
    Fixture& t = fresh();
    t.change([](Termios& s) { s.local |= kNoFlsh; });
    t.type("ab\x03");
    EXPECT_TRUE(t.echoed() == "ab^C");
    t.type("c\n");
    EXPECT_TRUE(t.read() == "abc\n");
}

TEST(LineDiscipline, DisabledCharactersAreOrdinary) {
    Fixture& t = fresh();
    t.change([](Termios& s) { s.characters[kVIntr] = 0; });
    EXPECT_EQ(t.type(StringView("\0\x03\n", 3)).signals, 0u);
    EXPECT_TRUE(t.read() == StringView("\0\x03\n", 3));
}

TEST(LineDiscipline, StopsAndStarts) {
    Fixture& t = fresh();
    EXPECT_TRUE(t.type("\x13").stop);
    EXPECT_TRUE(t.type("\x11").start);
    EXPECT_FALSE(t.type("a").start);
    t.change([](Termios& s) { s.input |= kIxAny; });
    EXPECT_TRUE(t.type("a").start);
    t.change([](Termios& s) { s.input &= ~kIxOn; });
    EXPECT_FALSE(t.type("\x13\n").stop);
    EXPECT_TRUE(t.read() == "aa\x13\n");
}

TEST(LineDiscipline, EchoesOnlyWhatItIsTold) {
    Fixture& t = fresh();
    t.change([](Termios& s) { s.local &= ~kEcho; });
    t.type("secret\x7f\x15x\n");
    EXPECT_TRUE(t.echoed().empty());
    EXPECT_TRUE(t.read() == "x\n");
    t.change([](Termios& s) { s.local |= kEchoNl; });
    t.type("y\n");
    EXPECT_TRUE(t.echoed() == "\r\n");
    t.change([](Termios& s) { s.local = (s.local | kEcho) & ~kEchoCtl; });
    t.screen.text.clear();
    t.type("\x01");
    EXPECT_TRUE(t.echoed() == "\x01");
}

TEST(LineDiscipline, RawInputIsReadableAtOnce) {
    Fixture& t = fresh();
    t.change([](Termios& s) { s.local = 0, s.input = 0; });
    t.type("a\r\x03");
    EXPECT_TRUE(t.line.readable(3));
    EXPECT_FALSE(t.line.readable(4));
    EXPECT_TRUE(t.read() == "a\r\x03");
    EXPECT_TRUE(t.echoed().empty());
}

TEST(LineDiscipline, GivesAnUnfinishedLineToRawReaders) {
    Fixture& t = fresh();
    t.type("one\ntw");
    t.change([](Termios& s) { s.local &= ~kICanon; });
    EXPECT_EQ(t.line.waiting(), 6u);
    EXPECT_TRUE(t.read() == "one\ntw");
    t.type("raw");
    t.change([](Termios& s) { s.local |= kICanon; });
    EXPECT_TRUE(t.read() == "raw"); // a line without an end
    t.type("x\n");
    EXPECT_TRUE(t.read() == "x\n");
}

TEST(LineDiscipline, CutsALineThatIsTooLong) {
    Fixture& t = fresh();
    for (u32 n = 0; n < LineDiscipline::kSize + 100; ++n)
        EXPECT_EQ(t.type("x").taken, 1u);
    EXPECT_EQ(t.type("\n").taken, 1u);
    const StringView line = t.read();
    EXPECT_EQ(line.size(), u64{LineDiscipline::kSize});
    EXPECT_TRUE(line[line.size() - 1] == '\n');
    EXPECT_FALSE(t.line.readable());
}

TEST(LineDiscipline, HoldsBackWhenLinesAreUnread) {
    Fixture& t = fresh();
    t.type("first\n");
    u64 taken = 0;
    while (t.type("x").taken == 1 && taken < 2 * LineDiscipline::kSize)
        ++taken;
    EXPECT_EQ(taken, LineDiscipline::kSize - 6u - 1u);
    EXPECT_EQ(t.line.room(), 0u);
    EXPECT_TRUE(t.read() == "first\n");
    EXPECT_TRUE(t.line.room() > 0);
}

TEST(LineDiscipline, WrapsAround) {
    Fixture& t = fresh();
    bool same = true;
    for (int round = 0; round < 1000; ++round) {
        t.type("0123456789\n");
        same = same && t.read() == "0123456789\n";
        t.screen.text.clear();
    }
    EXPECT_TRUE(same);
}

TEST(LineDiscipline, ProcessesOutput) {
    Fixture& t = fresh();
    t.line.write("a\nb", t.screen);
    EXPECT_TRUE(t.echoed() == "a\r\nb");
    t.screen.text.clear();
    t.change([](Termios& s) { s.output = 0; });
    t.line.write("a\nb", t.screen);
    EXPECT_TRUE(t.echoed() == "a\nb");
}

TEST(LineDiscipline, ExpandsTabs) {
    Fixture& t = fresh();
    t.change([](Termios& s) { s.output |= kTabDelay; });
    t.line.write("ab\tc\n\tx", t.screen);
    EXPECT_TRUE(t.echoed() == "ab      c\r\n        x");
}

TEST(LineDiscipline, KnowsTheOtherOutputModes) {
    Fixture& t = fresh();
    t.change([](Termios& s) { s.output = kOPost | kOcrNl; });
    t.line.write("a\rb", t.screen);
    EXPECT_TRUE(t.echoed() == "a\nb");
    t.change([](Termios& s) { s.output = kOPost | kOnoCr | kOlcuc; });
    t.screen.text.clear();
    t.line.write("x\ry\r\rz", t.screen);
    EXPECT_TRUE(t.echoed() == "X\rY\rZ");
}

TEST(LineDiscipline, ABreakInterruptsOrIsNul) {
    Fixture& t = fresh();
    t.change([](Termios& s) { s.local = 0, s.input = 0; });
    EXPECT_EQ(t.line.receive_break(t.screen).signals, 0u);
    EXPECT_TRUE(t.read() == StringView("\0", 1));
    t.change([](Termios& s) { s.input = kBrkInt; });
    t.type("x");
    EXPECT_EQ(t.line.receive_break(t.screen).signals, kInterrupt);
    EXPECT_FALSE(t.line.readable());
    t.change([](Termios& s) { s.input |= kIgnBrk; });
    EXPECT_EQ(t.line.receive_break(t.screen).signals, 0u);
}

} // namespace
} // namespace tollgate::fs
