// Processes under stress: begun and ended in great number, bombed, killed at random moments, replaced out of threads;
// and the free memory is what it was. An ordinary Linux program but for the reading of /proc/meminfo's MemFree.
//
//     stress_process [rounds of create and exit: 10000] [seed: 1]
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace {

using namespace tollgate;

char self[256];
uint64_t random_state;

/// [Vigna, splitmix64]
uint64_t next_random() {
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint64_t free_bytes() {
    struct sysinfo info {};
    sysinfo(&info);
    return static_cast<uint64_t>(info.freeram) * info.mem_unit;
}

/// Buries whoever has ended or ends: orphans of the rounds before, too, if this is process 1.
unsigned bury_all() {
    unsigned buried = 0;
    for (;;) {
        const pid_t child = waitpid(-1, nullptr, 0);
        if (child > 0)
            ++buried;
        else if (errno == ECHILD)
            return buried;
    }
}

/// Has the kernel give back what it keeps ready: stacks of ended threads, each CPU's blocks of the heap. They are a
/// megabyte, more or less, as it happens.
void drop_caches() {
    const int file = open("/proc/sys/vm/drop_caches", O_WRONLY);
    (void)!write(file, "3", 1);
    close(file);
}

/// Free memory once nothing is on its way out any more: threads end on other CPUs after their process is waited for.
uint64_t settled_free_bytes() {
    uint64_t best = 0;
    for (int quiet = 0; quiet < 2000; ++quiet) {
        sched_yield();
        if (quiet % 500 == 0)
            drop_caches();
        const uint64_t now = free_bytes();
        if (now > best) {
            best = now;
            quiet = 0;
        }
    }
    return best;
}

/// Runs a test, and checks that it leaves no memory behind, but for a little that lives in other slabs than before.
template <class F>
void keeps_memory(Ktap& ktap, const char* name, F&& f) {
    constexpr uint64_t kSlack = 64 << 10;
    f(); // fills the caches
    const uint64_t before = settled_free_bytes();
    f();
    const uint64_t after = settled_free_bytes();
    ktap.check(after + kSlack >= before, "%llu KiB are lost", static_cast<unsigned long long>((before - after) / 1024));
    ktap.note("%s: %lld KiB less than before", name,
              (static_cast<long long>(before) - static_cast<long long>(after)) / 1024);
    ktap.test(name);
}

void create_and_exit(Ktap& ktap, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        const pid_t child = fork();
        if (child == 0)
            _exit(i & 0x7f);
        int status = -1;
        if (!ktap.check(child > 0 && waitpid(child, &status, 0) == child && WEXITSTATUS(status) == (i & 0x7f),
                        "round %d: child %d, status %#x, %s", i, child, status, strerror(errno)))
            return;
    }
}

/// Everybody forks until nobody can. Ends by SIGKILL to the group.
void fork_bomb(Ktap& ktap) {
    const int ready = open("/dev/null", O_RDONLY);
    int told[2];
    (void)!pipe(told);
    const pid_t bomb = fork();
    if (bomb == 0) {
        setpgid(0, 0);
        const rlimit limit{100, 100};
        setrlimit(RLIMIT_NPROC, &limit);
        if (setresuid(4242, 4242, 4242) != 0)
            _exit(1);
        for (;;) {
            if (fork() < 0) {
                const char why = errno == EAGAIN ? 'a' : 'x';
                (void)!write(told[1], &why, 1);
                for (;;)
                    pause();
            }
        }
    }
    setpgid(bomb, bomb);
    char why = 0;
    ktap.check(read(told[0], &why, 1) == 1 && why == 'a', "the bomb ends in another way: %d", why);
    // New ones may still begin while the signal goes round.
    while (kill(-bomb, SIGKILL) == 0) {
        sched_yield();
        while (waitpid(-1, nullptr, WNOHANG) > 0)
            ;
    }
    bury_all();
    close(told[0]);
    close(told[1]);
    close(ready);
}

/// The same as root, whom no limit of his stops: the machine does.
void bomb_of_root(Ktap& ktap) {
    pid_t children[4000];
    int made = 0, error = 0;
    while (made < 4000) {
        const pid_t child = fork();
        if (child == 0)
            for (;;)
                pause();
        if (child < 0) {
            error = errno;
            break;
        }
        children[made++] = child;
    }
    ktap.check(made > 20 && (made == 4000 || error == EAGAIN || error == ENOMEM), "%d children, then %s", made,
               strerror(error));
    for (int i = 0; i < made; ++i)
        kill(children[i], SIGKILL);
    for (int i = 0; i < made; ++i)
        waitpid(children[i], nullptr, 0);
}

// ---- victims that are killed at any moment ----

void* allocate_and_free(void*) {
    for (;;) {
        void* const memory = mmap(nullptr, 64 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory != MAP_FAILED) {
            memset(memory, 1, 64 << 10);
            munmap(memory, 64 << 10);
        }
    }
}
void* start_threads(void*) {
    for (;;) {
        pthread_t thread;
        if (pthread_create(
                &thread, nullptr, [](void*) -> void* { return nullptr; }, nullptr) == 0)
            pthread_join(thread, nullptr);
    }
}
void* fork_on(void*) {
    for (;;) {
        const pid_t child = fork();
        if (child == 0)
            _exit(0);
        if (child > 0)
            waitpid(child, nullptr, 0);
    }
}
void* use_files(void*) {
    for (;;) {
        int ends[2];
        if (pipe(ends) != 0)
            continue;
        char c = 1;
        (void)!write(ends[1], &c, 1);
        (void)!read(ends[0], &c, 1);
        close(ends[0]);
        close(ends[1]);
    }
}

[[noreturn]] void play_victim(unsigned kind, unsigned threads) {
    using Body = void* (*)(void*);
    static constexpr Body kBodies[] = {allocate_and_free, start_threads, fork_on, use_files};
    for (unsigned i = 0; i < threads; ++i) {
        pthread_t thread;
        pthread_create(&thread, nullptr, kBodies[(kind + i) % 4], nullptr);
    }
    kBodies[kind % 4](nullptr);
    _exit(1);
}

void kill_at_random(Ktap& ktap, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        const auto kind = static_cast<unsigned>(next_random() % 4), threads = static_cast<unsigned>(next_random() % 4);
        const uint64_t patience = next_random() % 10;
        const pid_t victim = fork();
        if (victim == 0)
            play_victim(kind, threads);
        for (uint64_t turn = 0; turn < patience; ++turn)
            sched_yield();
        int status = 0;
        kill(victim, SIGKILL);
        if (!ktap.check(waitpid(victim, &status, 0) == victim && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
                        "round %d: kind %u, %u threads: %#x", i, kind, threads, status))
            return;
        while (waitpid(-1, nullptr, WNOHANG) > 0) // its children, if this is process 1
            ;
    }
    bury_all();
}

