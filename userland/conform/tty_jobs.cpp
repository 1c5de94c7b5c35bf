// Terminals: sessions, signals from the keyboard and job control [POSIX.1-2017, 11.1.1 to 11.1.4; man 7 credentials].
#include <initializer_list>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <utility>

#include "userland/conform/pty.h"

namespace {

using namespace tollgate;
using namespace tollgate::pty;

// ---- sessions ----

/// Runs `body` in a child that leads a new session with the pair as its controlling terminal; the child's exit code.
template <class Body>
int in_session(const Pair& pair, Body body) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);
        if (setsid() < 0 || ioctl(pair.slave, TIOCSCTTY, 0) != 0)
            _exit(99);
        _exit(body());
    }
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 200 + WTERMSIG(status);
}

volatile sig_atomic_t caught = 0;
void remember(int signal) { caught = caught | 1 << signal; }
void handle(int signal, int flags = 0) {
    struct sigaction action {};
    action.sa_handler = remember;
    action.sa_flags = flags;
    sigaction(signal, &action, nullptr);
}
/// Waits until a signal has been caught.
bool catches(int signal) {
    for (int n = 0; n < 500 && !(caught & 1 << signal); ++n)
        usleep(10000);
    return caught & 1 << signal;
}

void test_controlling(Ktap& ktap) {
    const Pair pair;
    int code = in_session(pair, [&] {
        pid_t id = -1;
        if (ioctl(pair.slave, TIOCGSID, &id) != 0 || id != getpid())
            return 1;
        if (ioctl(pair.slave, TIOCGPGRP, &id) != 0 || id != getpid())
            return 2;
        const int tty = open("/dev/tty", O_RDWR);
        if (tty < 0)
            return 3;
        if (write(tty, "hi", 2) != 2)
            return 4;
        struct stat status {};
        if (fstat(tty, &status) != 0 || major(status.st_rdev) != 5 || minor(status.st_rdev) != 0)
            return 5;
        if (ioctl(pair.slave, TIOCSCTTY, 0) != 0) // again: it is so already
            return 6;
        const Pair other;
        if (ioctl(other.slave, TIOCSCTTY, 0) != -1 || errno != EPERM) // it has one
            return 7;
        const pid_t child = fork(); // nor may one who leads no session
        if (child == 0)
            _exit(ioctl(other.slave, TIOCSCTTY, 0) == -1 && errno == EPERM ? 0 : 1);
        int result = -1;
        waitpid(child, &result, 0);
        return result == 0 ? 0 : 8;
    });
    ktap.check(code == 0, "step %d failed", code);
    same(ktap, get(pair.master), "hi");
    ktap.test("TIOCSCTTY and /dev/tty");

    {
        const Pair next;
        const pid_t child = fork();
        if (child == 0) {
            setsid();
            signal(SIGHUP, SIG_IGN); // TIOCNOTTY sends it to the foreground group, too
            if (open("/dev/tty", O_RDWR) != -1 || errno != ENXIO)
                _exit(1);
            const int without = open(next.name, O_RDWR | O_NOCTTY);
            if (open("/dev/tty", O_RDWR) != -1)
                _exit(2);
            close(without);
            if (open(next.name, O_RDWR) < 0)
                _exit(3);
            if (open("/dev/tty", O_RDWR) < 0)
                _exit(4);
            if (ioctl(next.slave, TIOCNOTTY) != 0)
                _exit(5);
            _exit(open("/dev/tty", O_RDWR) == -1 && errno == ENXIO ? 0 : 6);
        }
        int status = -1;
        waitpid(child, &status, 0);
        ktap.check(status == 0, "ended with %#x", status);
    }
    ktap.test("opening makes it the controlling terminal, O_NOCTTY does not, TIOCNOTTY gives it up");
}

