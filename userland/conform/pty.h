// Helpers of the terminal tests: a pseudo terminal with somebody at its keyboard, and what its screen shows.
#pragma once

#include <asm/termbits.h>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace tollgate::pty {

using namespace std::string_literals;

inline constexpr int kSoon = 200, kLong = 5000; // ms: what never comes is awaited for the first

/// A pseudo terminal with both ends open; nobody's controlling terminal.
struct Pair {
    int master = -1, slave = -1;
    char name[32] = {};

    Pair() {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
        int number = -1, locked = 0;
        if (master < 0 || ioctl(master, TIOCGPTN, &number) != 0 || ioctl(master, TIOCSPTLCK, &locked) != 0)
            return;
        std::snprintf(name, sizeof name, "/dev/pts/%d", number);
        slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    }
    ~Pair() {
        close(slave);
        close(master);
    }
    Pair(const Pair&) = delete;
    bool good() const { return master >= 0 && slave >= 0; }

    /// Types at the master's keyboard.
    void type(const std::string& text) const {
        if (write(master, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            std::abort();
    }
    template <class Change>
    void change(Change change) const {
        struct termios settings;
        if (ioctl(slave, TCGETS, &settings) != 0)
            std::abort();
        change(settings);
        if (ioctl(slave, TCSETS, &settings) != 0)
            std::abort();
    }
    void raw(unsigned char minimum = 1, unsigned char time = 0) const {
        change([&](struct termios& t) {
            t.c_iflag = 0;
            t.c_oflag = 0;
            t.c_lflag = 0;
            t.c_cc[VMIN] = minimum;
            t.c_cc[VTIME] = time;
        });
    }
    void silent() const {
        change([](struct termios& t) { t.c_lflag &= ~ECHO; });
    }
};

inline short events(int file, short wanted, int timeout = 0) {
    struct pollfd entry {
        file, wanted, 0
    };
    return poll(&entry, 1, timeout) < 0 ? static_cast<short>(-1) : entry.revents;
}
inline bool readable(int file, int timeout = 0) { return events(file, POLLIN, timeout) & POLLIN; }

/// One read, once something is there.
inline std::string get(int file, std::size_t size = 4096) {
    if (!readable(file, kLong))
        return "(nothing came)";
    std::string text(size, '\0');
    const ssize_t got = read(file, text.data(), size);
    if (got < 0)
        return "(error "s + std::strerror(errno) + ")";
    text.resize(static_cast<std::size_t>(got));
    return text;
}
/// Everything up to `size` bytes, in as many reads as it takes.
inline std::string gather(int file, std::size_t size) {
    std::string text;
    while (text.size() < size && readable(file, kLong)) {
        const std::string more = get(file, size - text.size());
        if (more.empty() || more[0] == '(')
            break;
        text += more;
    }
    return text;
}

inline std::string shown(const std::string& text) {
    std::string out;
    for (const char c : text.substr(0, 60)) {
        char piece[8];
        std::snprintf(piece, sizeof piece, c >= 32 && c < 127 ? "%c" : "\\x%02x", static_cast<unsigned char>(c));
        out += piece;
    }
    return out;
}

inline void same(Ktap& ktap, const std::string& got, const std::string& wanted) {
    ktap.check(got == wanted, "got '%s', not '%s'", shown(got).c_str(), shown(wanted).c_str());
}
inline void fails(Ktap& ktap, long result, int error, const char* what) {
    ktap.check(result == -1 && errno == error, "%s: %ld, errno %d", what, result, errno);
}

/// What is typed, and what a reader gets of it.
inline void edited(Ktap& ktap, const std::string& typed, const std::string& wanted) {
    const Pair pair;
    pair.type(typed);
    same(ktap, get(pair.slave), wanted);
}
/// What is typed, and what the screen shows.
template <class Change>
void echoed(Ktap& ktap, Change change, const std::string& typed, const std::string& wanted) {
    const Pair pair;
    pair.change(change);
    pair.type(typed);
    same(ktap, gather(pair.master, wanted.size()), wanted);
    const std::string more = readable(pair.master) ? get(pair.master) : "";
    ktap.check(more.empty(), "more is shown: '%s'", shown(more).c_str());
}
inline constexpr auto unchanged = [](struct termios&) {};

/// Lets a child type after a while.
inline pid_t type_later(const Pair& pair, const char* text, int delay_ms) {
    const pid_t child = fork();
    if (child != 0)
        return child;
    for (const char* c = text; *c != '\0'; ++c) {
        usleep(static_cast<useconds_t>(delay_ms) * 1000);
        (void)!write(pair.master, c, 1);
    }
    _exit(0);
}

/// Runs the tests: in the guest, where this is process 1, in a child that leads a session of its own.
inline int run_tests(unsigned plan, void (*tests)(Ktap&)) {
    if (getpid() == 1) {
        const pid_t child = fork();
        if (child > 0) {
            int status = 1;
            while (waitpid(-1, &status, 0) != child)
                ;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        }
        setsid();
    }
    Ktap ktap(plan);
    tests(ktap);
    return ktap.finish();
}

} // namespace tollgate::pty
