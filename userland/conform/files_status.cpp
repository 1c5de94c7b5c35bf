// What stat says of files, their times, and what processes and threads share of an open one.
#include <csignal>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "userland/conform/files_tests.h"

namespace conform {

void statuses(tollgate::Ktap& ktap) {
    const int file = make("status", "12345");
    struct stat status {
    }, by_descriptor{};
    RETURNS(ktap, 0, stat("status", &status));
    RETURNS(ktap, 0, fstat(file, &by_descriptor));
    RETURNS(ktap, status.st_ino, by_descriptor.st_ino);
    RETURNS(ktap, status.st_dev, by_descriptor.st_dev);
    RETURNS(ktap, 5, status.st_size);
    RETURNS(ktap, 1, status.st_nlink);
    RETURNS(ktap, geteuid(), status.st_uid);
    RETURNS(ktap, -EFAULT, call(SYS_fstat, file, 1));
    ktap.test("stat and fstat agree");

    RETURNS(ktap, 0, fstatat(file, "", &status, AT_EMPTY_PATH));
    RETURNS(ktap, by_descriptor.st_ino, status.st_ino);
    RETURNS(ktap, -ENOENT, call(SYS_newfstatat, file, "", &status, 0));
    RETURNS(ktap, -EINVAL, call(SYS_newfstatat, AT_FDCWD, "status", &status, 0x40000000));
    RETURNS(ktap, 0, fstatat(AT_FDCWD, "sym", &status, AT_SYMLINK_NOFOLLOW));
    ktap.check(S_ISLNK(status.st_mode), "mode %o", status.st_mode);
    ktap.test("newfstatat and its flags");

    struct statx extended {};
    RETURNS(ktap, 0, call(SYS_statx, AT_FDCWD, "status", 0, STATX_BASIC_STATS, &extended));
    RETURNS(ktap, 5, extended.stx_size);
    RETURNS(ktap, by_descriptor.st_ino, extended.stx_ino);
    RETURNS(ktap, S_IFREG | 0644, extended.stx_mode);
    ktap.check((extended.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS, "mask %#x", extended.stx_mask);
    RETURNS(ktap, 0, call(SYS_statx, file, "", AT_EMPTY_PATH, STATX_SIZE, &extended));
    RETURNS(ktap, 5, extended.stx_size);
    RETURNS(ktap, -EINVAL, call(SYS_statx, AT_FDCWD, "status", 0, 0x80000000U, &extended));
    RETURNS(ktap, -EINVAL, call(SYS_statx, AT_FDCWD, "status", 0x6000, 0, &extended));
    RETURNS(ktap, -EFAULT, call(SYS_statx, AT_FDCWD, "status", 0, 0, 1));
    RETURNS(ktap, -ENOENT, call(SYS_statx, AT_FDCWD, "none", 0, 0, &extended));
    ktap.test("statx");

    struct statfs system {};
    RETURNS(ktap, 0, statfs(".", &system));
    ktap.check(system.f_bsize > 0 && system.f_blocks >= system.f_bfree, "blocks are odd");
    RETURNS(ktap, 255, system.f_namelen);
    RETURNS(ktap, 0, fstatfs(file, &system));
    RETURNS(ktap, 0, statfs("/proc", &system));
    RETURNS(ktap, 0x9fa0, system.f_type);
    RETURNS(ktap, 0, system.f_blocks);
    RETURNS(ktap, -ENOENT, call(SYS_statfs, "none", &system));
    RETURNS(ktap, -EFAULT, call(SYS_statfs, ".", 1));
    RETURNS(ktap, -EBADF, call(SYS_fstatfs, -1, &system));
    ktap.test("statfs");

    for (const unsigned long bad : kBadPointers) {
        RETURNS(ktap, -EFAULT, call(SYS_fstat, file, bad));
        RETURNS(ktap, -EFAULT, call(SYS_readlink, "sym", bad, 10));
    }
    ktap.test("P1: results to bad addresses are EFAULT");
    close(file);
}

void times(tollgate::Ktap& ktap) {
    const int file = make("times", "x");
    const timespec wanted[2] = {{1000000000, 1}, {1100000000, 999999999}};
    RETURNS(ktap, 0, utimensat(AT_FDCWD, "times", wanted, 0));
    struct stat status = status_of("times");
    RETURNS(ktap, 1000000000, status.st_atim.tv_sec);
    RETURNS(ktap, 1, status.st_atim.tv_nsec);
    RETURNS(ktap, 1100000000, status.st_mtim.tv_sec);
    RETURNS(ktap, 999999999, status.st_mtim.tv_nsec);
    ktap.test("utimensat sets times to the nanosecond");

    const timespec omit[2] = {{0, UTIME_OMIT}, {5, 5}};
    RETURNS(ktap, 0, futimens(file, omit));
    status = status_of("times");
    RETURNS(ktap, 1000000000, status.st_atim.tv_sec);
    RETURNS(ktap, 5, status.st_mtim.tv_sec);
    const timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
    RETURNS(ktap, 0, futimens(file, now));
    ktap.check(status_of("times").st_atim.tv_sec != 1000000000, "the time did not move");
    ktap.test("UTIME_OMIT and UTIME_NOW");

    const timespec wrong[2] = {{0, 1000000000}, {0, 0}};
    RETURNS(ktap, -EINVAL, call(SYS_utimensat, AT_FDCWD, "times", wrong, 0));
    RETURNS(ktap, -EINVAL, call(SYS_utimensat, AT_FDCWD, "times", wanted, 0x4000));
    RETURNS(ktap, -ENOENT, call(SYS_utimensat, AT_FDCWD, "none", wanted, 0));
    RETURNS(ktap, -EFAULT, call(SYS_utimensat, AT_FDCWD, "times", 1, 0));
    RETURNS(ktap, -EBADF, call(SYS_utimensat, -1, 0, wanted, 0));
    const timeval micro[2] = {{7, 8}, {9, 10}};
    RETURNS(ktap, 0, call(SYS_utimes, "times", micro));
    RETURNS(ktap, 8000, status_of("times").st_atim.tv_nsec);
    RETURNS(ktap, 9, status_of("times").st_mtim.tv_sec);
    ktap.test("utimensat: EINVAL, ENOENT, EFAULT, EBADF; utimes");

    RETURNS(ktap, 0, utimensat(AT_FDCWD, "times", wanted, 0));
    RETURNS(ktap, 1, write(file, "y", 1));
    status = status_of("times");
    ktap.check(status.st_mtim.tv_sec > 1100000000 || status.st_mtim.tv_sec < 1100000000, "write left the time");
    ktap.check(status.st_ctim.tv_sec == status.st_mtim.tv_sec, "ctime is not mtime");
    ktap.test("a write sets mtime and ctime");
    close(file);
}

void sharing(tollgate::Ktap& ktap) {
    const int file = make("unlinked", "still here");
    RETURNS(ktap, 0, unlink("unlinked"));
    struct stat status {};
    RETURNS(ktap, 0, fstat(file, &status));
    RETURNS(ktap, 0, status.st_nlink);
    char text[16] = {};
    RETURNS(ktap, 10, pread(file, text, sizeof text, 0));
    touch("unlinked", "new");
    RETURNS(ktap, 10, pread(file, text, sizeof text, 0));
    close(file);
    ktap.test("an open file outlives its name");

    const int from = make("from", "0123456789"), to = make("to");
    long source = 2, target = 5;
    RETURNS(ktap, 4, call(SYS_copy_file_range, from, &source, to, &target, 4, 0));
    RETURNS(ktap, 6, source);
    RETURNS(ktap, 9, target);
    RETURNS(ktap, 9, pread(to, text, sizeof text, 0));
    ktap.check(std::memcmp(text, "\0\0\0\0\0002345", 9) == 0, "copied wrongly");
    RETURNS(ktap, -EINVAL, call(SYS_copy_file_range, from, &source, to, &target, 4, 1));
    RETURNS(ktap, -EBADF, call(SYS_copy_file_range, -1, &source, to, &target, 4, 0));
    ktap.test("copy_file_range");
    close(from);
    close(to);

    // Threads of fork share the position: what two processes write does not overlap.
    const int shared = make("shared");
    const pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 100; ++i)
            if (write(shared, "child\n", 6) != 6)
                _exit(1);
        _exit(0);
    }
    for (int i = 0; i < 100; ++i)
        if (write(shared, "above\n", 6) != 6)
            ktap.check(false, "write: %d", errno);
    int ended = -1;
    waitpid(child, &ended, 0);
    RETURNS(ktap, 0, ended);
    RETURNS(ktap, 1200, status_of("shared").st_size);
    RETURNS(ktap, 1200, lseek(shared, 0, SEEK_CUR));
    close(shared);
    ktap.test("fork shares the position");

