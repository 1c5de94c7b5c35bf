// Descriptors: copies, flags, limits, locks, and what threads and processes share, against POSIX and Linux' manual
// pages; and a race of four processes on one directory.
#include <csignal>
#include <initializer_list>
#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "userland/conform/scratch.h"

using namespace conform;

namespace {

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

/// Runs `body` in a child; whether it was content.
template <class Body>
bool in_child(Body body) {
    const pid_t child = fork();
    if (child == 0)
        _exit(body() ? 0 : 1);
    int ended = -1;
    return waitpid(child, &ended, 0) == child && ended == 0;
}

struct flock lock_of(short type, off_t start, off_t length) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = start;
    lock.l_len = length;
    return lock;
}

void locks(tollgate::Ktap& ktap) {
    const int file = make("locked", "0123456789");
    RETURNS(ktap, 0, flock(file, LOCK_EX));
    RETURNS(ktap, 0, flock(file, LOCK_EX));
    const int other = open("locked", O_RDWR);
    RETURNS(ktap, -EWOULDBLOCK, call(SYS_flock, other, LOCK_SH | LOCK_NB));
    RETURNS(ktap, 0, flock(file, LOCK_SH));
    RETURNS(ktap, 0, flock(other, LOCK_SH | LOCK_NB));
    RETURNS(ktap, -EWOULDBLOCK, call(SYS_flock, other, LOCK_EX | LOCK_NB));
    RETURNS(ktap, 0, flock(file, LOCK_UN));
    RETURNS(ktap, 0, flock(other, LOCK_EX | LOCK_NB));
    close(other);
    RETURNS(ktap, 0, flock(file, LOCK_EX | LOCK_NB));
    RETURNS(ktap, 0, flock(file, LOCK_UN));
    RETURNS(ktap, -EINVAL, call(SYS_flock, file, 3));
    RETURNS(ktap, -EINVAL, call(SYS_flock, file, LOCK_NB));
    ktap.test("flock: shared, exclusive, released by close");

    struct flock lock = lock_of(F_WRLCK, 2, 4);
    RETURNS(ktap, 0, fcntl(file, F_SETLK, &lock));
    ktap.check(in_child([&] {
                   struct flock mine = lock_of(F_RDLCK, 0, 0);
                   bool good = fcntl(file, F_GETLK, &mine) == 0 && mine.l_type == F_WRLCK && mine.l_start == 2 &&
                               mine.l_len == 4 && mine.l_pid == getppid();
                   mine = lock_of(F_WRLCK, 5, 1);
                   good &= call(SYS_fcntl, file, F_SETLK, &mine) == -EAGAIN;
                   mine = lock_of(F_WRLCK, 6, 10);
                   good &= fcntl(file, F_SETLK, &mine) == 0;
                   mine = lock_of(F_RDLCK, 0, 2);
                   return good && fcntl(file, F_SETLK, &mine) == 0;
               }),
               "the child saw other locks");
    ktap.test("record locks keep other processes out of a range");

    lock = lock_of(F_UNLCK, 3, 1);
    RETURNS(ktap, 0, fcntl(file, F_SETLK, &lock));
    ktap.check(in_child([&] {
                   struct flock mine = lock_of(F_WRLCK, 3, 1);
                   bool good = fcntl(file, F_SETLK, &mine) == 0;
                   mine = lock_of(F_WRLCK, 2, 1);
                   good &= call(SYS_fcntl, file, F_SETLK, &mine) == -EAGAIN;
                   mine = lock_of(F_WRLCK, 4, 1);
                   return good && call(SYS_fcntl, file, F_SETLK, &mine) == -EAGAIN;
               }),
               "the middle did not open");
    close(dup(file)); // any close gives a process's locks up
    ktap.check(in_child([&] {
                   struct flock mine = lock_of(F_WRLCK, 0, 0);
                   return fcntl(file, F_SETLK, &mine) == 0;
               }),
               "the locks outlived a close");
    ktap.test("record locks split, and go with any close");

    lock = lock_of(F_WRLCK, 0, 0);
    RETURNS(ktap, 0, fcntl(file, F_OFD_SETLK, &lock));
    const int second = open("locked", O_RDWR);
    RETURNS(ktap, -EAGAIN, call(SYS_fcntl, second, F_OFD_SETLK, &lock));
    RETURNS(ktap, 0, fcntl(second, F_OFD_GETLK, &lock));
    RETURNS(ktap, -1, lock.l_pid);
    lock = lock_of(F_WRLCK, 0, 0);
    lock.l_pid = 1;
    RETURNS(ktap, -EINVAL, call(SYS_fcntl, second, F_OFD_SETLK, &lock));
    lock = lock_of(F_UNLCK, 0, 0);
    RETURNS(ktap, 0, fcntl(file, F_OFD_SETLK, &lock));
    lock = lock_of(F_RDLCK, 0, 0);
    RETURNS(ktap, 0, fcntl(second, F_OFD_SETLK, &lock));
    close(second);
    ktap.test("open file description locks");

    lock = lock_of(7, 0, 0);
    RETURNS(ktap, -EINVAL, call(SYS_fcntl, file, F_SETLK, &lock));
    lock = lock_of(F_WRLCK, -1, 0);
    RETURNS(ktap, -EINVAL, call(SYS_fcntl, file, F_SETLK, &lock));
    for (const unsigned long bad : kBadPointers)
        RETURNS(ktap, -EFAULT, call(SYS_fcntl, file, F_SETLK, bad));
    const int reader = open("locked", O_RDONLY);
    lock = lock_of(F_WRLCK, 0, 0);
    RETURNS(ktap, -EBADF, call(SYS_fcntl, reader, F_SETLK, &lock));
    close(reader);
    ktap.test("record locks: EINVAL, EFAULT, EBADF");

    int ready[2];
    RETURNS(ktap, 0, pipe(ready));
    lock = lock_of(F_WRLCK, 0, 0);
    RETURNS(ktap, 0, fcntl(file, F_SETLK, &lock));
    const pid_t child = fork();
    if (child == 0) {
        struct flock mine = lock_of(F_WRLCK, 0, 0);
        char go = 'g';
        _exit(write(ready[1], &go, 1) == 1 && fcntl(file, F_SETLKW, &mine) == 0 && pread(file, &go, 1, 0) == 1 &&
                      go == 'L'
                  ? 0
                  : 1);
    }
    char go;
    RETURNS(ktap, 1, read(ready[0], &go, 1));
    sched_yield();
    RETURNS(ktap, 1, pwrite(file, "L", 1, 0));
    lock = lock_of(F_UNLCK, 0, 0);
    RETURNS(ktap, 0, fcntl(file, F_SETLK, &lock));
    int ended = -1;
    waitpid(child, &ended, 0);
    RETURNS(ktap, 0, ended);
    close(ready[0]);
    close(ready[1]);
    close(file);
    ktap.test("F_SETLKW waits");
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

/// Everything that makes and removes names, at once, on a handful of them. Whatever comes back must be one of what may.
bool scramble(unsigned seed) {
    const auto next = [&] { return seed = seed * 1103515245 + 12345, seed >> 16; };
    bool good = true;
    for (int i = 0; i < 1500; ++i) {
        char one[16], two[32];
        std::snprintf(one, sizeof one, "race/n%u", next() % 6);
        std::snprintf(two, sizeof two, next() % 2 ? "race/n%u" : "race/n%u/x", next() % 6);
        long result = 0;
        switch (next() % 9) {
        case 0:
            result = call(SYS_open, one, O_CREAT | O_RDWR, 0644);
            if (result >= 0) {
                char bytes[3000] = {};
                const int file = static_cast<int>(result);
                good &= call(SYS_write, file, bytes, sizeof bytes) == sizeof bytes;
                struct stat status {};
                good &= call(SYS_fstat, file, &status) == 0;
                result = close(file);
            }
            break;
        case 1:
            result = call(SYS_unlink, one);
            break;
        case 2:
            result = call(SYS_rename, one, two);
            break;
        case 3:
            result = call(SYS_mkdir, one, 0777);
            break;
        case 4:
            result = call(SYS_rmdir, two);
            break;
        case 5:
            result = call(SYS_link, one, two);
            break;
        case 6:
            result = call(SYS_symlink, "n1", one);
            break;
        case 7: {
            const long directory = call(SYS_open, "race", O_RDONLY);
            char entries[2048];
            good &= call(SYS_getdents64, directory, entries, sizeof entries) > 0;
            result = close(static_cast<int>(directory));
            break;
        }
        default:
            result = call(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, two, 2);
        }
        bool known = result == 0;
        for (const int error : {ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL, EPERM, ELOOP})
            known |= result == -error;
        if (!known) {
            std::fprintf(stderr, "# unexpected %ld\n", result);
            return false;
        }
    }
    return good;
}

/// Free memory, of which nothing may be missing after a race.
unsigned long free_memory() {
    struct sysinfo information {};
    sysinfo(&information);
    return information.freeram * information.mem_unit;
}

void race(tollgate::Ktap& ktap) {
    unsigned long before = 0;
    for (int round = 0; round < 2; ++round) { // the first one warms the kernel's heap
        before = round == 0 ? 0 : free_memory();
        mkdir("race", 0777);
        pid_t children[4];
        for (unsigned i = 0; i < 4; ++i) {
            children[i] = fork();
            if (children[i] == 0)
                _exit(scramble(i + 1) ? 0 : 1);
        }
        for (const pid_t child : children) {
            int ended = -1;
            waitpid(child, &ended, 0);
            RETURNS(ktap, 0, ended);
        }
        remove_tree(AT_FDCWD, "race");
        ktap.check(!exists("race"), "something is left");
    }
    const unsigned long after = free_memory();
    if (getenv("HOME") == nullptr || getpid() == 1) // on Linux others use memory as well
        ktap.check(after + (256 << 10) > before, "%lu KiB are missing", (before - after) >> 10);
    ktap.test("four processes make, move and remove the same names");
}

} // namespace

int main() {
    tollgate::Ktap ktap(20);
    Scratch scratch;
    copies(ktap);
    limits(ktap);
    threads(ktap);
    locks(ktap);
    others(ktap);
    race(ktap);
    return ktap.finish();
}
