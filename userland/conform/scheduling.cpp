// Policies and priorities, the clock's adjustment and setting, sleeping by a clock, and lists of robust futexes: what
// each call gives and each error that can be provoked without changing anything of the machine.
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <initializer_list>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace {

template <class... A>
long call(long number, A... arguments) {
    const long result = syscall(number, arguments...);
    return result == -1 ? -errno : result;
}

tollgate::Ktap ktap(12);

/// One check: the call's result is what it must be.
void gives(long wanted, long result, const char* what) {
    ktap.check(result == wanted, "%s: %ld, not %ld", what, result, wanted);
}

constexpr long kNobody = 0x3ffffff0; // no process has this number
auto* const kBad = reinterpret_cast<void*>(0xffff800000000000);

/// [sched_setattr(2)], version 0.
struct Attributes {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
};

void policies() {
    const int none = 0;
    gives(SCHED_OTHER, call(SYS_sched_getscheduler, 0), "the policy at first");
    for (const int policy : {SCHED_BATCH, SCHED_IDLE, SCHED_OTHER}) {
        gives(0, call(SYS_sched_setscheduler, 0, policy, &none), "setting an ordinary policy");
        gives(policy, call(SYS_sched_getscheduler, getpid()), "reading it back");
    }
    ktap.test("policies are set and read");

    const int one = 1, many = 100;
    gives(-EINVAL, call(SYS_sched_setscheduler, 0, -1, &none), "a negative policy");
    gives(-EINVAL, call(SYS_sched_setscheduler, 0, 99, &none), "an unknown policy");
    gives(-EINVAL, call(SYS_sched_setscheduler, 0, SCHED_OTHER, &one), "an ordinary policy with a priority");
    gives(-EINVAL, call(SYS_sched_setscheduler, 0, SCHED_FIFO, &none), "a real-time policy without one");
    gives(-EINVAL, call(SYS_sched_setscheduler, 0, SCHED_RR, &many), "a priority too high");
    gives(-EINVAL, call(SYS_sched_setscheduler, 0, SCHED_OTHER, nullptr), "no parameter");
    gives(-EINVAL, call(SYS_sched_setscheduler, -1, SCHED_OTHER, &none), "a negative process");
    gives(-ESRCH, call(SYS_sched_setscheduler, kNobody, SCHED_OTHER, &none), "no such process");
    gives(-EFAULT, call(SYS_sched_setscheduler, 0, SCHED_OTHER, kBad), "a pointer into the kernel");
    gives(-EINVAL, call(SYS_sched_getscheduler, -1), "getscheduler of a negative process");
    gives(-ESRCH, call(SYS_sched_getscheduler, kNobody), "getscheduler of no process");
    ktap.test("sched_setscheduler and sched_getscheduler: errors");

    int priority = -1;
    gives(0, call(SYS_sched_getparam, 0, &priority), "sched_getparam");
    gives(0, priority, "an ordinary priority");
    gives(0, call(SYS_sched_setparam, 0, &none), "sched_setparam");
    gives(-EINVAL, call(SYS_sched_setparam, 0, &one), "sched_setparam with a real-time priority");
    gives(-EINVAL, call(SYS_sched_setparam, 0, nullptr), "sched_setparam of nothing");
    gives(-EINVAL, call(SYS_sched_getparam, 0, nullptr), "sched_getparam to nothing");
    gives(-EFAULT, call(SYS_sched_getparam, 0, kBad), "sched_getparam into the kernel");
    gives(-ESRCH, call(SYS_sched_getparam, kNobody, &priority), "sched_getparam of no process");
    gives(-ESRCH, call(SYS_sched_setparam, kNobody, &none), "sched_setparam of no process");
    ktap.test("sched_setparam and sched_getparam");

    for (const int policy : {SCHED_FIFO, SCHED_RR}) {
        gives(99, call(SYS_sched_get_priority_max, policy), "the highest real-time priority");
        gives(1, call(SYS_sched_get_priority_min, policy), "the lowest");
    }
    for (const int policy : {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE}) {
        gives(0, call(SYS_sched_get_priority_max, policy), "the highest ordinary priority");
        gives(0, call(SYS_sched_get_priority_min, policy), "the lowest ordinary priority");
    }
    gives(-EINVAL, call(SYS_sched_get_priority_max, 99), "of an unknown policy");
    gives(-EINVAL, call(SYS_sched_get_priority_min, -1), "of a negative policy");
    ktap.test("sched_get_priority_max and _min");

    timespec slice{-1, -1};
    gives(0, call(SYS_sched_rr_get_interval, 0, &slice), "sched_rr_get_interval");
    ktap.check(slice.tv_sec == 0 && slice.tv_nsec >= 0 && slice.tv_nsec < 1'000'000'000, "a slice of %lld s %ld ns",
               static_cast<long long>(slice.tv_sec), slice.tv_nsec);
    gives(-EINVAL, call(SYS_sched_rr_get_interval, -1, &slice), "of a negative process");
    gives(-ESRCH, call(SYS_sched_rr_get_interval, kNobody, &slice), "of no process");
    gives(-EFAULT, call(SYS_sched_rr_get_interval, 0, kBad), "into the kernel");
    ktap.test("sched_rr_get_interval");
}

void attributes() {
    Attributes state{};
    gives(0, call(SYS_sched_getattr, 0, &state, sizeof state, 0), "sched_getattr");
    ktap.check(state.size >= 48 && state.policy == SCHED_OTHER && state.priority == 0,
               "size %u, policy %u, priority %u", state.size, state.policy, state.priority);
    gives(-EINVAL, call(SYS_sched_getattr, 0, &state, sizeof state, 1), "with flags");
    gives(-EINVAL, call(SYS_sched_getattr, 0, &state, 47, 0), "into too little");
    gives(-EINVAL, call(SYS_sched_getattr, 0, nullptr, sizeof state, 0), "to nothing");
    gives(-ESRCH, call(SYS_sched_getattr, kNobody, &state, sizeof state, 0), "of no process");
    gives(-EFAULT, call(SYS_sched_getattr, 0, kBad, sizeof state, 0), "into the kernel");
    state = {sizeof state, SCHED_BATCH, 0, 0, 0, 0, 0, 0};
    gives(0, call(SYS_sched_setattr, 0, &state, 0), "sched_setattr");
    gives(SCHED_BATCH, call(SYS_sched_getscheduler, 0), "what it set");
    state.policy = SCHED_OTHER;
    gives(0, call(SYS_sched_setattr, 0, &state, 0), "sched_setattr, back");
    gives(-EINVAL, call(SYS_sched_setattr, 0, &state, 1), "sched_setattr with flags");
    gives(-EINVAL, call(SYS_sched_setattr, 0, nullptr, 0), "sched_setattr of nothing");
    gives(-EFAULT, call(SYS_sched_setattr, 0, kBad, 0), "sched_setattr from the kernel");
    state.policy = 99;
    gives(-EINVAL, call(SYS_sched_setattr, 0, &state, 0), "sched_setattr to an unknown policy");
    ktap.test("sched_setattr and sched_getattr");
}

void input_and_output() {
    constexpr int kProcess = 1, kBestEffort4 = 2 << 13 | 4;
    ktap.check(call(SYS_ioprio_get, kProcess, 0) >= 0, "ioprio_get failed");
    gives(0, call(SYS_ioprio_set, kProcess, 0, kBestEffort4), "ioprio_set");
    gives(-EINVAL, call(SYS_ioprio_get, 9, 0), "ioprio_get of an unknown kind");
    gives(-EINVAL, call(SYS_ioprio_set, 9, 0, kBestEffort4), "ioprio_set of an unknown kind");
    gives(-EINVAL, call(SYS_ioprio_set, kProcess, 0, 5 << 13), "ioprio_set to an unknown class");
    gives(-ESRCH, call(SYS_ioprio_get, kProcess, kNobody), "ioprio_get of no process");
    ktap.test("ioprio_set and ioprio_get");
}

void clocks() {
    timex state{};
    const long answer = call(SYS_adjtimex, &state);
    ktap.check(answer >= 0 && answer <= TIME_ERROR, "adjtimex: %ld", answer);
    ktap.check(state.tick >= 9000 && state.tick <= 11000, "a tick of %ld us", state.tick);
    state = {};
    ktap.check(call(SYS_clock_adjtime, CLOCK_REALTIME, &state) >= 0, "clock_adjtime failed");
    gives(-EINVAL, call(SYS_clock_adjtime, 99, &state), "clock_adjtime of an unknown clock");
    gives(-EFAULT, call(SYS_adjtimex, kBad), "adjtimex into the kernel");
    gives(-EFAULT, call(SYS_clock_adjtime, CLOCK_REALTIME, kBad), "clock_adjtime into the kernel");
    ktap.test("adjtimex and clock_adjtime read");

    const timespec valid{1, 0}, wrong{1, 1'000'000'000};
    const timeval wrong_time{1, 1'000'000};
    gives(-EINVAL, call(SYS_clock_settime, CLOCK_MONOTONIC, &valid), "setting a clock that only runs");
    gives(-EINVAL, call(SYS_clock_settime, 99, &valid), "setting an unknown clock");
    gives(-EINVAL, call(SYS_clock_settime, CLOCK_REALTIME, &wrong), "too many nanoseconds");
    gives(-EFAULT, call(SYS_clock_settime, CLOCK_REALTIME, kBad), "a time in the kernel");
    gives(-EINVAL, call(SYS_settimeofday, &wrong_time, nullptr), "too many microseconds");
    gives(-EFAULT, call(SYS_settimeofday, kBad, nullptr), "settimeofday from the kernel");
    ktap.test("clock_settime and settimeofday: errors");
}

void sleeping() {
    timespec before{}, after{};
    clock_gettime(CLOCK_MONOTONIC, &before);
    const timespec two_ms{0, 2'000'000};
    gives(0, call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &two_ms, nullptr), "a short sleep");
    clock_gettime(CLOCK_MONOTONIC, &after);
    ktap.check((after.tv_sec - before.tv_sec) * 1'000'000'000L + after.tv_nsec - before.tv_nsec >= 2'000'000,
               "it was too short");
    gives(0, call(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &before, nullptr), "until a time that is past");
    const timespec wrong{0, 1'000'000'000}, negative{-1, 0};
    gives(-EINVAL, call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &wrong, nullptr), "too many nanoseconds");
    gives(-EINVAL, call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &negative, nullptr), "a negative time");
    gives(-EINVAL, call(SYS_clock_nanosleep, 99, 0, &two_ms, nullptr), "an unknown clock");
    gives(-EFAULT, call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, kBad, nullptr), "a time in the kernel");
    ktap.test("clock_nanosleep");
}

