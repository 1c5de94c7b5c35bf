// Processes begin: fork and vfork.
#include <cstring>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "userland/conform/process_tests.h"

namespace tollgate::conform {

namespace {

constexpr char kFile[] = "/tmp/conform-process";

} // namespace

void test_fork(Ktap& ktap) {
    const pid_t self = getpid();
    int status = run([&] { return getpid() != self && getppid() == self && gettid() == getpid() ? 7 : 1; });
    ktap.check(exited(status, 7), "status %#x", status);
    ktap.test("fork: a child with an id of its own and the right parent");

    shared_word = 5;
    Channel go;
    const pid_t child = start([&] {
        shared_word = 6;
        go.hear();
        return shared_word == 6 ? 0 : 1;
    });
    shared_word = 9;
    go.tell();
    status = status_of(child);
    ktap.check(exited(status, 0) && shared_word == 9, "status %#x, word %d", status, shared_word);
    ktap.test("fork: memory is copied, for both sides");

    const int file = open(kFile, O_RDWR | O_CREAT | O_TRUNC, 0600);
    ktap.check(file >= 0 && write(file, "abcdef", 6) == 6, "cannot write a file");
    lseek(file, 0, SEEK_SET);
    char c = 0;
    status = run([&] {
        const bool good = read(file, &c, 1) == 1 && c == 'a';
        close(file);
        return good ? 0 : 1;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.check(read(file, &c, 1) == 1 && c == 'b', "offset not shared: %c", c);
    close(file);
    unlink(kFile);
    ktap.test("fork: open files share their offset, descriptors do not");

    const mode_t old = umask(0123);
    char here[256] = {};
    (void)!getcwd(here, sizeof here);
    (void)!chdir("/tmp");
    status = run([&] {
        char there[64] = {};
        (void)!getcwd(there, sizeof there);
        return umask(0) == 0123 && strcmp(there, "/tmp") == 0 && chdir("/") == 0 ? 0 : 1;
    });
    char now[64] = {};
    (void)!getcwd(now, sizeof now);
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.check(umask(old) == 0123 && strcmp(now, "/tmp") == 0, "the child changed its parent's");
    (void)!chdir(here);
    ktap.test("fork: directory and umask are copied");

    status = run([&] {
        const pid_t group = getpgrp(), session = getsid(0);
        return run([&] { return getpgrp() == group && getsid(0) == session ? 0 : 1; });
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("fork: group and session are inherited");

    const long made = raw(SYS_fork);
    if (made == 0)
        _exit(3);
    ktap.check(exited(status_of(static_cast<pid_t>(made)), 3), "fork: %ld", made);
    ktap.test("fork: by its number");

    status = run([] {
        for (int depth = 0; depth < 20; ++depth) {
            const pid_t next = fork();
            if (next != 0)
                return next > 0 && exited(status_of(next), 0) ? 0 : 1;
        }
        return 0;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("fork: 20 generations");
}

namespace {

void* fork_in_thread(void* result) {
    *static_cast<int*>(result) = run([] { return getpid() == gettid() ? 4 : 1; });
    return nullptr;
}

} // namespace

void test_fork_in_thread(Ktap& ktap) {
    int status = 0;
    pthread_t thread;
    ktap.check(pthread_create(&thread, nullptr, fork_in_thread, &status) == 0, "pthread_create");
    pthread_join(thread, nullptr);
    ktap.check(exited(status, 4), "status %#x", status);
    ktap.test("fork in a thread: the child has that thread alone");
}

namespace {

[[gnu::noinline]] pid_t vfork_and_set(volatile int* word) {
    const pid_t child = vfork();
    if (child == 0) {
        *word = 77;
        _exit(2);
    }
    return child;
}

} // namespace

void test_vfork(Ktap& ktap) {
    shared_word = 1;
    const pid_t child = vfork_and_set(&shared_word);
    ktap.check(shared_word == 77, "the parent went on before its child ended: %d", shared_word);
    ktap.check(exited(status_of(child), 2), "wrong status");
    ktap.test("vfork: the child borrows its parent's memory, which waits");
}

} // namespace tollgate::conform