    const pid_t limited = fork();
    if (limited == 0) {
        signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{100, 100};
        setrlimit(RLIMIT_FSIZE, &limit);
        const int small = make("small");
        char block[64] = {};
        bool good = write(small, block, 64) == 64 && write(small, block, 64) == 36;
        good &= call(SYS_write, small, block, 64) == -EFBIG && call(SYS_ftruncate, small, 101) == -EFBIG;
        _exit(good ? 0 : 1);
    }
    waitpid(limited, &ended, 0);
    RETURNS(ktap, 0, ended);
    ktap.test("RLIMIT_FSIZE: EFBIG");
}

namespace {

/// What a second thread does to the arguments of the first one's calls.
struct Flipped {
    volatile bool stop = false;
    volatile unsigned long* word = nullptr;
    unsigned long one = 0, two = 0;
    char* page = nullptr;
};

void* flip(void* argument) {
    auto& flipped = *static_cast<Flipped*>(argument);
    while (!flipped.stop) {
        *flipped.word = flipped.one;
        *flipped.word = flipped.two;
        sched_yield();
    }
    return nullptr;
}

void* protect(void* argument) {
    auto& flipped = *static_cast<Flipped*>(argument);
    while (!flipped.stop) {
        mprotect(flipped.page, 4096, PROT_NONE);
        sched_yield();
        mprotect(flipped.page, 4096, PROT_READ | PROT_WRITE);
        sched_yield();
    }
    return nullptr;
}

} // namespace

