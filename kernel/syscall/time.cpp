// Clocks and sleeping. All clocks but the wall clocks are the monotonic one: CPU time is not accounted, so that the two
// CPU clocks run on while a thread waits.
#include "syscall/time.h"
#include "cpu/clock.h"
#include "syscall/handlers.h"

namespace tollgate {
namespace {

Timespec to_timespec(u64 ns) {
    return {static_cast<i64>(ns / kNanosecondsPerSecond), static_cast<i64>(ns % kNanosecondsPerSecond)};
}

bool is_clock(int clock) { return clock >= 0 && clock < static_cast<int>(kTscClocks) && (kTscClockSet >> clock & 1); }

/// Sleeps; an interrupted relative sleep tells what is left.
Result<u64> sleep(Deadline deadline, UserPtr<Timespec> remaining) {
    const auto slept = sched::sleep_until(deadline);
    if (slept || slept.error() == Errno::TimedOut)
        return 0;
    if (!remaining.is_null()) {
        const u64 now = clock_monotonic_ns();
        TRY(copy_to_user(remaining, to_timespec(deadline > now ? deadline - now : 0)));
    }
    return fail(slept.error());
}

} // namespace

Result<u64> to_nanoseconds(const Timespec& time) {
    if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= static_cast<i64>(kNanosecondsPerSecond))
        return fail(Errno::Inval);
    const auto seconds = checked_mul(static_cast<u64>(time.seconds), kNanosecondsPerSecond);
    const auto total = seconds ? checked_add(*seconds, static_cast<u64>(time.nanoseconds)) : std::nullopt;
    return total ? *total : kNoDeadline;
}

Deadline deadline_after(u64 ns) { return checked_add(clock_monotonic_ns(), ns).value_or(kNoDeadline); }

Deadline deadline_at(u64 ns, bool wall_clock) {
    if (!wall_clock || ns == kNoDeadline)
        return ns;
    const u64 now = clock_realtime_ns();
    return ns > now ? deadline_after(ns - now) : 0;
}

Result<u64> sys_clock_gettime(Caller&, int clock, UserPtr<Timespec> to) {
    if (!is_clock(clock))
        return fail(Errno::Inval);
    const ClockReading time = clock_read(clock);
    TRY(copy_to_user(to, Timespec{time.seconds, static_cast<i64>(time.nanoseconds)}));
    return 0;
}

Result<u64> sys_clock_getres(Caller&, int clock, UserPtr<Timespec> to) {
    if (!is_clock(clock))
        return fail(Errno::Inval);
    if (!to.is_null())
        TRY(copy_to_user(to, Timespec{0, 1}));
    return 0;
}

Result<u64> sys_gettimeofday(Caller&, UserPtr<Timeval> time, UserPtr<Timezone> zone) {
    if (!time.is_null()) {
        const Timespec now = to_timespec(clock_realtime_ns());
        TRY(copy_to_user(time, Timeval{now.seconds, now.nanoseconds / 1000}));
    }
    if (!zone.is_null())
        TRY(copy_to_user(zone, Timezone{}));
    return 0;
}

Result<u64> sys_time(Caller&, UserPtr<i64> to) {
    const u64 seconds = clock_realtime_ns() / kNanosecondsPerSecond;
    if (!to.is_null())
        TRY(copy_to_user(to, static_cast<i64>(seconds)));
    return seconds;
}

Result<u64> sys_nanosleep(Caller&, UserPtr<const Timespec> duration, UserPtr<Timespec> remaining) {
    return sleep(deadline_after(TRY(to_nanoseconds(TRY(copy_from_user(duration))))), remaining);
}

Result<u64> sys_clock_nanosleep(Caller&, int clock, u32 flags, UserPtr<const Timespec> when,
                                UserPtr<Timespec> remaining) {
    constexpr u32 kAbsolute = 1; // TIMER_ABSTIME
    if (clock != kClockRealtime && clock != kClockMonotonic && clock != kClockBoottime)
        return fail(is_clock(clock) ? Errno::NotSup : Errno::Inval);
    const u64 ns = TRY(to_nanoseconds(TRY(copy_from_user(when))));
    if (flags & kAbsolute)
        return sleep(deadline_at(ns, clock == kClockRealtime), {});
    return sleep(deadline_after(ns), remaining);
}

} // namespace tollgate
