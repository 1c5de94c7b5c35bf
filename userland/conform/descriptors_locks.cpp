// Record locks and flock.
#include <sched.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "userland/conform/descriptors_tests.h"

namespace conform {

namespace {

struct flock lock_of(short type, off_t start, off_t length) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = start;
    lock.l_len = length;
    return lock;
}

} // namespace

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

} // namespace conform