void robust_lists() {
    void* head = nullptr;
    std::size_t size = 0;
    gives(0, call(SYS_get_robust_list, 0, &head, &size), "get_robust_list");
    ktap.check(size == 24, "a head of %zu bytes", size);
    gives(-ESRCH, call(SYS_get_robust_list, kNobody, &head, &size), "of no thread");
    gives(-EFAULT, call(SYS_get_robust_list, 0, kBad, &size), "the head into the kernel");
    gives(-EFAULT, call(SYS_get_robust_list, 0, &head, kBad), "the size into the kernel");
    gives(-EINVAL, call(SYS_set_robust_list, head, 23), "set_robust_list of a wrong size");
    gives(0, call(SYS_set_robust_list, head, 24), "set_robust_list");
    ktap.test("set_robust_list and get_robust_list");
}

void restartable_sequences() {
    // A kernel may lack them (ENOSYS); if it has them, this is not an area.
    const long result = call(SYS_rseq, kBad, 32, 0, 0);
    ktap.check(result == -ENOSYS || result == -EINVAL || result == -EFAULT, "rseq of an area in the kernel: %ld",
               result);
    ktap.test("rseq refuses what is no area");
}

} // namespace

int main() {
    policies();
    attributes();
    input_and_output();
    clocks();
    sleeping();
    robust_lists();
    restartable_sequences();
    return ktap.finish();
}