void test_signals(Ktap& ktap) {
    for (const auto& [key, signal] : {std::pair{"\x03", SIGINT}, {"\x1c", SIGQUIT}, {"\x1a", SIGTSTP}}) {
        const Pair pair;
        const int code = in_session(pair, [&, wanted = signal] {
            handle(wanted);
            pair.type("ab"s + key);
            if (!catches(wanted))
                return 1;
            pair.type("c\n"); // what stood before is gone
            return get(pair.slave) == "c\n" ? 0 : 2;
        });
        ktap.check(code == 0, "signal %d: step %d failed", signal, code);
    }
    ktap.test("^C, ^\\ and ^Z send signals to the foreground group");
    {
        const Pair pair;
        pair.change([](struct termios& t) { t.c_lflag |= NOFLSH; });
        const int code = in_session(pair, [&] {
            handle(SIGINT);
            pair.type("ab\x03");
            if (!catches(SIGINT))
                return 1;
            pair.type("c\n");
            return get(pair.slave) == "abc\n" ? 0 : 2;
        });
        ktap.check(code == 0, "step %d failed", code);
    }
    ktap.test("NOFLSH");
    {
        const Pair pair;
        pair.change([](struct termios& t) { t.c_lflag &= ~ISIG; });
        const int code = in_session(pair, [&] {
            handle(SIGINT);
            pair.type("\x03\n");
            return get(pair.slave) == "\x03\n" && !(caught & 1 << SIGINT) ? 0 : 1;
        });
        ktap.check(code == 0, "step %d failed", code);
    }
    ktap.test("without ISIG ^C is a character");
    {
        const Pair pair;
        const int code = in_session(pair, [&] {
            handle(SIGINT);
            const pid_t typist = type_later(pair, "\x03", 100);
            char byte;
            const ssize_t got = read(pair.slave, &byte, 1);
            const int error = errno;
            waitpid(typist, nullptr, 0);
            return got == -1 && error == EINTR ? 0 : 1;
        });
        ktap.check(code == 0, "step %d failed", code);
    }
    ktap.test("a signal interrupts a read");
    {
        const Pair pair;
        const int code = in_session(pair, [&] {
            handle(SIGINT, SA_RESTART);
            const pid_t typist = type_later(pair, "\x03k\n", 100);
            const std::string line = get(pair.slave);
            waitpid(typist, nullptr, 0);
            return line == "k\n" ? 0 : 1;
        });
        ktap.check(code == 0, "step %d failed", code);
    }
    ktap.test("and SA_RESTART goes on with it");
    {
        const Pair pair;
        const int code = in_session(pair, [&] {
            handle(SIGWINCH);
            const struct winsize size { 10, 20, 0, 0 };
            if (ioctl(pair.master, TIOCSWINSZ, &size) != 0 || !catches(SIGWINCH))
                return 1;
            caught = 0;
            ioctl(pair.slave, TIOCSWINSZ, &size); // no change, no signal
            usleep(50000);
            return caught == 0 ? 0 : 2;
        });
        ktap.check(code == 0, "step %d failed", code);
    }
    ktap.test("a new window size sends SIGWINCH");
    {
        Pair pair;
        int ready[2];
        if (pipe(ready) != 0)
            std::abort();
        const pid_t child = fork();
        if (child == 0) {
            close(pair.master);
            setsid();
            handle(SIGHUP);
            handle(SIGCONT);
            if (ioctl(pair.slave, TIOCSCTTY, 0) != 0)
                _exit(1);
            (void)!write(ready[1], "x", 1);
            if (!catches(SIGHUP) || !catches(SIGCONT))
                _exit(2);
            char byte;
            _exit(read(pair.slave, &byte, 1) == 0 ? 0 : 3);
        }
        get(ready[0], 1);
        close(pair.master);
        pair.master = -1;
        int status = -1;
        waitpid(child, &status, 0);
        ktap.check(status == 0, "ended with %#x", status);
        close(ready[0]);
        close(ready[1]);
    }
    ktap.test("a hang-up sends SIGHUP and SIGCONT to the session's leader");
}

/// A child in a process group of its own, in the background.
template <class Body>
pid_t in_background(Body body) {
    const pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        _exit(body());
    }
    setpgid(child, child);
    return child;
}

