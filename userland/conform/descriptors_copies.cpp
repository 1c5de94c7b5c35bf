// dup and its kin, flags, limits, and what threads share.
#include <initializer_list>
#include <pthread.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "userland/conform/descriptors_tests.h"

namespace conform {

void copies(tollgate::Ktap& ktap) {
    const int file = make("file", "0123456789");
    const int copy = dup(file);
    ktap.check(copy > file, "dup gave %d", copy);
    RETURNS(ktap, 3, lseek(file, 3, SEEK_SET));
    RETURNS(ktap, 3, lseek(copy, 0, SEEK_CUR));
    const int own = open("file", O_RDWR);
    RETURNS(ktap, 0, lseek(own, 0, SEEK_CUR));
    ktap.test("dup shares the position, open does not");

    RETURNS(ktap, 100, dup2(file, 100));
    RETURNS(ktap, 3, lseek(100, 0, SEEK_CUR));
    RETURNS(ktap, 100, dup2(100, 100));
    RETURNS(ktap, 100, dup2(own, 100));
    RETURNS(ktap, 0, lseek(100, 0, SEEK_CUR));
    RETURNS(ktap, 0, close(100));
    RETURNS(ktap, -EBADF, call(SYS_dup2, 100, 100));
    ktap.test("dup2 replaces what was there");

    for (const int bad : {-1, 1000000, 0x7fffffff, 500}) {
        RETURNS(ktap, -EBADF, call(SYS_dup, bad));
        RETURNS(ktap, -EBADF, call(SYS_dup2, bad, 90));
        RETURNS(ktap, -EBADF, call(SYS_fcntl, bad, F_GETFD));
        RETURNS(ktap, -EBADF, call(SYS_flock, bad, LOCK_SH));
    }
    RETURNS(ktap, -EBADF, call(SYS_dup2, file, -1));
    RETURNS(ktap, -EBADF, call(SYS_dup2, file, 0x7fffffff));
    RETURNS(ktap, -EINVAL, call(SYS_dup3, file, file, 0));
    RETURNS(ktap, -EINVAL, call(SYS_dup3, file, 90, O_APPEND));
    ktap.test("P8: dup, dup2, dup3: EBADF and EINVAL");

    RETURNS(ktap, 90, dup3(file, 90, O_CLOEXEC));
    RETURNS(ktap, FD_CLOEXEC, fcntl(90, F_GETFD));
    RETURNS(ktap, 0, fcntl(90, F_SETFD, 0));
    RETURNS(ktap, 0, fcntl(90, F_GETFD));
    RETURNS(ktap, 91, fcntl(file, F_DUPFD, 90));
    RETURNS(ktap, 0, fcntl(91, F_GETFD));
    RETURNS(ktap, 92, fcntl(file, F_DUPFD_CLOEXEC, 90));
    RETURNS(ktap, FD_CLOEXEC, fcntl(92, F_GETFD));
    RETURNS(ktap, -EINVAL, call(SYS_fcntl, file, F_DUPFD, -1));
    RETURNS(ktap, -EINVAL, call(SYS_fcntl, file, F_DUPFD, 0x7fffffff));
    RETURNS(ktap, -EINVAL, call(SYS_fcntl, file, 12345));
    ktap.test("close-on-exec flags, F_DUPFD");

    RETURNS(ktap, -EINVAL, call(SYS_close_range, 92, 90, 0));
    RETURNS(ktap, -EINVAL, call(SYS_close_range, 90, 92, 0x100));
    RETURNS(ktap, 0, call(SYS_close_range, 90, 90, 4));
    RETURNS(ktap, FD_CLOEXEC, fcntl(90, F_GETFD));
    RETURNS(ktap, 0, call(SYS_close_range, 90, ~0U, 0));
    for (int i = 90; i < 93; ++i)
        RETURNS(ktap, -EBADF, call(SYS_fcntl, i, F_GETFD));
    ktap.test("close_range");

    RETURNS(ktap, O_RDWR, fcntl(file, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_CREAT));
    RETURNS(ktap, 0, fcntl(file, F_SETFL, O_APPEND | O_NONBLOCK | O_WRONLY | O_CREAT));
    RETURNS(ktap, O_RDWR | O_APPEND | O_NONBLOCK, fcntl(copy, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_CREAT));
    RETURNS(ktap, 0, lseek(file, 0, SEEK_SET));
    RETURNS(ktap, 1, write(file, "x", 1));
    RETURNS(ktap, 11, status_of("file").st_size);
    RETURNS(ktap, 0, fcntl(file, F_SETFL, 0));
    ktap.test("F_SETFL changes O_APPEND and O_NONBLOCK only, for all copies");
    close(own);
    close(copy);
    close(file);
}

void limits(tollgate::Ktap& ktap) {
    const pid_t child = fork();
    if (child == 0) {
        const rlimit limit{20, 20};
        bool good = setrlimit(RLIMIT_NOFILE, &limit) == 0;
        int last = -1;
        for (int i = 0; i < 30; ++i) {
            const int next = dup(1);
            if (next < 0)
                break;
            last = next;
        }
        good &= last == 19 && call(SYS_dup, 1) == -EMFILE && call(SYS_open, ".", O_RDONLY) == -EMFILE;
        good &= call(SYS_dup2, 1, 20) == -EBADF && call(SYS_fcntl, 1, F_DUPFD, 20) == -EINVAL;
        good &= close(7) == 0 && dup(1) == 7;
        _exit(good ? 0 : 1);
    }
    int ended = -1;
    waitpid(child, &ended, 0);
    RETURNS(ktap, 0, ended);
    ktap.test("RLIMIT_NOFILE: EMFILE, and the lowest free descriptor");

    const pid_t many = fork();
    if (many == 0) {
        const rlimit limit{4096, 4096};
        bool good = setrlimit(RLIMIT_NOFILE, &limit) == 0;
        int last = -1;
        for (int next; (next = dup(1)) >= 0;)
            last = next;
        good &= last == 4095;
        for (int i = 3; i <= last; ++i)
            good &= close(i) == 0;
        _exit(good ? 0 : 1);
    }
    waitpid(many, &ended, 0);
    RETURNS(ktap, 0, ended);
    ktap.test("4096 descriptors");
}

namespace {

struct Raced {
    int file;
    bool stop = false;
};

void* close_and_open(void* argument) {
    auto& raced = *static_cast<Raced*>(argument);
    for (int i = 0; i < 2000; ++i) {
        close(raced.file);
        const int again = open("/dev/zero", O_RDONLY);
        if (again != raced.file) {
            dup2(again, raced.file);
            close(again);
        }
    }
    __atomic_store_n(&raced.stop, true, __ATOMIC_RELAXED);
    return nullptr;
}

} // namespace

void threads(tollgate::Ktap& ktap) {
    Raced raced{open("/dev/zero", O_RDONLY)};
    pthread_t thread;
    RETURNS(ktap, 0, pthread_create(&thread, nullptr, close_and_open, &raced));
    long reads = 0;
    while (!__atomic_load_n(&raced.stop, __ATOMIC_RELAXED)) {
        char bytes[16];
        const long got = call(SYS_read, raced.file, bytes, sizeof bytes);
        ktap.check(got == 16 || got == -EBADF, "read: %ld", got);
        ++reads;
        if (reads % 64 == 0)
            sched_yield();
    }
    pthread_join(thread, nullptr);
    close(raced.file);
    ktap.test("a descriptor that another thread closes: the file or EBADF");
}

void others(tollgate::Ktap& ktap) {
    const int file = make("sync", "x"), zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR);
    int ends[2];
    RETURNS(ktap, 0, pipe(ends));
    RETURNS(ktap, 0, fsync(file));
    RETURNS(ktap, 0, fdatasync(file));
    RETURNS(ktap, 0, syncfs(file));
    RETURNS(ktap, -EINVAL, call(SYS_fsync, ends[0]));
    RETURNS(ktap, 0, call(SYS_fadvise64, file, 0L, 0L, 0));
    RETURNS(ktap, -EINVAL, call(SYS_fadvise64, file, 0L, 0L, 99));
    RETURNS(ktap, -ESPIPE, call(SYS_fadvise64, ends[0], 0L, 0L, 0));
    RETURNS(ktap, 0, call(SYS_readahead, file, 0L, 4096L));
    RETURNS(ktap, -EBADF, call(SYS_readahead, -1, 0L, 4096L));
    sync();
    ktap.test("fsync, fdatasync, syncfs, fadvise, readahead");

