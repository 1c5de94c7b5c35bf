// What the parts of conform-signal share: handlers that remember, masks, children.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <initializer_list>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/conform/outcomes.h"
#include "userland/lib/ktap.h"

namespace tollgate::conform {

using Handler = void (*)(int, siginfo_t*, void*);

inline volatile sig_atomic_t caught, last_signal;
inline siginfo_t last_info;
inline int order[16];

inline void remember(int signal, siginfo_t* info, void*) {
    order[caught % 16] = signal;
    caught = caught + 1;
    last_signal = signal;
    last_info = *info;
}

inline void handle(int signal, Handler handler = remember, int flags = 0, std::initializer_list<int> mask = {}) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigemptyset(&action.sa_mask);
    for (const int other : mask)
        sigaddset(&action.sa_mask, other);
    sigaction(signal, &action, nullptr);
    caught = 0;
    last_signal = 0;
    last_info = {};
}

inline sigset_t set_of(std::initializer_list<int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : signals)
        sigaddset(&set, signal);
    return set;
}
inline void block(std::initializer_list<int> signals) {
    const sigset_t set = set_of(signals);
    sigprocmask(SIG_BLOCK, &set, nullptr);
}
inline void unblock(std::initializer_list<int> signals) {
    const sigset_t set = set_of(signals);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
}
inline bool is_pending(int signal) {
    sigset_t set;
    return sigpending(&set) == 0 && sigismember(&set, signal) == 1;
}
/// By assembly: the compiler knows better than to write there.
inline void touch_null_page() { asm volatile("movb $1, 0x10" ::: "memory"); }
inline int thread_id() { return static_cast<int>(syscall(SYS_gettid)); }
inline void pause_ms(long milliseconds) {
    timespec time{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
    while (nanosleep(&time, &time) != 0 && errno == EINTR) {
    }
}

template <class F>
pid_t start_child(F&& body) {
    const pid_t child = fork();
    if (child == 0)
        _exit(body());
    return child;
}

struct KernelAction {
    void* handler;
    unsigned long flags;
    void* restorer;
    unsigned long mask;
};
inline long raw_action(int signal, const void* action, void* old, size_t size = 8) {
    return syscall(SYS_rt_sigaction, signal, action, old, size);
}

void test_actions(Ktap& ktap);
void test_defaults(Ktap& ktap);
void test_masks(Ktap& ktap);
void test_sending(Ktap& ktap);
void test_permissions(Ktap& ktap);
void test_waiting(Ktap& ktap);
void test_restart(Ktap& ktap);
void test_rest_of_span(Ktap& ktap);
void test_never_restarted(Ktap& ktap);
void test_faults(Ktap& ktap);
void test_alternate_stack(Ktap& ktap);
void test_children(Ktap& ktap);
void test_stop_among_ends(Ktap& ktap);
void test_threads(Ktap& ktap);
void test_frame(Ktap& ktap);

} // namespace tollgate::conform
