// Clocks and sleeping (docs/time.md). The wall and monotonic clocks come from the TSC, CPU time from the scheduler.
#include "syscall/time.h"

#include "cpu/clock.h"
#include "cpu/user_copy.h"
#include "syscall/handlers.h"

#include <utility>

namespace tollgate {
namespace {

constexpr int kClockProcess = 2, kClockThread = 3; // [linux/time.h]

constinit Spinlock wall_clock_lock{LockRank::Clock};

Timespec to_timespec(u64 ns) {
    return {static_cast<i64>(ns / kNanosecondsPerSecond), static_cast<i64>(ns % kNanosecondsPerSecond)};
}

u64 total(const Usage& usage) { return usage.user_ns + usage.system_ns; }

/// The ids that clock_getcpuclockid(3) and pthread_getcpuclockid(3) make: ~id << 3, bit 2 for a thread, and in the low
/// bits 0: all CPU time by ticks, 1: in user code, 2: all. Errno::Inval if there is no such clock.
Result<u64> cpu_clock_ns(Caller& caller, int clock) {
    if (clock == kClockProcess)
        return total(caller.process->usage());
    if (clock == kClockThread)
        return total(task::thread_usage(*caller.owner));
    constexpr int kKindMask = 3, kUserOnly = 1, kDescriptor = 3, kOfThread = 4;
    if (clock >= 0 || (clock & kKindMask) == kDescriptor)
        return fail(Errno::Inval);
    const i32 id = ~(clock >> 3);
    Usage usage;
    if (clock & kOfThread) {
        const Ref<UserThread> thread = id == 0 ? Ref<UserThread>(*caller.owner) : task::find_thread(id);
        if (!thread || thread->process.get() != caller.process)
            return fail(Errno::Inval);
        usage = task::thread_usage(*thread);
    } else {
        const Ref<Process> process = id == 0 ? Ref<Process>(*caller.process) : task::find(id);
        if (!process)
            return fail(Errno::Inval);
        usage = process->usage();
    }
    return (clock & kKindMask) == kUserOnly ? usage.user_ns : total(usage);
}

/// Sleeps. Interrupted, it is not begun anew after a handler has run.
Result<u64> sleep(Deadline deadline) {
    const auto slept = sched::sleep_until(deadline);
    if (slept || slept.error() == Errno::TimedOut)
        return 0;
    return fail(slept.error() == Errno::RestartSys ? Errno::RestartNoHandler : slept.error());
}

/// The same for a span: interrupted, it tells what is left of that, and goes on with it.
Result<u64> sleep_on(Caller& caller, const u64* arguments) {
    const Deadline deadline = arguments[0];
    const UserPtr<Timespec> remaining{arguments[1]};
    const auto slept = sleep(deadline);
    if (slept || slept.error() != Errno::RestartNoHandler)
        return slept;
    if (!remaining.is_null()) {
        const u64 now = clock_monotonic_ns();
        TRY(copy_to_user(remaining, to_timespec(deadline > now ? deadline - now : 0)));
    }
    return restart_by(caller, {sleep_on, {deadline, remaining.address()}});
}

Result<u64> sleep_for(Caller& caller, u64 ns, UserPtr<Timespec> remaining) {
    const u64 arguments[] = {deadline_after(ns), remaining.address()};
    return sleep_on(caller, arguments);
}

Result<void> set_wall_clock(Caller& caller, i64 seconds, i64 nanoseconds) {
    if (seconds < 0 || nanoseconds < 0 || nanoseconds >= static_cast<i64>(kNanosecondsPerSecond))
        return fail(Errno::Inval);
    if (!caller.process->credentials.privileged())
        return fail(Errno::Perm);
    Guard guard{wall_clock_lock};
    clock_set_realtime(seconds, static_cast<u64>(nanoseconds));
    return {};
}

} // namespace

Result<u64> to_nanoseconds(const Timespec& time) {
    if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= static_cast<i64>(kNanosecondsPerSecond))
        return fail(Errno::Inval);
    const auto seconds = checked_mul(static_cast<u64>(time.seconds), kNanosecondsPerSecond);
    const auto sum = seconds ? checked_add(*seconds, static_cast<u64>(time.nanoseconds)) : std::nullopt;
    return sum ? *sum : kNoDeadline;
}

Deadline deadline_at(u64 ns, bool wall_clock) {
    if (!wall_clock || ns == kNoDeadline)
        return ns;
    const u64 now = clock_realtime_ns();
    return ns > now ? deadline_after(ns - now) : 0;
}

Result<u64> cpu_clock_gettime(Caller& caller, int clock, UserPtr<Timespec> to) {
    TRY(copy_to_user(to, to_timespec(TRY(cpu_clock_ns(caller, clock)))));
    return 0;
}

Result<u64> sys_clock_getres(Caller& caller, int clock, UserPtr<Timespec> to) {
    if (!is_tsc_clock(clock))
        TRY(cpu_clock_ns(caller, clock));
    if (!to.is_null())
        TRY(copy_to_user(to, Timespec{0, 1}));
    return 0;
}