    char bytes[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    RETURNS(ktap, 8, read(zero, bytes, 8));
    RETURNS(ktap, 0, bytes[7]);
    RETURNS(ktap, 0, read(null, bytes, 8));
    RETURNS(ktap, 8, write(null, bytes, 8));
    RETURNS(ktap, 8, write(zero, bytes, 8));
    RETURNS(ktap, 8, pread(zero, bytes, 8, 1000));
    RETURNS(ktap, 0, lseek(null, 5, SEEK_SET));
    const int full = open("/dev/full", O_WRONLY);
    RETURNS(ktap, -ENOSPC, call(SYS_write, full, bytes, 8));
    struct stat status {};
    RETURNS(ktap, 0, fstat(null, &status));
    ktap.check(S_ISCHR(status.st_mode) && status.st_rdev == 0x103, "mode %o, device %#lx", status.st_mode,
               static_cast<unsigned long>(status.st_rdev));
    for (const unsigned long bad : kBadPointers) {
        RETURNS(ktap, -EFAULT, call(SYS_read, zero, bad, 8));
    }
    close(full);
    ktap.test("/dev/zero, /dev/null, /dev/full");

    const int place = open(".", O_PATH);
    RETURNS(ktap, 0, call(SYS_fchdir, place));
    RETURNS(ktap, O_PATH, fcntl(place, F_GETFL) & (O_PATH | O_ACCMODE));
    RETURNS(ktap, -EBADF, call(SYS_fcntl, place, F_SETFL, O_APPEND));
    RETURNS(ktap, -EBADF, call(SYS_flock, place, LOCK_SH));
    RETURNS(ktap, -EBADF, call(SYS_getdents64, place, bytes, 8));
    RETURNS(ktap, 0, close(place));
    RETURNS(ktap, -EBADF, call(SYS_close, place));
    ktap.test("O_PATH descriptors");

    RETURNS(ktap, -ENOTTY, call(SYS_ioctl, file, 0x5401, bytes));
    int waiting = -1;
    RETURNS(ktap, 0, lseek(file, 0, SEEK_SET));
    RETURNS(ktap, 0, call(SYS_ioctl, file, 0x541b, &waiting));
    RETURNS(ktap, 1, waiting);
    RETURNS(ktap, 0, call(SYS_ioctl, file, 0x5451, 0));
    RETURNS(ktap, FD_CLOEXEC, fcntl(file, F_GETFD));
    RETURNS(ktap, 0, call(SYS_ioctl, file, 0x5450, 0));
    RETURNS(ktap, 0, fcntl(file, F_GETFD));
    ktap.test("ioctls of every file");
    for (const int each : {file, zero, null, ends[0], ends[1]})
        close(each);
}

} // namespace conform
