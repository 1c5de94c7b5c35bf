// Calls that wait, through a syscall page: the others go on, whoever waits is found by exit, kill, execve and fork, and
// each thread has pages of its own [threats F3, F8, F9, F11]. Every case is a process, once for each policy.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <linux/futex.h>
#include <optional>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "userland/lib/ktap.h"
#include "userland/tests/flexsc_cases.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;

/// Waits by flexsc_wait() until the entry is Done; its result, or -ETIME.
long finish(FlexscEntry& entry) {
    for (unsigned round = 0; round < 10'000 && !Flexsc::is_done(entry); ++round)
        if (const long waited = Flexsc::wait(); waited < 0 || (waited == 0 && !Flexsc::is_done(entry)))
            break;
    return Flexsc::is_done(entry) ? Flexsc::take(entry) : -ETIME;
}
/// Under an emulator that runs one CPU at a time.
void let_worker_run() { _mm_pause(); }

/// Until its call has begun to wait.
bool begun(const FlexscEntry& entry) {
    return wait_until([&] {
        Flexsc::wait(0, api::kFlexscKick);
        let_worker_run();
        return status_of(entry) == FlexscStatus::Busy;
    });
}

struct Pipe {
    int ends[2] = {-1, -1};
    Pipe() {
        if (pipe(ends) != 0)
            std::perror("pipe");
    }
    ~Pipe() {
        close(ends[0]);
        close(ends[1]);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
};

/// One call waits for ever; 63 others, and more after them, are executed all the same.
int one_waits(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    Pipe pipe;
    char byte = 0;
    Flexsc::post(gate->entry(0), SYS_read, pipe.ends[0], &byte, 1);
    for (unsigned round = 0; round < 20; ++round) {
        for (unsigned slot = 1; slot < 64; ++slot)
            Flexsc::post(gate->entry(slot), SYS_getppid);
        for (unsigned slot = 1; slot < 64; ++slot)
            checks.expect(finish(gate->entry(slot)) == getppid());
        checks.expect(status_of(gate->entry(0)) == FlexscStatus::Busy);
    }
    // The wake comes through the page too.
    Flexsc::post(gate->entry(1), SYS_write, pipe.ends[1], "x", 1);
    checks.expect(finish(gate->entry(1)) == 1);
    checks.expect(finish(gate->entry(0)) == 1 && byte == 'x');
    checks.expect(Flexsc::wait() >= 0 && Flexsc::wait() == 0);
    return checks.result();
}

/// Every entry of every page waits. Then all go on, and the pages serve as before.
int all_wait(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy), api::kFlexscMaxPages);
    if (!checks.expect(gate.has_value()))
        return 1;
    Pipe pipe;
    static char bytes[api::kFlexscMaxPages * 64];
    for (unsigned round = 0; round < 3; ++round) {
        std::memset(bytes, 0, sizeof bytes);
        for (unsigned slot = 0; slot < gate->size(); ++slot)
            Flexsc::post(gate->entry(slot), SYS_read, pipe.ends[0], &bytes[slot], 1);
        for (unsigned slot = 0; slot < gate->size(); ++slot)
            checks.expect(begun(gate->entry(slot)));
        static const char text[sizeof bytes] = {1};
        checks.expect(write(pipe.ends[1], text, sizeof text) == long{sizeof text});
        unsigned ones = 0;
        for (unsigned slot = 0; slot < gate->size(); ++slot) {
            checks.expect(finish(gate->entry(slot)) == 1);
            ones += bytes[slot];
        }
        checks.expect(ones == 1);
        Flexsc::post(gate->entry(9), SYS_getpid);
        checks.expect(finish(gate->entry(9)) == getpid());
    }
    return checks.result();
}