void test_job_control(Ktap& ktap) {
    {
        const Pair pair;
        const int code = in_session(pair, [&] {
            const pid_t child = in_background([&] {
                char byte;
                return static_cast<int>(read(pair.slave, &byte, 1));
            });
            int status = 0;
            if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTTIN)
                return 1;
            if (ioctl(pair.slave, TIOCSPGRP, &child) != 0)
                return 2;
            pair.type("x\n");
            kill(child, SIGCONT);
            if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 1)
                return 3; // the read went on
            return 0;
        });
        ktap.check(code == 0, "step %d failed", code);
    }
    ktap.test("a background read stops, and goes on in the foreground");
    {
        const Pair pair;
        const int code = in_session(pair, [&] {
            const pid_t child = in_background([&] {
                signal(SIGTTIN, SIG_IGN);
                char byte;
                return read(pair.slave, &byte, 1) == -1 && errno == EIO ? 0 : 1;
            });
            int status = -1;
            waitpid(child, &status, WUNTRACED);
            return status == 0 ? 0 : 1;
        });
        ktap.check(code == 0, "step %d failed", code);
    }
    ktap.test("a background read with SIGTTIN ignored is EIO");
    {
        const Pair pair;
        const int code = in_session(pair, [&] {
            int status = -1;
            waitpid(in_background([&] { return write(pair.slave, "a", 1) == 1 ? 0 : 1; }), &status, WUNTRACED);
            if (status != 0)
                return 1;
            pair.change([](struct termios& t) { t.c_lflag |= TOSTOP; });
            const pid_t child = in_background([&] { return static_cast<int>(write(pair.slave, "b", 1)); });
            if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTTOU)
                return 2;
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            waitpid(in_background([&] {
                        signal(SIGTTOU, SIG_IGN);
                        return write(pair.slave, "c", 1) == 1 ? 0 : 1;
                    }),
                    &status, WUNTRACED);
            return status == 0 ? 0 : 3;
        });
        ktap.check(code == 0, "step %d failed", code);
        same(ktap, gather(pair.master, 2), "ac");
    }
    ktap.test("TOSTOP");
    {
        const Pair pair;
        const int code = in_session(pair, [&] {
            const pid_t child = in_background([&] {
                struct termios settings;
                ioctl(pair.slave, TCGETS, &settings); // reading them is allowed
                return ioctl(pair.slave, TCSETS, &settings);
            });
            int status = 0;
            if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTTOU)
                return 1;
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            waitpid(in_background([&] {
                        sigset_t set;
                        sigemptyset(&set);
                        sigaddset(&set, SIGTTOU);
                        sigprocmask(SIG_BLOCK, &set, nullptr);
                        const pid_t own = getpid();
                        return ioctl(pair.slave, TIOCSPGRP, &own) == 0 ? 0 : 1; // as shells do
                    }),
                    &status, WUNTRACED);
            return status == 0 ? 0 : 2;
        });
        ktap.check(code == 0, "step %d failed", code);
    }
    ktap.test("changing the terminal from the background stops, unless SIGTTOU is blocked");
    {
        const Pair pair;
        const int code = in_session(pair, [&] {
            int ready[2];
            if (pipe(ready) != 0)
                return 1;
            // A grandchild in a group whose parent has gone: orphaned, and not to be stopped.
            const pid_t middle = fork();
            if (middle == 0) {
                if (fork() == 0) {
                    setpgid(0, 0);
                    while (getppid() == middle)
                        usleep(1000);
                    usleep(20000);
                    char byte, answer = read(pair.slave, &byte, 1) == -1 && errno == EIO ? 'y' : 'n';
                    (void)!write(ready[1], &answer, 1);
                    _exit(0);
                }
                _exit(0);
            }
            waitpid(middle, nullptr, 0);
            return get(ready[0], 1) == "y" ? 0 : 2;
        });
        ktap.check(code == 0, "step %d failed", code);
    }
    ktap.test("an orphaned group's read is EIO");
    {
        const Pair pair;
        const int code = in_session(pair, [&] {
            pid_t group = -5;
            if (ioctl(pair.slave, TIOCSPGRP, &group) != -1 || errno != EINVAL)
                return 1;
            group = 1 << 21;
            if (ioctl(pair.slave, TIOCSPGRP, &group) != -1 || errno != ESRCH)
                return 2;
            group = getppid();
            group = getpgid(group);
            if (ioctl(pair.slave, TIOCSPGRP, &group) != -1 || errno != EPERM) // of another session
                return 3;
            return 0;
        });
        ktap.check(code == 0, "step %d failed", code);
    }
    ktap.test("TIOCSPGRP refuses");
    {
        const Pair pair;
        int report[2];
        if (pipe(report) != 0)
            std::abort();
        (void)in_session(pair, [&] {
            handle(SIGTTOU);
            const pid_t child = in_background([&] {
                handle(SIGHUP);
                (void)!write(report[1], "r", 1);
                const char answer = catches(SIGHUP) ? 'h' : 'n';
                (void)!write(report[1], &answer, 1);
                return 0;
            });
            get(report[0], 1);
            ioctl(pair.slave, TIOCSPGRP, &child); // in the foreground when its leader goes
            return 0;
        });
        same(ktap, get(report[0], 1), "h");
        close(report[0]);
        close(report[1]);
    }
    ktap.test("the leader's exit sends SIGHUP to the foreground group");
}

void run(Ktap& ktap) {
    test_controlling(ktap);
    test_signals(ktap);
    test_job_control(ktap);
}

} // namespace

int main() { return run_tests(16, run); }
