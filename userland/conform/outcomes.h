// What the conformance programs about signals and timers share: how a call came out, bad pointers, a child.
#pragma once

#include <cerrno>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

namespace tollgate::conform {

inline void* const kBadPointers[] = {reinterpret_cast<void*>(8), reinterpret_cast<void*>(0x7ffffffff000),
                                     reinterpret_cast<void*>(0x800000000000), reinterpret_cast<void*>(-4096l)};

/// Runs in a child; its wait status.
template <class F>
int in_child(F&& body) {
    const pid_t child = fork();
    if (child == 0)
        _exit(body());
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

} // namespace tollgate::conform

#define FAILS(ktap, call, error)                                                                                       \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        const long outcome = static_cast<long>(call);                                                                  \
        (ktap).check(outcome == -1 && errno == (error), "%s: %ld, %s", #call, outcome, std::strerror(errno));          \
    } while (0)
#define WORKS(ktap, call)                                                                                              \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        const long outcome = static_cast<long>(call);                                                                  \
        (ktap).check(outcome != -1, "%s: %s", #call, std::strerror(errno));                                            \
    } while (0)