/// Calls of every kind that wait.
int kinds(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    Pipe pipe;
    const timespec moment{0, 20'000'000};
    static uint32_t word = 7;
    pollfd poll_pipe{pipe.ends[0], POLLIN, 0};
    const int epoll = epoll_create1(0);
    epoll_event event{EPOLLIN, {.u64 = 42}}, told{};
    epoll_ctl(epoll, EPOLL_CTL_ADD, pipe.ends[0], &event);
    const int child = start_victim("wait-for-ever");
    int status = 0;

    Flexsc::post(gate->entry(0), SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, 0);
    Flexsc::post(gate->entry(1), SYS_poll, &poll_pipe, 1, -1);
    Flexsc::post(gate->entry(2), SYS_epoll_wait, epoll, &told, 1, -1);
    Flexsc::post(gate->entry(3), SYS_wait4, child, &status, 0, 0);
    Flexsc::post(gate->entry(4), SYS_nanosleep, &moment, 0);
    for (unsigned slot = 0; slot < 4; ++slot)
        checks.expect(begun(gate->entry(slot)));
    checks.expect(finish(gate->entry(4)) == 0);
    for (unsigned slot = 0; slot < 4; ++slot)
        checks.expect(status_of(gate->entry(slot)) == FlexscStatus::Busy);

    Flexsc::post(gate->entry(5), SYS_kill, child, SIGTERM);
    checks.expect(finish(gate->entry(5)) == 0);
    checks.expect(finish(gate->entry(3)) == child && killed_by(status, {SIGTERM}));
    Flexsc::post(gate->entry(6), SYS_write, pipe.ends[1], "x", 1);
    checks.expect(finish(gate->entry(6)) == 1);
    checks.expect(finish(gate->entry(1)) == 1 && poll_pipe.revents == POLLIN);
    checks.expect(finish(gate->entry(2)) == 1 && told.data.u64 == 42);
    Flexsc::post(gate->entry(7), SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
    checks.expect(finish(gate->entry(7)) == 1);
    checks.expect(finish(gate->entry(0)) == 0);
    return checks.result();
}

/// F3: an entry that is submitted again while its call waits is not executed before that call is over, and then not
/// either, since its end overwrites the status.
int submitted_while_waiting(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    const int file = open("/tmp/waiting", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (!checks.expect(gate.has_value() && file >= 0))
        return 1;
    Pipe pipe;
    char byte = 0;
    FlexscEntry& entry = gate->entry(5);
    Flexsc::post(entry, SYS_read, pipe.ends[0], &byte, 1);
    checks.expect(begun(entry));
    for (unsigned round = 0; round < 50; ++round) {
        Flexsc::post(entry, SYS_write, file, "y", 1);
        Flexsc::wait(0, api::kFlexscKick);
        let_others_run(2);
        Flexsc::post(gate->entry(6), SYS_getpid);
        checks.expect(finish(gate->entry(6)) == getpid());
        checks.expect(status_of(entry) == FlexscStatus::Submitted);
    }
    checks.expect(write(pipe.ends[1], "x", 1) == 1);
    checks.expect(finish(entry) == 1 && byte == 'x');
    checks.expect(lseek(file, 0, SEEK_END) == 0);
    close(file);
    return checks.result();
}

volatile sig_atomic_t handled = 0;
void on_signal(int) { handled = handled + 1; }

/// Signals go to the owner: SIGPIPE and SIGXFSZ of its calls, and those that others send, which do not end its calls.
int signals(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    struct sigaction action {};
    action.sa_handler = on_signal;
    for (const int signal : {SIGPIPE, SIGXFSZ, SIGUSR1})
        sigaction(signal, &action, nullptr);
    int broken[2];
    checks.expect(pipe(broken) == 0 && close(broken[0]) == 0);
    Flexsc::post(gate->entry(0), SYS_write, broken[1], "x", 1);
    checks.expect(finish(gate->entry(0)) == -EPIPE);
    checks.expect(wait_until([] { return handled == 1; }));
    const int file = open("/tmp/limited", O_RDWR | O_CREAT | O_TRUNC, 0600);
    const rlimit limit{4, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &limit);
    Flexsc::post(gate->entry(0), SYS_pwrite64, file, "abc", 3, 10);
    checks.expect(finish(gate->entry(0)) == -EFBIG);
    checks.expect(wait_until([] { return handled == 2; }));

    Pipe pipe;
    char byte = 0;
    Flexsc::post(gate->entry(1), SYS_read, pipe.ends[0], &byte, 1);
    checks.expect(begun(gate->entry(1)));
    Flexsc::post(gate->entry(0), SYS_kill, getpid(), SIGUSR1);
    checks.expect(finish(gate->entry(0)) == 0);
    checks.expect(wait_until([] { return handled == 3; }));
    checks.expect(status_of(gate->entry(1)) == FlexscStatus::Busy);
    // flexsc_wait() itself is interrupted, as any call that waits.
    const int self = getpid();
    std::thread alarm([self] {
        usleep(20'000);
        kill(self, SIGUSR1);
    });
    long waited;
    do
        waited = Flexsc::wait();
    while (waited > 0); // tells of calls that were taken already
    checks.expect(waited == -EINTR && handled == 4);
    alarm.join();
    checks.expect(write(pipe.ends[1], "x", 1) == 1);
    checks.expect(finish(gate->entry(1)) == 1);
    return checks.result();
}

int wait_for_ever(uint64_t) {
    for (;;)
        pause();
}

/// Fills all pages but for one entry with reads that wait for ever.
std::optional<Flexsc> fill_with_reads(uint64_t policy, const Pipe& pipe) {
    const auto gate = Flexsc::open(policy_of(policy), 2);
    if (!gate)
        return std::nullopt;
    static char bytes[2 * 64];
    for (unsigned slot = 0; slot < gate->size() - 1; ++slot)
        Flexsc::post(gate->entry(slot), SYS_read, pipe.ends[0], &bytes[slot], 1);
    for (unsigned slot = 0; slot < gate->size() - 1; ++slot)
        if (!begun(gate->entry(slot)))
            return std::nullopt;
    return *gate;
}

enum Departure : uint64_t { kExit, kKill, kKillByPage, kExecute, kThread, kDepartures };

/// Leaves in the given way while all calls wait; the argument is policy * 16 + departure.
int leave(uint64_t argument) {
    Pipe pipe;
    const auto depart_from = [&] { return fill_with_reads(argument / 16, pipe); };
    const uint64_t how = argument % 16;
    if (how == kThread) {
        bool filled = false;
        std::thread([&] { filled = depart_from().has_value(); }).join();
        return filled && write(pipe.ends[1], "x", 1) == 1 ? 5 : 1;
    }
    const auto gate = depart_from();
    if (!gate)
        return 1;
    if (how == kKill) {
        kill(getpid(), SIGKILL);
    } else if (how == kKillByPage) {
        Flexsc::post(gate->entry(gate->size() - 1), SYS_kill, getpid(), SIGKILL);
        for (;;)
            Flexsc::wait();
    } else if (how == kExecute) {
        char* const arguments[] = {const_cast<char*>("test-raw"), const_cast<char*>("exit"), const_cast<char*>("5"),
                                   nullptr};
        Native::call(SYS_execve, sibling("test-raw"), arguments, arguments + 3);
        return 1;
    }
    return 5;
}

/// The child has no pages, and may have its own; the parent's calls go on.
int forks(uint64_t policy) {
    VictimChecks checks;
    Pipe pipe;
    const auto gate = fill_with_reads(policy, pipe);
    if (!checks.expect(gate.has_value()))
        return 1;
    const int child = fork();
    if (child == 0) {
        checks.expect(Native::call(api::kSysFlexscWait, 0, 0) == -EINVAL);
        checks.expect(write(pipe.ends[1], &gate->entry(0), 1) == -1 && errno == EFAULT); // not even mapped
        const auto own = Flexsc::open(policy_of(policy), 1);
        checks.expect(own.has_value() && own->call(SYS_getpid) == getpid());
        _exit(checks.result());
    }
    checks.expect(exited_with(wait_status(child), 0));
    static const char text[2 * 64 - 1] = {};
    checks.expect(write(pipe.ends[1], text, sizeof text) == long{sizeof text});
    for (unsigned slot = 0; slot < gate->size() - 1; ++slot)
        checks.expect(finish(gate->entry(slot)) == 1);
    return checks.result();
}

/// Every thread has pages of its own, up to the limit, and they go with it.
int threads(uint64_t policy) {
    VictimChecks checks;
    Pipe pipe;
    std::optional<std::thread> all[api::kFlexscMaxRegistrations];
    unsigned registered = 0, refused = 0;
    bool go = false;
    for (auto& thread : all)
        thread.emplace([&] {
            const auto gate = Flexsc::open(policy_of(policy), 1);
            if (!gate) {
                __atomic_fetch_add(&refused, gate.error() == ENOSPC ? 1 : 1000, __ATOMIC_RELAXED);
                return;
            }
            Flexsc::post(gate->entry(0), SYS_gettid);
            checks.expect(finish(gate->entry(0)) == gettid());
            __atomic_fetch_add(&registered, 1, __ATOMIC_RELAXED);
            wait_until([&] { return let_worker_run(), __atomic_load_n(&go, __ATOMIC_RELAXED); }, 10'000'000);
        });
    checks.expect(wait_until(
        [&] {
            let_worker_run();
            return __atomic_load_n(&registered, __ATOMIC_RELAXED) == api::kFlexscMaxRegistrations;
        },
        10'000'000));
    const auto one_more = Flexsc::open(policy_of(policy), 1);
    checks.expect(!one_more.has_value() && one_more.error() == ENOSPC);
    __atomic_store_n(&go, true, __ATOMIC_RELAXED);
    for (auto& thread : all)
        thread->join();
    const auto now = Flexsc::open(policy_of(policy), 1);
    checks.expect(now.has_value() && now->call(SYS_getpid) == getpid() && refused == 0);
    return checks.result();
}

constexpr Victim kVictims[] = {
    {"one-waits", one_waits}, {"all-wait", all_wait},
    {"kinds", kinds},         {"submitted-while-waiting", submitted_while_waiting},
    {"signals", signals},     {"wait-for-ever", wait_for_ever},
    {"leave", leave},         {"forks", forks},
    {"threads", threads},
};

void test_departures(Ktap& ktap) {
    for_policies(ktap, "F8 exit, kill, execve and thread exit while calls wait", kAllPolicies,
                 [&](FlexscPolicy policy) {
                     check_frames(ktap, [&] {
                         for (unsigned round = 0; round < 3 * kDepartures; ++round) {
                             const uint64_t how = round % kDepartures;
                             const int status = run_victim("leave", argument_of(policy) * 16 + how);
                             const bool killed = how == kKill || how == kKillByPage;
                             ktap.check(killed ? killed_by(status, {SIGKILL}) : exited_with(status, 5),
                                        "departure %lu: %s", how, describe(status));
                         }
                     });
                 });
}

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims, kFlexscHelpers});
    Ktap ktap(8 * 4);
    test_case(ktap, "one-waits", "F11 one call waits, the others go on");
    test_case(ktap, "all-wait", "F11 every entry of eight pages waits");
    test_case(ktap, "kinds", "futex, poll, epoll_wait, wait4 and nanosleep wait");
    test_case(ktap, "submitted-while-waiting", "F3 submitted again while its call waits: not executed");
    test_case(ktap, "signals", "signals are the owner's, and do not end its calls");
    test_departures(ktap);
    test_case(ktap, "forks", "fork while calls wait: the child has no pages, the parent's go on");
    test_case(ktap, "threads", "F9 pages of every thread, and the process's limit");
    return ktap.finish();
}