void races(tollgate::Ktap& ktap) {
    char text[256] = "flipped";
    const int file = make("raced", "0123456789");
    iovec part{text, 8};
    Flipped flipped;
    flipped.word = reinterpret_cast<unsigned long*>(&part.iov_base);
    flipped.one = reinterpret_cast<unsigned long>(text);
    flipped.two = 0xffffffff81000000;
    pthread_t thread;
    pthread_create(&thread, nullptr, flip, &flipped);
    for (int i = 0; i < 2000; ++i) {
        const long moved = call(SYS_pwritev, file, &part, 1, 0L);
        ktap.check(moved == 8 || moved == -EFAULT, "pwritev: %ld", moved);
        if (i % 16 == 0)
            sched_yield();
    }
    flipped.stop = true;
    pthread_join(thread, nullptr);
    RETURNS(ktap, 10, status_of("raced").st_size);
    ktap.test("P6: a vector that changes during the call");

    alignas(8) char name[16] = "raced";
    flipped = {};
    flipped.word = reinterpret_cast<unsigned long*>(name);
    std::memcpy(&flipped.one, "raced\0\0", 8);
    std::memcpy(&flipped.two, "none/xy", 8);
    pthread_create(&thread, nullptr, flip, &flipped);
    for (int i = 0; i < 2000; ++i) {
        const long opened = call(SYS_open, name, O_RDONLY);
        ktap.check(opened >= 0 || opened == -ENOENT || opened == -ENOTDIR, "open: %ld", opened);
        if (opened >= 0)
            close(static_cast<int>(opened));
        if (i % 16 == 0)
            sched_yield();
    }
    flipped.stop = true;
    pthread_join(thread, nullptr);
    ktap.test("P6: a path that changes during the call");

    flipped = {};
    flipped.page = static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    pthread_create(&thread, nullptr, protect, &flipped);
    for (int i = 0; i < 1000; ++i) {
        const long wrote = call(SYS_pwrite64, file, flipped.page, 4096, 0L);
        const long got = call(SYS_pread64, file, flipped.page, 4096, 0L);
        ktap.check((wrote > 0 && wrote <= 4096) || wrote == -EFAULT, "pwrite: %ld", wrote);
        ktap.check((got > 0 && got <= 4096) || got == -EFAULT, "pread: %ld", got);
        if (i % 16 == 0)
            sched_yield();
    }
    flipped.stop = true;
    pthread_join(thread, nullptr);
    munmap(flipped.page, 4096);
    close(file);
    ktap.test("P4: a buffer that goes during the call");
}

} // namespace conform
