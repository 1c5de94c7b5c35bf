// The C library's wrappers of system calls, posted instead of trapped. A file of one-liners; those that take part of
// their behaviour from their arguments are at the end. What acts on the kernel thread itself is not here, and goes the
// native way.
#include <cerrno>
#include <cstdarg>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/flexsc_threads/scheduler.h"

namespace tollgate::threads {
namespace {

template <class T>
long word(T value) {
    if constexpr (std::is_pointer_v<T>)
        return reinterpret_cast<long>(value);
    else
        return static_cast<long>(value);
}

/// A value, or -1 and errno.
template <class... A>
long post(unsigned number, A... arguments) {
    const long result = system_call(number, sizeof...(A), word(arguments)...);
    if (result >= 0 || result < -4095)
        return result;
    errno = static_cast<int>(-result);
    return -1;
}

/// Sleeps until a deadline of the core's, which costs no entry; 0.
int sleep_until(std::uint64_t deadline) {
    Thread& me = *self;
    start_timer(me, deadline);
    wait_while([&] { return !me.expired.load(std::memory_order_relaxed); });
    return 0;
}

} // namespace

#define CALL(type, name, parameters, ...)                                                                              \
    type name parameters { return static_cast<type>(post(__VA_ARGS__)); }

extern "C" {

// --- reading and writing
CALL(ssize_t, read, (int fd, void* to, size_t size), SYS_read, fd, to, size)
CALL(ssize_t, write, (int fd, const void* from, size_t size), SYS_write, fd, from, size)
CALL(ssize_t, pread, (int fd, void* to, size_t size, off_t at), SYS_pread64, fd, to, size, at)
CALL(ssize_t, pread64, (int fd, void* to, size_t size, off_t at), SYS_pread64, fd, to, size, at)
CALL(ssize_t, pwrite, (int fd, const void* from, size_t size, off_t at), SYS_pwrite64, fd, from, size, at)
CALL(ssize_t, pwrite64, (int fd, const void* from, size_t size, off_t at), SYS_pwrite64, fd, from, size, at)
CALL(ssize_t, readv, (int fd, const iovec* parts, int count), SYS_readv, fd, parts, count)
CALL(ssize_t, writev, (int fd, const iovec* parts, int count), SYS_writev, fd, parts, count)
CALL(off_t, lseek, (int fd, off_t offset, int whence), SYS_lseek, fd, offset, whence)
CALL(off_t, lseek64, (int fd, off_t offset, int whence), SYS_lseek, fd, offset, whence)
CALL(int, fsync, (int fd), SYS_fsync, fd)
CALL(int, fdatasync, (int fd), SYS_fdatasync, fd)
CALL(int, ftruncate, (int fd, off_t size), SYS_ftruncate, fd, size)
CALL(int, ftruncate64, (int fd, off_t size), SYS_ftruncate, fd, size)

// --- descriptors
CALL(int, close, (int fd), SYS_close, fd)
CALL(int, dup, (int fd), SYS_dup, fd)
CALL(int, dup2, (int fd, int as), SYS_dup2, fd, as)
CALL(int, dup3, (int fd, int as, int flags), SYS_dup3, fd, as, flags)
CALL(int, pipe, (int* ends), SYS_pipe, ends)
CALL(int, pipe2, (int* ends, int flags), SYS_pipe2, ends, flags)
CALL(int, flock, (int fd, int operation), SYS_flock, fd, operation)

// --- names
CALL(int, creat, (const char* path, mode_t mode), SYS_creat, path, mode)
CALL(int, creat64, (const char* path, mode_t mode), SYS_creat, path, mode)
CALL(int, access, (const char* path, int mode), SYS_access, path, mode)
CALL(int, mkdir, (const char* path, mode_t mode), SYS_mkdir, path, mode)
CALL(int, rmdir, (const char* path), SYS_rmdir, path)
CALL(int, unlink, (const char* path), SYS_unlink, path)
CALL(int, unlinkat, (int folder, const char* path, int flags), SYS_unlinkat, folder, path, flags)
CALL(int, rename, (const char* from, const char* to), SYS_rename, from, to)
CALL(int, link, (const char* from, const char* to), SYS_link, from, to)
CALL(int, symlink, (const char* from, const char* to), SYS_symlink, from, to)
CALL(ssize_t, readlink, (const char* path, char* to, size_t size), SYS_readlink, path, to, size)
CALL(int, stat, (const char* path, struct stat* to), SYS_stat, path, to)
CALL(int, stat64, (const char* path, struct stat64* to), SYS_stat, path, to)
CALL(int, lstat, (const char* path, struct stat* to), SYS_lstat, path, to)
CALL(int, lstat64, (const char* path, struct stat64* to), SYS_lstat, path, to)
CALL(int, fstat, (int fd, struct stat* to), SYS_fstat, fd, to)
CALL(int, fstat64, (int fd, struct stat64* to), SYS_fstat, fd, to)
CALL(int, fstatat, (int folder, const char* path, struct stat* to, int flags), SYS_newfstatat, folder, path, to, flags)
CALL(int, fstatat64, (int folder, const char* path, struct stat64* to, int flags), SYS_newfstatat, folder, path, to,
     flags)

// --- waiting for events
CALL(int, poll, (pollfd * fds, nfds_t count, int timeout), SYS_poll, fds, count, timeout)
CALL(int, epoll_wait, (int fd, epoll_event* events, int most, int timeout), SYS_epoll_wait, fd, events, most, timeout)
CALL(int, epoll_ctl, (int fd, int operation, int other, epoll_event* event), SYS_epoll_ctl, fd, operation, other, event)

// --- sockets
CALL(int, accept, (int fd, sockaddr* address, socklen_t* size), SYS_accept, fd, address, size)
CALL(int, accept4, (int fd, sockaddr* address, socklen_t* size, int flags), SYS_accept4, fd, address, size, flags)
CALL(int, connect, (int fd, const sockaddr* address, socklen_t size), SYS_connect, fd, address, size)
CALL(ssize_t, send, (int fd, const void* from, size_t size, int flags), SYS_sendto, fd, from, size, flags, 0, 0)
CALL(ssize_t, recv, (int fd, void* to, size_t size, int flags), SYS_recvfrom, fd, to, size, flags, 0, 0)
CALL(ssize_t, sendto, (int fd, const void* from, size_t size, int flags, const sockaddr* address, socklen_t length),
     SYS_sendto, fd, from, size, flags, address, length)
CALL(ssize_t, recvfrom, (int fd, void* to, size_t size, int flags, sockaddr* address, socklen_t* length), SYS_recvfrom,
     fd, to, size, flags, address, length)
CALL(ssize_t, sendmsg, (int fd, const msghdr* message, int flags), SYS_sendmsg, fd, message, flags)
CALL(ssize_t, recvmsg, (int fd, msghdr* message, int flags), SYS_recvmsg, fd, message, flags)
CALL(int, shutdown, (int fd, int how), SYS_shutdown, fd, how)

// --- processes
CALL(pid_t, getppid, (), SYS_getppid)
CALL(pid_t, wait4, (pid_t child, int* status, int options, rusage* usage), SYS_wait4, child, status, options, usage)
CALL(pid_t, waitpid, (pid_t child, int* status, int options), SYS_wait4, child, status, options, 0)
CALL(pid_t, wait, (int* status), SYS_wait4, -1, status, 0, 0)

// --- with _FORTIFY_SOURCE: the size of the buffer comes last
[[noreturn]] void __chk_fail();
ssize_t __read_chk(int fd, void* to, size_t size, size_t room) {
    return size > room ? (__chk_fail(), -1) : read(fd, to, size);
}
ssize_t __pread_chk(int fd, void* to, size_t size, off_t at, size_t room) {
    return size > room ? (__chk_fail(), -1) : pread(fd, to, size, at);
}
ssize_t __pread64_chk(int fd, void* to, size_t size, off_t at, size_t room) {
    return size > room ? (__chk_fail(), -1) : pread(fd, to, size, at);
}
ssize_t __recv_chk(int fd, void* to, size_t size, size_t room, int flags) {
    return size > room ? (__chk_fail(), -1) : recv(fd, to, size, flags);
}
int __poll_chk(pollfd* fds, nfds_t count, int timeout, size_t room) {
    return count > room / sizeof *fds ? (__chk_fail(), -1) : poll(fds, count, timeout);
}
int __open_2(const char* path, int flags) { return static_cast<int>(post(SYS_open, path, flags, 0)); }
int __open64_2(const char* path, int flags) { return static_cast<int>(post(SYS_open, path, flags, 0)); }
int __openat_2(int folder, const char* path, int flags) {
    return static_cast<int>(post(SYS_openat, folder, path, flags, 0));
}
int __openat64_2(int folder, const char* path, int flags) {
    return static_cast<int>(post(SYS_openat, folder, path, flags, 0));
}

// --- with arguments that need not be there: reading one that is not harms nothing on x86-64
int open(const char* path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    const auto mode = va_arg(list, mode_t);
    va_end(list);
    return static_cast<int>(post(SYS_open, path, flags, mode));
}
int open64(const char* path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    const auto mode = va_arg(list, mode_t);
    va_end(list);
    return static_cast<int>(post(SYS_open, path, flags, mode));
}
int openat(int folder, const char* path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    const auto mode = va_arg(list, mode_t);
    va_end(list);
    return static_cast<int>(post(SYS_openat, folder, path, flags, mode));
}
int openat64(int folder, const char* path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    const auto mode = va_arg(list, mode_t);
    va_end(list);
    return static_cast<int>(post(SYS_openat, folder, path, flags, mode));
}
int fcntl(int fd, int command, ...) {
    va_list list;
    va_start(list, command);
    const long argument = va_arg(list, long);
    va_end(list);
    return static_cast<int>(post(SYS_fcntl, fd, command, argument));
}
int fcntl64(int fd, int command, ...) {
    va_list list;
    va_start(list, command);
    const long argument = va_arg(list, long);
    va_end(list);
    return static_cast<int>(post(SYS_fcntl, fd, command, argument));
}

// --- sleeping
int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
    if (time->tv_nsec < 0 || time->tv_nsec >= 1'000'000'000 || time->tv_sec < 0)
        return EINVAL;
    if (self == nullptr || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC))
        return -static_cast<int>(system_call(SYS_clock_nanosleep, 4, clock, flags, word(time), word(left)));
    timespec when = *time;
    if ((flags & TIMER_ABSTIME) == 0) {
        clock_gettime(clock = CLOCK_MONOTONIC, &when);
        when.tv_sec = time->tv_sec < INT64_MAX - when.tv_sec - 1 ? when.tv_sec + time->tv_sec : INT64_MAX - 1;
        when.tv_nsec += time->tv_nsec;
        if (when.tv_nsec >= 1'000'000'000) {
            when.tv_nsec -= 1'000'000'000;
            ++when.tv_sec;
        }
    }
    return sleep_until(deadline_of(clock, when));
}
int nanosleep(const timespec* time, timespec* left) {
    if (const int failed = clock_nanosleep(CLOCK_MONOTONIC, 0, time, left); failed != 0) {
        errno = failed;
        return -1;
    }
    return 0;
}
int usleep(useconds_t time) {
    const timespec wanted{static_cast<time_t>(time / 1'000'000), static_cast<long>(time % 1'000'000) * 1000};
    return nanosleep(&wanted, nullptr);
}
unsigned sleep(unsigned seconds) {
    const timespec wanted{static_cast<time_t>(seconds), 0};
    (void)nanosleep(&wanted, nullptr);
    return 0;
}

} // extern "C"

} // namespace tollgate::threads
