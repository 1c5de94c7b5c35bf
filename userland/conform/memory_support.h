// What the memory conformance programs share: whether the kernel may read or write an address for us, asked by calls
// that answer EFAULT, and what becomes of a child that touches one.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <initializer_list>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace tollgate::conform {

constexpr size_t kPage = 4096;
constexpr int kReadWrite = PROT_READ | PROT_WRITE;
constexpr int kPrivate = MAP_PRIVATE | MAP_ANONYMOUS, kShared = MAP_SHARED | MAP_ANONYMOUS;

inline char* map(size_t pages, int rights = kReadWrite, int flags = kPrivate, void* where = nullptr, int file = -1,
                 off_t offset = 0) {
    void* const memory = mmap(where, pages * kPage, rights, flags, file, offset);
    return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

/// The error of a call that returns -1 or MAP_FAILED, 0 if it did not fail.
template <class T>
int error_of(T result) {
    return reinterpret_cast<intptr_t>(reinterpret_cast<void*>(result)) == -1 ? errno : 0;
}

inline bool readable(const void* at) { return syscall(SYS_access, at, 0) == 0 || errno != EFAULT; }
/// Writes 16 bytes, if it can.
inline bool writable(void* at) { return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, at) == 0 || errno != EFAULT; }
inline bool mapped(const void* at) {
    unsigned char there;
    return mincore(const_cast<void*>(at), 1, &there) == 0;
}

/// Runs it in a child; the wait status.
template <class Function>
int in_child(Function function) {
    const pid_t child = fork();
    if (child == 0) {
        function();
        _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}
template <class Function>
bool killed_by(int signal, Function function) {
    const int status = in_child(function);
    return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}
template <class Function>
bool exits_with(int code, Function function) {
    const int status = in_child(function);
    return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

inline bool all(const char* from, size_t size, char value) {
    for (size_t i = 0; i < size; ++i)
        if (from[i] != value)
            return false;
    return true;
}

} // namespace tollgate::conform
