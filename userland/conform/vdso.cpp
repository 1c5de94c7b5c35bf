// The vDSO: found by both of its hash tables, with version and notes as the dynamic linker wants them, and in agreement
// with the system calls that it stands in for, whatever CPU the thread is on [man 7 vdso].
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <initializer_list>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/ktap.h"
#include "userland/lib/vdso_image.h"

namespace {

using tollgate::Ktap;
using Image = tollgate::VdsoImage;

long long nanoseconds(const timespec& t) { return t.tv_sec * 1'000'000'000LL + t.tv_nsec; }
long long by_call(int clock) {
    timespec t{};
    syscall(SYS_clock_gettime, clock, &t);
    return nanoseconds(t);
}

} // namespace

int main() {
    Ktap ktap(8);
    const unsigned long address = getauxval(AT_SYSINFO_EHDR);
    Image image;
    ktap.check(address != 0 && address % 4096 == 0, "AT_SYSINFO_EHDR is %#lx", address);
    if (!ktap.check(address != 0 && image.read(address), "no ELF image at %#lx", address)) {
        ktap.test("the auxiliary vector names an ELF image");
        return ktap.finish();
    }
    ktap.check(std::strcmp(image.name, "linux-vdso.so.1") == 0, "its name is %s", image.name);
    ktap.check(image.has_frames, "no unwind information");
    ktap.test("the auxiliary vector names an ELF image");

    void* found[5] = {};
    static const char* const names[5] = {"__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time", "__vdso_getcpu",
                                         "__vdso_clock_getres"};
    for (int i = 0; i < 5; ++i) {
        found[i] = image.by_gnu_hash(names[i]);
        ktap.check(found[i] != nullptr, "%s is not in the GNU hash table", names[i]);
    }
    ktap.check(image.by_gnu_hash("__vdso_nonsense") == nullptr, "what does not exist was found");
    ktap.test("symbols of version LINUX_2.6 by the GNU hash table");
    if (image.hash != nullptr) { // Linux has left it out since 6.11
        for (int i = 0; i < 5; ++i)
            ktap.check(image.by_hash(names[i]) == found[i], "%s is not in the hash table", names[i]);
        ktap.check(image.by_hash("__vdso_nonsense") == nullptr, "what does not exist was found");
        ktap.test("the same by the System V hash table");
    } else {
        ktap.skip("the same by the System V hash table", "there is none");
    }
    for (void* function : found)
        if (function == nullptr)
            return ktap.finish();
    const auto clock_gettime_v = reinterpret_cast<int (*)(int, timespec*)>(found[0]);
    const auto gettimeofday_v = reinterpret_cast<int (*)(timeval*, void*)>(found[1]);
    const auto time_v = reinterpret_cast<time_t (*)(time_t*)>(found[2]);
    const auto getcpu_v = reinterpret_cast<int (*)(unsigned*, unsigned*, void*)>(found[3]);
    const auto clock_getres_v = reinterpret_cast<int (*)(int, timespec*)>(found[4]);

    // Between two system calls, for every clock that needs none; the coarse ones may lag.
    for (const int clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_TAI,
                            CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE}) {
        const bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
        for (int round = 0; round < 200; ++round) {
            timespec t{-1, -1};
            const long long before = by_call(clock);
            const int result = clock_gettime_v(clock, &t);
            const long long after = by_call(clock);
            ktap.check(result == 0 && t.tv_nsec >= 0 && t.tv_nsec < 1'000'000'000, "clock %d: %d, %ld ns", clock,
                       result, t.tv_nsec);
            ktap.check(nanoseconds(t) >= before - (coarse ? 20'000'000 : 0) && nanoseconds(t) <= after,
                       "clock %d: %lld is not in %lld .. %lld", clock, nanoseconds(t), before, after);
        }
    }
    ktap.test("every clock agrees with its system call");

    for (int round = 0; round < 100; ++round) {
        timeval t{};
        const long long before = by_call(CLOCK_REALTIME);
        gettimeofday_v(&t, nullptr);
        const time_t seconds = time_v(nullptr);
        const long long after = by_call(CLOCK_REALTIME);
        const long long got = t.tv_sec * 1'000'000'000LL + t.tv_usec * 1000LL;
        ktap.check(got >= before - 1000 && got <= after, "gettimeofday: %lld is not in %lld .. %lld", got, before,
                   after);
        ktap.check(seconds >= before / 1'000'000'000 - 1 && seconds <= after / 1'000'000'000, "time: %ld", seconds);
    }
    time_t stored = 0;
    const time_t returned = time_v(&stored);
    ktap.check(returned == stored, "time stored %ld and returned %ld", stored, returned);
    ktap.test("gettimeofday and time");

    timespec resolution{};
    ktap.check(clock_getres_v(CLOCK_MONOTONIC, &resolution) == 0 && nanoseconds(resolution) == 1, "resolution %lld",
               nanoseconds(resolution));
    ktap.check(clock_getres_v(CLOCK_MONOTONIC, nullptr) == 0, "clock_getres(null)");
    timespec cpu_time{};
    ktap.check(clock_gettime_v(CLOCK_THREAD_CPUTIME_ID, &cpu_time) == 0, "CPU time does not reach the system call");
    for (const int bad : {100, 12345, 33})
        ktap.check(clock_gettime_v(bad, &cpu_time) == -EINVAL && clock_getres_v(bad, &cpu_time) == -EINVAL,
                   "clock %d is no -EINVAL", bad);
    ktap.test("what it cannot answer goes to the system call");

    // From CPU to CPU: the time never goes back, and getcpu says where we are.
    cpu_set_t all;
    CPU_ZERO(&all);
    sched_getaffinity(0, sizeof all, &all);
    long long last = 0;
    for (int round = 0; round < 400; ++round) {
        const int cpu = round % CPU_SETSIZE % 64;
        if (!CPU_ISSET(cpu, &all))
            continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        ktap.check(sched_setaffinity(0, sizeof one, &one) == 0, "cannot move to CPU %d", cpu);
        unsigned here = ~0u, node = ~0u;
        getcpu_v(&here, &node, nullptr);
        ktap.check(here == static_cast<unsigned>(cpu) && node == 0, "on CPU %d getcpu says %u, node %u", cpu, here,
                   node);
        timespec t{};
        clock_gettime_v(CLOCK_MONOTONIC, &t);
        ktap.check(nanoseconds(t) >= last, "%lld after %lld on CPU %d", nanoseconds(t), last, cpu);
        last = nanoseconds(t);
    }
    sched_setaffinity(0, sizeof all, &all);
    ktap.test("monotone from CPU to CPU, and getcpu knows which");

    // Its memory cannot be written, and a child has it too.
    ktap.check(syscall(SYS_gettimeofday, address, 0) == -1 && errno == EFAULT, "the kernel wrote into the code");
    const pid_t child = fork();
    if (child == 0) {
        timespec t{};
        _exit(clock_gettime_v(CLOCK_MONOTONIC, &t) == 0 && nanoseconds(t) >= last ? 0 : 1);
    }
    int status = -1;
    if (child > 0)
        waitpid(child, &status, 0);
    ktap.check(child > 0 && status == 0, "the child of a fork: status %#x", static_cast<unsigned>(status));
    ktap.test("read-only, and inherited by fork");

    return ktap.finish();
}