void* exec_self(void*) {
    char* const arguments[] = {self, const_cast<char*>("end"), nullptr};
    execv(self, arguments);
    _exit(2);
}
void exec_out_of_threads(Ktap& ktap, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            pthread_t thread;
            pthread_create(&thread, nullptr, allocate_and_free, nullptr);
            pthread_create(&thread, nullptr, exec_self, nullptr);
            if (i % 2 == 0) // two at once: one of them is too late
                pthread_create(&thread, nullptr, exec_self, nullptr);
            for (;;)
                pause();
        }
        int status = 0;
        if (!ktap.check(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 63,
                        "round %d: %#x", i, status))
            return;
    }
}

std::atomic<unsigned> alive;
pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; // closed while they are started
void thousand_threads(Ktap& ktap) {
    constexpr unsigned kThreads = 1000;
    static pthread_t threads[kThreads];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 32 << 10);
    pthread_mutex_lock(&gate);
    alive = 0;
    unsigned started = 0;
    for (; started < kThreads; ++started) {
        const int error = pthread_create(
            &threads[started], &attributes,
            [](void*) -> void* {
                alive.fetch_add(1);
                pthread_mutex_lock(&gate);
                pthread_mutex_unlock(&gate);
                return nullptr;
            },
            nullptr);
        if (!ktap.check(error == 0, "thread %u: %s", started, strerror(error)))
            break;
    }
    pthread_mutex_unlock(&gate);
    for (unsigned i = 0; i < started; ++i)
        pthread_join(threads[i], nullptr);
    ktap.check(alive == started, "%u of %u have run", alive.load(), started);
    pthread_attr_destroy(&attributes);
}

} // namespace

int main(int argc, char** argv) {
    if (argc > 1 && strcmp(argv[1], "end") == 0)
        return 63;
    if (readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
        return 98;
    const int rounds = argc > 1 ? atoi(argv[1]) : 10000;
    const uint64_t seed = argc > 2 ? strtoull(argv[2], nullptr, 0) : 1;
    Ktap ktap(6);
    ktap.note("%d rounds, seed %llu", rounds, static_cast<unsigned long long>(seed));
    random_state = seed;
    keeps_memory(ktap, "create and exit", [&] { create_and_exit(ktap, rounds / 2); });
    keeps_memory(ktap, "a fork bomb of a user ends in EAGAIN", [&] { fork_bomb(ktap); });
    keeps_memory(ktap, "a fork bomb of root ends in an error", [&] { bomb_of_root(ktap); });
    keeps_memory(ktap, "processes killed at random moments", [&] { kill_at_random(ktap, 40); });
    keeps_memory(ktap, "execve out of threads", [&] { exec_out_of_threads(ktap, 50); });
    keeps_memory(ktap, "a thousand threads", [&] { thousand_threads(ktap); });
    return ktap.finish();
}