Result<u64> sys_clock_settime(Caller& caller, int clock, UserPtr<const Timespec> from) {
    if (clock != kClockRealtime)
        return fail(Errno::Inval);
    const Timespec time = TRY(copy_from_user(from));
    TRY(set_wall_clock(caller, time.seconds, time.nanoseconds));
    return 0;
}

Result<u64> sys_gettimeofday(Caller&, UserPtr<Timeval> time, UserPtr<Timezone> zone) {
    if (!time.is_null()) {
        const ClockReading now = clock_read(kClockRealtime);
        TRY(copy_to_user(time, Timeval{now.seconds, static_cast<i64>(now.nanoseconds / 1000)}));
    }
    if (!zone.is_null())
        TRY(copy_to_user(zone, Timezone{}));
    return 0;
}

/// The time zone is taken and dropped: the kernel's is UTC.
Result<u64> sys_settimeofday(Caller& caller, UserPtr<const Timeval> time, UserPtr<const Timezone> zone) {
    if (!zone.is_null())
        TRY(copy_from_user(zone));
    if (time.is_null())
        return caller.process->credentials.privileged() ? Result<u64>(0) : Result<u64>(fail(Errno::Perm));
    const Timeval wanted = TRY(copy_from_user(time));
    if (wanted.microseconds < 0 || wanted.microseconds >= 1'000'000)
        return fail(Errno::Inval);
    TRY(set_wall_clock(caller, wanted.seconds, wanted.microseconds * 1000));
    return 0;
}

Result<u64> sys_time(Caller&, UserPtr<i64> to) {
    const i64 seconds = clock_read(kClockRealtime).seconds;
    if (!to.is_null())
        TRY(copy_to_user(to, seconds));
    return static_cast<u64>(seconds);
}

/// Made by task/signal_delivery.cpp in the place of an interrupted call, once. There is nothing to restart for a
/// program that makes it unasked.
Result<u64> sys_restart_syscall(Caller& caller) {
    const CallToRestart call = std::exchange(caller.owner->restart, {});
    return call.again ? call.again(caller, call.arguments) : Result<u64>(fail(Errno::Intr));
}

Result<u64> sys_nanosleep(Caller& caller, UserPtr<const Timespec> duration, UserPtr<Timespec> remaining) {
    return sleep_for(caller, TRY(to_nanoseconds(TRY(copy_from_user(duration)))), remaining);
}

Result<u64> sys_clock_nanosleep(Caller& caller, int clock, u32 flags, UserPtr<const Timespec> when,
                                UserPtr<Timespec> remaining) {
    constexpr u32 kAbsolute = 1; // TIMER_ABSTIME
    const bool wall = clock == kClockRealtime || clock == kClockTai;
    if (!wall && clock != kClockMonotonic && clock != kClockBoottime)
        return fail(is_tsc_clock(clock) || clock == kClockProcess ? Errno::NotSup : Errno::Inval);
    const u64 ns = TRY(to_nanoseconds(TRY(copy_from_user(when))));
    if (flags & kAbsolute)
        return sleep(deadline_at(ns, wall));
    return sleep_for(caller, ns, remaining);
}

namespace {

// [linux/timex.h, struct timex]
struct ClockAdjustment {
    u32 modes, pad0;
    i64 offset, frequency, most_error, estimated_error;
    i32 status, pad1;
    i64 constant, precision, tolerance;
    Timeval time;
    i64 tick;
    i64 pulses[2];
    i32 shift, pad2;
    i64 more_pulses[5];
    i32 tai;
    u32 pad3[11];
};
static_assert(sizeof(ClockAdjustment) == 208);

Result<u64> read_adjustment(UserPtr<ClockAdjustment> at) {
    constexpr i32 kUnsynchronised = 0x40;
    constexpr u64 kClockError = 5; // TIME_ERROR
    const auto asked = TRY(copy_from_user(UserPtr<const ClockAdjustment>(at.address())));
    if (asked.modes != 0)
        return fail(Errno::Perm); // nobody disciplines this clock
    const ClockReading now = clock_read(kClockRealtime);
    ClockAdjustment state{};
    state.most_error = state.estimated_error = 16'000'000;
    state.status = kUnsynchronised;
    state.constant = 2;
    state.precision = 1;
    state.tolerance = 32'768'000;
    state.time = {now.seconds, static_cast<i64>(now.nanoseconds / 1000)};
    state.tick = 10'000;
    TRY(copy_to_user(at, state));
    return kClockError;
}

} // namespace

Result<u64> sys_adjtimex(Caller&, u64 state) { return read_adjustment(UserPtr<ClockAdjustment>(state)); }

Result<u64> sys_clock_adjtime(Caller&, int clock, u64 state) {
    if (clock != kClockRealtime)
        return fail(is_tsc_clock(clock) ? Errno::NotSup : Errno::Inval);
    return read_adjustment(UserPtr<ClockAdjustment>(state));
}

} // namespace tollgate
