// Terminals: what a line of bytes becomes on its way to the reader and to the screen [POSIX.1-2017, chapter 11; man 3
// termios, man 4 pts].
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "userland/conform/pty.h"

namespace {

using namespace tollgate;
using namespace tollgate::pty;

// ---- the pair itself ----

void test_pair(Ktap& ktap) {
    const Pair pair;
    ktap.check(pair.good(), "no pseudo terminal: errno %d", errno);
    struct stat status {};
    ktap.check(fstat(pair.slave, &status) == 0 && S_ISCHR(status.st_mode), "the slave is no character device");
    ktap.check(major(status.st_rdev) == 136, "major number %u", major(status.st_rdev));
    ktap.check(fstat(pair.master, &status) == 0 && major(status.st_rdev) == 5 && minor(status.st_rdev) == 2,
               "the master is %u:%u", major(status.st_rdev), minor(status.st_rdev));
    ktap.check(isatty(pair.slave) == 1 && isatty(pair.master) == 1, "no terminal");
    ktap.test("a pair opens");

    const int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    int number = -1;
    ktap.check(ioctl(master, TIOCGPTN, &number) == 0, "TIOCGPTN: errno %d", errno);
    char name[32];
    std::snprintf(name, sizeof name, "/dev/pts/%d", number);
    ktap.check(stat(name, &status) == 0, "%s is not there", name);
    int locked = -1;
    ktap.check(ioctl(master, TIOCGPTLCK, &locked) == 0 && locked == 1, "it starts unlocked (%d)", locked);
    fails(ktap, open(name, O_RDWR | O_NOCTTY), EIO, "open of a locked slave");
    ktap.check(grantpt(master) == 0, "grantpt: errno %d", errno);
    ktap.check(unlockpt(master) == 0, "unlockpt: errno %d", errno);
    char found[32] = {};
    ktap.check(ptsname_r(master, found, sizeof found) == 0 && std::strcmp(found, name) == 0, "ptsname is %s", found);
    const int slave = open(name, O_RDWR | O_NOCTTY);
    ktap.check(slave >= 0, "open: errno %d", errno);
    char link[40], path[40] = {};
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", slave);
    ktap.check(readlink(link, path, sizeof path - 1) > 0 && std::strcmp(path, name) == 0, "its path is '%s'", path);
    close(slave);
    close(master);
    fails(ktap, stat(name, &status), ENOENT, "stat after the master has closed");
    ktap.test("grantpt, unlockpt and the name");
}

void test_ends(Ktap& ktap) {
    {
        Pair pair;
        close(pair.slave);
        char byte;
        fails(ktap, read(pair.master, &byte, 1), EIO, "read without a slave");
        ktap.check(events(pair.master, POLLIN) & POLLHUP, "no POLLHUP");
        pair.slave = open(pair.name, O_RDWR | O_NOCTTY);
        ktap.check(!(events(pair.master, POLLIN) & POLLHUP), "still POLLHUP");
    }
    ktap.test("the master sees the slave close");
    {
        Pair pair;
        close(pair.master);
        pair.master = -1;
        char byte;
        ktap.check(read(pair.slave, &byte, 1) == 0, "read is not at its end: errno %d", errno);
        fails(ktap, write(pair.slave, "x", 1), EIO, "write without a master");
        ktap.check(events(pair.slave, POLLIN | POLLOUT) & POLLHUP, "no POLLHUP");
        struct termios settings;
        fails(ktap, ioctl(pair.slave, TCGETS, &settings), EIO, "TCGETS without a master");
    }
    ktap.test("the slave sees the master close");
}

// ---- editing ----

void test_editing(Ktap& ktap) {
    {
        const Pair pair;
        pair.type("hel");
        ktap.check(!readable(pair.slave, kSoon), "half a line is readable");
        pair.type("lo\n");
        same(ktap, get(pair.slave), "hello\n");
        pair.type("one\ntwo\n");
        same(ktap, get(pair.slave), "one\n");
        same(ktap, get(pair.slave), "two\n");
        pair.type("abcdef\n");
        same(ktap, get(pair.slave, 3), "abc");
        same(ktap, get(pair.slave), "def\n");
    }
    ktap.test("a read gives one line at most");

    edited(ktap,
           "ab\x7f"
           "c\n",
           "ac\n");
    edited(ktap, "ab\x7f\x7f\x7f\x7fx\n", "x\n");
    echoed(ktap, unchanged, "ab\x7f", "ab\b \b");
    echoed(ktap, unchanged, "\x01\x7f", "^A\b \b\b \b");
    ktap.test("erase");

    echoed(ktap, unchanged, "a\t\x7f", "a\t\b\b\b\b\b\b\b");
    ktap.test("erase of a tab");

    edited(ktap,
           "two words  \x17"
           "x\n",
           "two x\n");
    echoed(ktap, unchanged, "a bc\x17", "a bc\b \b\b \b");
    ktap.test("erase of a word");

    edited(ktap, "gone\x15left\n", "left\n");
    echoed(ktap, unchanged, "ab\x15", "ab\b \b\b \b");
    echoed(
        ktap, [](struct termios& t) { t.c_lflag &= ~ECHOKE; }, "ab\x15", "ab^U\r\n");
    ktap.test("kill");

    edited(ktap, "\x16\x03\x16\x15\n", "\x03\x15\n");
    echoed(ktap, unchanged, "\x16\x03", "^\b^C");
    ktap.test("literal next");

    echoed(ktap, unchanged, "ab\x12", "ab^R\r\nab");
    ktap.test("reprint");

    edited(ktap, "\x04", "");
    edited(ktap, "part\x04", "part");
    {
        const Pair pair;
        pair.type("ab\x04");
        same(ktap, get(pair.slave, 2), "ab");
        ktap.check(!readable(pair.slave, kSoon), "a second end of file");
    }
    ktap.test("end of file");

    {
        const Pair pair;
        pair.change([](struct termios& t) {
            t.c_cc[VEOL] = ';';
            t.c_cc[VEOL2] = '!';
        });
        pair.type("a;b!c\n");
        same(ktap, get(pair.slave), "a;");
        same(ktap, get(pair.slave), "b!");
        same(ktap, get(pair.slave), "c\n");
    }
    ktap.test("other line ends");

    {
        const Pair pair;
        pair.silent();
        pair.type(std::string(5000, 'x') + "\n");
        const std::string line = get(pair.slave, 8192);
        ktap.check(line.size() == 4096 && line.back() == '\n', "a line of %zu", line.size());
    }
    ktap.test("too long a line is cut");

    edited(ktap, "a\xc3\xa9\x7f\n", "a\xc3\n");
    {
        const Pair pair;
        pair.change([](struct termios& t) { t.c_iflag |= IUTF8; });
        pair.type("a\xc3\xa9\x7f\n");
        same(ktap, get(pair.slave), "a\n");
    }
    ktap.test("erase of a UTF-8 character");
}

// ---- modes ----

template <class Change>
void translated(Ktap& ktap, Change change, const std::string& typed, const std::string& wanted) {
    const Pair pair;
    pair.raw();
    pair.change(change);
    pair.type(typed);
    same(ktap, gather(pair.slave, wanted.size()), wanted);
}
template <class Change>
void printed(Ktap& ktap, Change change, const std::string& text, const std::string& wanted) {
    const Pair pair;
    pair.change(change);
    ktap.check(write(pair.slave, text.data(), text.size()) == static_cast<ssize_t>(text.size()), "write: errno %d",
               errno);
    same(ktap, gather(pair.master, wanted.size()), wanted);
}

void test_modes(Ktap& ktap) {
    edited(ktap, "a\r", "a\n");
    translated(
        ktap, [](struct termios& t) { t.c_iflag = ICRNL; }, "a\rb", "a\nb");
    translated(
        ktap, [](struct termios& t) { t.c_iflag = INLCR; }, "a\nb", "a\rb");
    translated(
        ktap, [](struct termios& t) { t.c_iflag = IGNCR; }, "a\rb", "ab");
    ktap.test("ICRNL, INLCR, IGNCR");

    translated(
        ktap, [](struct termios& t) { t.c_iflag = ISTRIP; }, "\xc1", "A");
    ktap.test("ISTRIP");

    printed(ktap, unchanged, "a\nb", "a\r\nb");
    printed(
        ktap, [](struct termios& t) { t.c_oflag = 0; }, "a\nb", "a\nb");
    printed(
        ktap, [](struct termios& t) { t.c_oflag = OPOST; }, "a\nb", "a\nb");
    printed(
        ktap, [](struct termios& t) { t.c_oflag = OPOST | OCRNL; }, "a\rb", "a\nb");
    printed(
        ktap, [](struct termios& t) { t.c_oflag = OPOST | ONOCR; }, "\ra\rb", "a\rb");
    printed(
        ktap, [](struct termios& t) { t.c_oflag = OPOST | ONLCR | XTABS; }, "ab\tc\n\td", "ab      c\r\n        d");
    ktap.test("OPOST, ONLCR, OCRNL, ONOCR, XTABS");

    echoed(
        ktap, [](struct termios& t) { t.c_lflag &= ~ECHO; }, "secret\n", "");
    echoed(
        ktap, [](struct termios& t) { t.c_lflag = (t.c_lflag & ~ECHO) | ECHONL; }, "secret\n", "\r\n");
    echoed(ktap, unchanged, "\x01", "^A");
    echoed(
        ktap, [](struct termios& t) { t.c_lflag &= ~ECHOCTL; }, "\x01", "\x01");
    echoed(
        ktap, [](struct termios& t) { t.c_lflag &= ~ECHOE; }, "ab\x7f", "ab^?");
    echoed(
        ktap, [](struct termios& t) { t.c_lflag |= ECHOPRT; }, "ab\x7fx", "ab\\b/x");
    ktap.test("ECHO, ECHONL, ECHOCTL, ECHOE, ECHOPRT");

    {
        const Pair pair;
        pair.silent();
        pair.type("\x13");
        usleep(50000); // Linux takes it in when it has the time
        fcntl(pair.slave, F_SETFL, O_RDWR | O_NONBLOCK);
        ktap.check(!(events(pair.slave, POLLOUT) & POLLOUT), "stopped output is writable");
        fails(ktap, write(pair.slave, "x", 1), EAGAIN, "write while stopped");
        pair.type("\x11");
        ktap.check(events(pair.slave, POLLOUT, kLong) & POLLOUT, "started output is not writable");
        ktap.check(write(pair.slave, "y", 1) == 1, "write after start: errno %d", errno);
        same(ktap, get(pair.master), "y");
        pair.change([](struct termios& t) { t.c_iflag &= ~IXON; });
        pair.type("\x13\n");
        same(ktap, get(pair.slave), "\x13\n");
    }
    ktap.test("IXON");

    {
        const Pair pair;
        pair.silent();
        pair.change([](struct termios& t) { t.c_iflag |= IXANY; });
        pair.type("\x13");
        pair.type("a\n");
        fcntl(pair.slave, F_SETFL, O_RDWR | O_NONBLOCK);
        events(pair.slave, POLLOUT, kLong);
        ktap.check(write(pair.slave, "y", 1) == 1, "any character does not start: errno %d", errno);
    }
    ktap.test("IXANY");

    {
        const Pair pair;
        pair.silent();
        pair.type("one\ntwo");
        usleep(50000);
        pair.raw();
        same(ktap, gather(pair.slave, 7), "one\ntwo");
        pair.type("raw");
        readable(pair.slave, kLong);
        pair.change([](struct termios& t) { t.c_lflag |= ICANON; });
        same(ktap, get(pair.slave), "raw");
    }
    ktap.test("input survives a change of ICANON");
}

void run(Ktap& ktap) {
    test_pair(ktap);
    test_ends(ktap);
    test_editing(ktap);
    test_modes(ktap);
}

} // namespace

int main() { return run_tests(22, run); }
