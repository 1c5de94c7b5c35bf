// Terminals: reads and writes that wait or may not, and ioctl(2) [POSIX.1-2017, 11.1.7; man 2 ioctl_tty].
#include <algorithm>
#include <ctime>

#include "userland/conform/pty.h"

namespace {

using namespace tollgate;
using namespace tollgate::pty;

// ---- raw reads ----

long elapsed_ms(const struct timespec& since) {
    struct timespec now {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - since.tv_sec) * 1000 + (now.tv_nsec - since.tv_nsec) / 1000000;
}

void test_raw(Ktap& ktap) {
    char bytes[16];
    struct timespec start {};
    {
        const Pair pair;
        pair.raw(3, 0);
        pair.type("ab");
        ktap.check(!readable(pair.slave, kSoon), "two of three bytes are readable");
        const pid_t child = type_later(pair, "c", 50);
        ktap.check(read(pair.slave, bytes, sizeof bytes) == 3, "not three bytes");
        waitpid(child, nullptr, 0);
        pair.type("xyz");
        ktap.check(read(pair.slave, bytes, 2) == 2, "a small read waits for more than fits");
    }
    ktap.test("MIN > 0, TIME = 0");
    {
        const Pair pair;
        pair.raw(0, 0);
        ktap.check(read(pair.slave, bytes, sizeof bytes) == 0, "an empty line does not read as 0");
        pair.type("q");
        usleep(10000);
        ktap.check(read(pair.slave, bytes, sizeof bytes) == 1, "not one byte");
    }
    ktap.test("MIN = 0, TIME = 0");
    {
        const Pair pair;
        pair.raw(0, 2);
        clock_gettime(CLOCK_MONOTONIC, &start);
        ktap.check(read(pair.slave, bytes, sizeof bytes) == 0, "it did not time out");
        const long waited = elapsed_ms(start);
        ktap.check(waited >= 150, "timed out after %ld ms", waited);
        const pid_t child = type_later(pair, "q", 50);
        ktap.check(read(pair.slave, bytes, sizeof bytes) == 1, "not one byte");
        waitpid(child, nullptr, 0);
    }
    ktap.test("MIN = 0, TIME > 0");
    {
        const Pair pair;
        pair.raw(5, 2);
        const pid_t child = type_later(pair, "ab", 300); // the clock starts with the first byte
        clock_gettime(CLOCK_MONOTONIC, &start);
        const ssize_t got = read(pair.slave, bytes, sizeof bytes);
        ktap.check(got == 1, "%zd bytes, not one", got);
        ktap.check(elapsed_ms(start) >= 400, "after %ld ms", elapsed_ms(start));
        waitpid(child, nullptr, 0);
        pair.type("hello");
        ktap.check(read(pair.slave, bytes, sizeof bytes) >= 5, "five bytes do not end it");
    }
    ktap.test("MIN > 0, TIME > 0");
    {
        const Pair pair;
        fcntl(pair.slave, F_SETFL, O_RDWR | O_NONBLOCK);
        fails(ktap, read(pair.slave, bytes, sizeof bytes), EAGAIN, "read of nothing");
        pair.type("ab");
        fails(ktap, read(pair.slave, bytes, sizeof bytes), EAGAIN, "read of half a line");
        pair.raw(0, 5);
        ktap.check(read(pair.slave, bytes, sizeof bytes) == 2, "the half line is lost");
        fails(ktap, read(pair.slave, bytes, sizeof bytes), EAGAIN, "non-blocking with TIME");
        fcntl(pair.master, F_SETFL, O_RDWR | O_NONBLOCK);
        while (read(pair.master, bytes, sizeof bytes) > 0)
            ;
        fails(ktap, read(pair.master, bytes, sizeof bytes), EAGAIN, "read of the master");
    }
    ktap.test("reads that may not wait");
    {
        const Pair pair;
        pair.raw();
        fcntl(pair.slave, F_SETFL, O_RDWR | O_NONBLOCK);
        const std::string much(1 << 20, 'x');
        const ssize_t first = write(pair.slave, much.data(), much.size());
        ktap.check(first > 0 && first < static_cast<ssize_t>(much.size()), "a write of 1 MiB took %zd", first);
        ssize_t took = first; // Linux moves bytes on to the master meanwhile
        for (ssize_t more = 1; more > 0; took += more > 0 ? more : 0) {
            usleep(50000);
            more = write(pair.slave, much.data(), much.size());
        }
        fails(ktap, write(pair.slave, "x", 1), EAGAIN, "write to a full line");
        ktap.check(!(events(pair.slave, POLLOUT) & POLLOUT), "a full line is writable");
        ktap.check(gather(pair.master, static_cast<std::size_t>(took)).size() == static_cast<std::size_t>(took),
                   "the master does not get all");
        ktap.check(events(pair.slave, POLLOUT, kLong) & POLLOUT, "an empty line is not writable");
    }
    ktap.test("writes that may not wait");
    {
        const Pair pair;
        pair.raw();
        const pid_t child = fork();
        if (child == 0) {
            const std::string much(100000, 'm');
            _exit(write(pair.slave, much.data(), much.size()) == 100000 ? 0 : 1);
        }
        const std::string all = gather(pair.master, 100000);
        ktap.check(all == std::string(100000, 'm'), "%zu bytes came", all.size());
        int status = -1;
        waitpid(child, &status, 0);
        ktap.check(status == 0, "the writer ended with %#x", status);
    }
    ktap.test("a writer waits for its reader");
    {
        const Pair pair;
        pair.raw();
        fcntl(pair.master, F_SETFL, O_RDWR | O_NONBLOCK);
        std::size_t took = 0;
        for (ssize_t some; took < 1 << 20 && (some = write(pair.master, "0123456789abcdef", 16)) > 0;)
            took += static_cast<std::size_t>(some);
        ktap.check(took >= 4000 && took < 1 << 20, "the keyboard's buffer takes %zu", took);
        std::string all;
        while (all.size() < took && readable(pair.slave, kLong))
            all += get(pair.slave, took - all.size());
        ktap.check(all.size() == took, "%zu of %zu bytes came", all.size(), took);
        ktap.check(events(pair.master, POLLOUT, kLong) & POLLOUT, "not writable again");
    }
    ktap.test("typing ahead is bounded");
    {
        const Pair pair;
        pair.type("x\n");
        char* volatile nowhere = reinterpret_cast<char*>(8);
        fails(ktap, read(pair.slave, nowhere, 1), EFAULT, "read to nowhere");
        fails(ktap, write(pair.slave, nowhere, 1), EFAULT, "write from nowhere");
        fails(ktap, ioctl(pair.slave, TCGETS, 8), EFAULT, "TCGETS");
        fails(ktap, ioctl(pair.slave, TCSETS, 8), EFAULT, "TCSETS");
        fails(ktap, ioctl(pair.slave, TIOCGWINSZ, 8), EFAULT, "TIOCGWINSZ");
        fails(ktap, ioctl(pair.slave, TIOCSWINSZ, 0x7ffffffffffffff8), EFAULT, "TIOCSWINSZ");
        fails(ktap, ioctl(pair.slave, FIONREAD, 8), EFAULT, "FIONREAD");
        ktap.check(write(pair.slave, "", 0) == 0, "a write of nothing");
    }
    ktap.test("bad pointers");
}

// ---- ioctls ----

void test_ioctls(Ktap& ktap) {
    {
        const Pair pair;
        struct termios settings;
        ktap.check(ioctl(pair.slave, TCGETS, &settings) == 0, "TCGETS: errno %d", errno);
        ktap.check(settings.c_iflag == (ICRNL | IXON), "c_iflag %#o", settings.c_iflag);
        ktap.check(settings.c_oflag == (OPOST | ONLCR), "c_oflag %#o", settings.c_oflag);
        ktap.check(settings.c_cflag == (B38400 | CS8 | CREAD), "c_cflag %#o", settings.c_cflag);
        ktap.check(settings.c_lflag == (ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN),
                   "c_lflag %#o", settings.c_lflag);
        const unsigned char wanted[] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0};
        ktap.check(std::equal(std::begin(wanted), std::end(wanted), settings.c_cc), "other control characters");
    }
    ktap.test("a new terminal's settings");
    {
        const Pair pair;
        struct termios2 settings;
        ktap.check(ioctl(pair.slave, TCGETS2, &settings) == 0, "TCGETS2: errno %d", errno);
        ktap.check(settings.c_ospeed == 38400 && settings.c_ispeed == 38400, "speed %u", settings.c_ospeed);
        settings.c_cflag = (settings.c_cflag & ~CBAUD) | B115200;
        ktap.check(ioctl(pair.slave, TCSETS2, &settings) == 0, "TCSETS2: errno %d", errno);
        ioctl(pair.slave, TCGETS2, &settings);
        ktap.check(settings.c_ospeed == 115200, "speed %u", settings.c_ospeed);
        settings.c_cflag = (settings.c_cflag & ~CBAUD) | BOTHER;
        settings.c_ospeed = settings.c_ispeed = 12345;
        ioctl(pair.slave, TCSETS2, &settings);
        ioctl(pair.slave, TCGETS2, &settings);
        ktap.check(settings.c_ospeed == 12345, "another speed: %u", settings.c_ospeed);
    }
    ktap.test("speeds");
    {
        const Pair pair;
        pair.silent();
        struct termios settings;
        ioctl(pair.slave, TCGETS, &settings);
        pair.type("waiting\n");
        ktap.check(ioctl(pair.slave, TCSETSW, &settings) == 0 && readable(pair.slave, kLong),
                   "TCSETSW takes input away");
        ktap.check(ioctl(pair.slave, TCSETSF, &settings) == 0 && !readable(pair.slave), "TCSETSF keeps input");
        pair.change([](struct termios& t) { t.c_cc[VERASE] = '#'; });
        pair.type("ab#c\n");
        same(ktap, get(pair.slave), "ac\n");
        ktap.check(ioctl(pair.master, TCGETS, &settings) == 0 && settings.c_cc[VERASE] == '#',
                   "the master sees other settings");
    }
    ktap.test("setting attributes");
    {
        const Pair pair;
        struct winsize size {
            1, 1, 1, 1
        };
        ktap.check(ioctl(pair.slave, TIOCGWINSZ, &size) == 0 && size.ws_row == 0 && size.ws_col == 0,
                   "it starts as %dx%d", size.ws_row, size.ws_col);
        size = {24, 80, 3, 4};
        ktap.check(ioctl(pair.master, TIOCSWINSZ, &size) == 0, "TIOCSWINSZ: errno %d", errno);
        struct winsize got {};
        ktap.check(ioctl(pair.slave, TIOCGWINSZ, &got) == 0 && std::memcmp(&got, &size, sizeof size) == 0,
                   "the slave sees %dx%d", got.ws_row, got.ws_col);
    }
    ktap.test("window size");
    {
        const Pair pair;
        pair.silent();
        int count = -1;
        pair.type("abc");
        usleep(10000);
        ktap.check(ioctl(pair.slave, FIONREAD, &count) == 0 && count == 0, "%d bytes of an unfinished line", count);
        pair.type("\nxy\n");
        readable(pair.slave, kLong);
        ktap.check(ioctl(pair.slave, FIONREAD, &count) == 0 && count == 7, "%d bytes, not 7", count);
        (void)!write(pair.slave, "out", 3);
        readable(pair.master, kLong);
        ktap.check(ioctl(pair.master, FIONREAD, &count) == 0 && count == 3, "the master has %d", count);
    }
    ktap.test("FIONREAD");
    {
        const Pair pair;
        pair.silent();
        pair.type("gone\n");
        readable(pair.slave, kLong);
        ktap.check(ioctl(pair.slave, TCFLSH, TCIFLUSH) == 0 && !readable(pair.slave), "TCIFLUSH keeps input");
        (void)!write(pair.slave, "gone", 4);
        ktap.check(ioctl(pair.slave, TCFLSH, TCOFLUSH) == 0, "TCOFLUSH: errno %d", errno);
        ktap.check(ioctl(pair.slave, TCFLSH, TCIOFLUSH) == 0, "TCIOFLUSH: errno %d", errno);
        fails(ktap, ioctl(pair.slave, TCFLSH, 77), EINVAL, "TCFLSH of nothing");
        (void)!write(pair.slave, "x", 1);
        const std::string left = gather(pair.master, 1);
        ktap.check(!left.empty() && left.back() != '(', "nothing comes any more");
    }
    ktap.test("TCFLSH");
    {
        const Pair pair;
        pair.silent();
        fcntl(pair.slave, F_SETFL, O_RDWR | O_NONBLOCK);
        ktap.check(ioctl(pair.slave, TCXONC, TCOOFF) == 0, "TCOOFF: errno %d", errno);
        fails(ktap, write(pair.slave, "x", 1), EAGAIN, "write while off");
        ktap.check(ioctl(pair.slave, TCXONC, TCOON) == 0 && write(pair.slave, "x", 1) == 1, "still off: errno %d",
                   errno);
        same(ktap, get(pair.master), "x");
        ktap.check(ioctl(pair.slave, TCXONC, TCIOFF) == 0, "TCIOFF: errno %d", errno);
        same(ktap, get(pair.master), "\x13");
        ktap.check(ioctl(pair.slave, TCXONC, TCION) == 0, "TCION: errno %d", errno);
        same(ktap, get(pair.master), "\x11");
        fails(ktap, ioctl(pair.slave, TCXONC, 9), EINVAL, "TCXONC of nothing");
    }
    ktap.test("TCXONC");
    {
        const Pair pair;
        ktap.check(ioctl(pair.slave, TCSBRK, 1) == 0, "TCSBRK: errno %d", errno);
        ktap.check(ioctl(pair.slave, TCSBRKP, 1) == 0, "TCSBRKP: errno %d", errno);
        int count = -1;
        ktap.check(ioctl(pair.slave, TIOCOUTQ, &count) == 0 && count == 0, "TIOCOUTQ says %d", count);
        ktap.check(ioctl(pair.slave, TIOCGETD, &count) == 0 && count == 0, "discipline %d", count);
        fails(ktap, ioctl(pair.slave, 0x54ff, 0), ENOTTY, "an unknown request");
        fails(ktap, ioctl(pair.slave, TIOCGPTN, &count), ENOTTY, "TIOCGPTN of a slave");
        fails(ktap, lseek(pair.slave, 0, SEEK_SET), ESPIPE, "lseek");
    }
    ktap.test("other requests");
    {
        const Pair pair;
        pid_t group = -1;
        fails(ktap, ioctl(pair.slave, TIOCGPGRP, &group), ENOTTY, "TIOCGPGRP of another's terminal");
        fails(ktap, ioctl(pair.slave, TIOCGSID, &group), ENOTTY, "TIOCGSID of another's terminal");
        group = getpgrp();
        fails(ktap, ioctl(pair.slave, TIOCSPGRP, &group), ENOTTY, "TIOCSPGRP of another's terminal");
        fails(ktap, ioctl(pair.slave, TIOCNOTTY), ENOTTY, "TIOCNOTTY of another's terminal");
    }
    ktap.test("a terminal that does not control its caller");
}

void run(Ktap& ktap) {
    test_raw(ktap);
    test_ioctls(ktap);
}

} // namespace

int main() { return run_tests(18, run); }
