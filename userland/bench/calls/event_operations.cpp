// Signals, waiting for files, and bytes that a process sends to itself.
#include <csignal>
#include <cstdint>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userland/bench/calls/operation.h"

namespace tollgate::calls {
namespace {

// ---- signals: the kernel's own structure, as libc's wrapper would pass it [rt_sigaction(2)] ----

struct KernelAction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    unsigned long mask;
};
constexpr unsigned long kMaskBytes = 8;

KernelAction action, former;
volatile long handled;
long self;

void count_signal(int) { handled = handled + 1; }

[[gnu::noipa]] long sigaction_sys() { return Native::call(SYS_rt_sigaction, SIGUSR1, &action, &former, kMaskBytes); }

// What libc installs, restorer included.
long take_action() { return Native::call(SYS_rt_sigaction, SIGUSR1, 0, &action, kMaskBytes); }

long install_handler() {
    self = getpid();
    struct sigaction wanted {};
    wanted.sa_handler = count_signal;
    if (sigaction(SIGUSR1, &wanted, nullptr) != 0)
        return -errno;
    return take_action();
}
void remove_handler() { signal(SIGUSR1, SIG_DFL); }

[[gnu::noipa]] long signal_self() { return Native::call(SYS_kill, self, SIGUSR1); }
long signal_is_handled() {
    const long before = handled;
    const long result = signal_self();
    return result < 0 ? result : handled == before + 1 ? 0 : -EPROTO;
}

// ---- waiting: an eventfd that is ready ----

int event = -1, set = -1;
std::uint64_t value = 1;
pollfd polled;
epoll_event found;

long make_event(unsigned initial) { return event = static_cast<int>(result_of(eventfd(initial, 0))); }
long make_zero_event() { return make_event(0); }
long make_poll() {
    const long made = make_event(1);
    polled = {event, POLLIN, 0};
    return made;
}
long make_epoll() {
    if (const long made = make_event(1); made < 0)
        return made;
    set = static_cast<int>(result_of(epoll_create1(0)));
    if (set < 0)
        return set;
    epoll_event wanted{EPOLLIN, {}};
    return result_of(epoll_ctl(set, EPOLL_CTL_ADD, event, &wanted));
}
void close_event() {
    for (int* const one : {&event, &set}) {
        if (*one >= 0)
            close(*one);
        *one = -1;
    }
}

long is_one(long result) { return result == 1 || result < 0 ? result : -EPROTO; }
[[gnu::noipa]] long poll_sys() { return Native::call(SYS_poll, &polled, 1, 0); }
[[gnu::noipa]] long epoll_wait_sys() { return Native::call(SYS_epoll_wait, set, &found, 1, 0); }
long poll_finds() { return is_one(poll_sys()); }
long epoll_wait_finds() { return is_one(epoll_wait_sys()); }

[[gnu::noipa]] long eventfd_rw() {
    const long written = Native::call(SYS_write, event, &value, sizeof value);
    return written < 0 ? written : Native::call(SYS_read, event, &value, sizeof value);
}

// ---- a pipe to itself ----

int ends[2] = {-1, -1};
char byte;

long make_pipe() { return result_of(pipe(ends)); }
void close_pipe() {
    for (int& end : ends) {
        if (end >= 0)
            close(end);
        end = -1;
    }
}

[[gnu::noipa]] long pipe_self() {
    const long written = Native::call(SYS_write, ends[1], &byte, 1);
    return written < 0 ? written : Native::call(SYS_read, ends[0], &byte, 1);
}

constexpr Operation kOperations[] = {
    operation<sigaction_sys>("sigaction", 200, 500, install_handler, remove_handler),
    {"signal_self", 1500, 50, signal_is_handled, repeat<signal_self>, install_handler, remove_handler},
    {"poll_1", 400, 200, poll_finds, repeat<poll_sys>, make_poll, close_event},
    {"epoll_wait_1", 400, 200, epoll_wait_finds, repeat<epoll_wait_sys>, make_epoll, close_event},
    operation<eventfd_rw>("eventfd_rw", 500, 100, make_zero_event, close_event),
    operation<pipe_self>("pipe_self", 800, 100, make_pipe, close_pipe),
};

} // namespace

std::span<const Operation> event_operations() { return kOperations; }

} // namespace tollgate::calls
