// What the conformance programs for pipes, polling and sockets share: short checks of a result and its errno, children
// that must end well, and bad pointers.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace tollgate::ipc {

/// One test: the result is -1 and errno is as expected.
inline bool fails(Ktap& ktap, const char* name, long result, int error) {
    const int got = errno;
    ktap.check(result == -1 && got == error, "returned %ld, errno %d (%s), not %s", result, got,
               result == -1 ? strerrorname_np(got) : "-", strerrorname_np(error));
    return ktap.test(name);
}
/// One test: the result is this value.
inline bool gives(Ktap& ktap, const char* name, long result, long value) {
    const int got = errno;
    ktap.check(result == value, "returned %ld, not %ld (errno %d)", result, value, got);
    return ktap.test(name);
}

/// Runs a function in a child, whose exit status is what it returns (true: 0).
template <class Run>
pid_t child(Run run) {
    const pid_t id = fork();
    if (id == 0)
        _exit(run() ? 0 : 1);
    return id;
}
/// Whether the child ended with status 0.
inline bool ended_well(pid_t id) {
    int status = -1;
    while (waitpid(id, &status, 0) == -1 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// Addresses that no call may be given: not mapped, not canonical, the kernel's, wrapping.
inline constexpr std::uintptr_t kBadPointers[] = {
    8, 0x00007ffffffff000, 0x0000800000000000, 0xffff800000000000, 0xffffffff80000000, 0xffffffffffffff00};
inline void* bad(std::uintptr_t address) { return reinterpret_cast<void*>(address); }

inline void pause_ms(long milliseconds) {
    const timespec time{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
    nanosleep(&time, nullptr);
}
inline long now_ms() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
}

/// Installs a handler that only counts, so that calls are interrupted; `flags` as SA_RESTART.
inline volatile sig_atomic_t signals_seen = 0;
inline void count_signal(int signal, int flags = 0) {
    struct sigaction action {};
    action.sa_handler = [](int) { signals_seen = signals_seen + 1; };
    action.sa_flags = flags;
    sigaction(signal, &action, nullptr);
}

/// Two pages of which only the first is mapped; the address of its last `size` bytes.
inline char* end_of_page(std::size_t size) {
    auto* pages = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    munmap(pages + 4096, 4096);
    return pages + 4096 - size;
}

} // namespace tollgate::ipc
