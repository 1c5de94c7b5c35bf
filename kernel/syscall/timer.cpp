// alarm, the interval timers, and the timers of timer_create.
#include "cpu/clock.h"
#include "syscall/handlers.h"
#include "syscall/time.h"
#include "task/process_timers.h"

namespace tollgate {
namespace {

constexpr u64 kMicrosecond = 1000;

/// A span until a time of a clock. A timer that has just run out but is not taken off yet has something left.
u64 time_left(const TimerSetting& setting, u64 now) {
    if (setting.at == 0)
        return 0;
    if (setting.at > now)
        return setting.at - now;
    return setting.interval != 0 ? setting.interval - (now - setting.at) % setting.interval : 1;
}

/// A relative span as the time that it ends; 0 stays 0.
u64 end_of(u64 span, u64 now) { return span == 0 ? 0 : checked_add(now, span).value_or(kNoDeadline); }

Result<u64> to_ns(const Timeval& time) {
    if (time.seconds < 0 || time.microseconds < 0 || time.microseconds >= 1'000'000)
        return fail(Errno::Inval);
    return to_nanoseconds({time.seconds, time.microseconds * static_cast<i64>(kMicrosecond)});
}

Timespec as_timespec(u64 ns) {
    return {static_cast<i64>(ns / kNanosecondsPerSecond), static_cast<i64>(ns % kNanosecondsPerSecond)};
}

/// Rounded up: a timer that runs is never 0.
Timeval to_timeval(u64 ns) {
    const u64 microseconds = ns / kMicrosecond + (ns % kMicrosecond != 0);
    return {static_cast<i64>(microseconds / 1'000'000), static_cast<i64>(microseconds % 1'000'000)};
}

TimerClock interval_clock(int which) {
    return which == static_cast<int>(kIntervalReal)      ? TimerClock::Monotonic
           : which == static_cast<int>(kIntervalVirtual) ? TimerClock::ProcessUser
                                                         : TimerClock::Process;
}

bool is_interval(int which) { return which >= 0 && which < static_cast<int>(kIntervals); }

IntervalSetting to_intervals(const TimerSetting& setting, u64 now) {
    return {to_timeval(setting.interval), to_timeval(time_left(setting, now))};
}

/// What a clock id means for a timer, of the caller.
struct ChosenClock {
    TimerClock clock;
    bool wall = false;
};
Result<ChosenClock> choose_clock(const Caller& caller, int clock) {
    constexpr int kProcessTime = 2, kThreadTime = 3, kMonotonicRaw = 4;
    if (clock < 0) { // a CPU clock by its owner, as libc writes the two above: ~id << 3 | of a thread << 2 | kind
        constexpr int kOfThread = 4, kUserTime = 1, kKinds = 3;
        const i32 owner = ~(clock >> 3);
        const bool own = owner == 0 || owner == (clock & kOfThread ? caller.thread_id : caller.process->id());
        if (!own || (clock & kKinds) == kKinds)
            return fail(Errno::Inval); // other processes' clocks: not here
        if (clock & kOfThread)
            return ChosenClock{TimerClock::Thread};
        return ChosenClock{(clock & kKinds) == kUserTime ? TimerClock::ProcessUser : TimerClock::Process};
    }
    switch (clock) {
    case kClockRealtime:
    case kClockTai:
        return ChosenClock{TimerClock::Monotonic, true};
    case kClockMonotonic:
    case kClockBoottime:
        return ChosenClock{TimerClock::Monotonic};
    case kProcessTime:
        return ChosenClock{TimerClock::Process};
    case kThreadTime:
        return ChosenClock{TimerClock::Thread};
    case kMonotonicRaw:
    case kClockRealtimeCoarse:
    case kClockMonotonicCoarse:
        return fail(Errno::NotSup);
    default:
        return fail(Errno::Inval);
    }
}

/// struct sigevent [asm-generic/siginfo.h].
Result<TimerEvent> read_event(Caller& caller, UserPtr<const SignalEvent> from) {
    constexpr i32 kSignal = 0, kNone = 1, kThread = 2, kThreadId = 4;
    constexpr int kAlarmSignal = 14;
    if (from.is_null())
        return TimerEvent{.signal = kAlarmSignal, .value = 0, .thread = 0};
    const SignalEvent event = TRY(copy_from_user(from));
    if (event.notify == kNone)
        return TimerEvent{.signal = 0, .value = event.value, .thread = 0};
    TimerEvent result{.signal = event.signal, .value = event.value, .thread = 0};
    if (event.notify == kThreadId) {
        const Ref<UserThread> thread = task::find_thread(event.thread);
        if (!thread || thread->process.get() != caller.process)
            return fail(Errno::Inval);
        result.thread = event.thread;
    } else if (event.notify != kSignal && event.notify != kThread) {
        return fail(Errno::Inval);
    }
    if (event.signal < 1 || event.signal > kSignals)
        return fail(Errno::Inval);
    return result;
}

Result<void> write_setting(UserPtr<TimerSpan> to, const TimerSetting& setting, u64 now) {
    return copy_to_user(to, TimerSpan{as_timespec(setting.interval), as_timespec(time_left(setting, now))});
}

} // namespace

Result<u64> sys_alarm(Caller& caller, u32 seconds) {
    ProcessTimers* const timers = TRY(ProcessTimers::of(*caller.process));
    const u64 now = clock_monotonic_ns();
    const TimerSetting before = timers->set_interval(kIntervalReal, {end_of(seconds * kNanosecondsPerSecond, now), 0});
    const u64 left = time_left(before, now);
    // To the nearest second, but never 0 for an alarm that was set [man 2 alarm].
    const u64 whole = (left + kNanosecondsPerSecond / 2) / kNanosecondsPerSecond;
    return left != 0 && whole == 0 ? 1 : whole;
}

Result<u64> sys_getitimer(Caller& caller, int which, UserPtr<IntervalSetting> to) {
    if (!is_interval(which))
        return fail(Errno::Inval);
    ProcessTimers* const timers = TRY(ProcessTimers::of(*caller.process));
    const u64 now = ProcessTimers::now(*caller.process, interval_clock(which), 0);
    TRY(copy_to_user(to, to_intervals(timers->interval(static_cast<unsigned>(which)), now)));
    return 0;
}

Result<u64> sys_setitimer(Caller& caller, int which, UserPtr<const IntervalSetting> from,
                          UserPtr<IntervalSetting> old) {
    IntervalSetting given{};
    if (!from.is_null())
        given = TRY(copy_from_user(from));
    const u64 interval = TRY(to_ns(given.interval));
    const u64 value = TRY(to_ns(given.value));
    if (!is_interval(which))
        return fail(Errno::Inval);
    ProcessTimers* const timers = TRY(ProcessTimers::of(*caller.process));
    const u64 now = ProcessTimers::now(*caller.process, interval_clock(which), 0);
    const TimerSetting before =
        timers->set_interval(static_cast<unsigned>(which), {end_of(value, now), value == 0 ? 0 : interval});
    if (!old.is_null())
        TRY(copy_to_user(old, to_intervals(before, now)));
    return 0;
}

Result<u64> sys_timer_create(Caller& caller, int clock, UserPtr<const SignalEvent> from, UserPtr<i32> to) {
    const ChosenClock chosen = TRY(choose_clock(caller, clock));
    TimerEvent event = TRY(read_event(caller, from));
    ProcessTimers* const timers = TRY(ProcessTimers::of(*caller.process));
    const i32 id = TRY(timers->create(chosen.clock, chosen.wall, caller.thread_id, event, from.is_null()));
    if (const auto told = copy_to_user(to, id); !told) {
        static_cast<void>(timers->remove(id).has_value());
        return fail(told.error());
    }
    return 0;
}

Result<u64> sys_timer_settime(Caller& caller, i32 id, u32 flags, UserPtr<const TimerSpan> from,
                              UserPtr<TimerSpan> old) {
    constexpr u32 kAbsolute = 1; // TIMER_ABSTIME
    if (from.is_null())
        return fail(Errno::Inval);
    const TimerSpan given = TRY(copy_from_user(from));
    const u64 interval = TRY(to_nanoseconds(given.interval));
    const u64 value = TRY(to_nanoseconds(given.value));
    ProcessTimers* const timers = TRY(ProcessTimers::of(*caller.process));
    const ProcessTimers::Clock clock = TRY(timers->clock_of(id));
    const u64 now = ProcessTimers::now(*caller.process, clock.clock, clock.thread);
    TimerSetting setting{end_of(value, now), interval};
    if (value != 0 && (flags & kAbsolute)) {
        setting.at = clock.clock == TimerClock::Monotonic ? deadline_at(value, clock.wall) : value;
        setting.at += setting.at == 0; // long past: at once
    }
    const TimerSetting before = TRY(timers->set(id, setting));
    if (!old.is_null())
        TRY(write_setting(old, before, now));
    return 0;
}

Result<u64> sys_timer_gettime(Caller& caller, i32 id, UserPtr<TimerSpan> to) {
    ProcessTimers* const timers = TRY(ProcessTimers::of(*caller.process));
    const ProcessTimers::Clock clock = TRY(timers->clock_of(id));
    const u64 now = ProcessTimers::now(*caller.process, clock.clock, clock.thread);
    TRY(write_setting(to, TRY(timers->get(id)), now));
    return 0;
}

Result<u64> sys_timer_getoverrun(Caller& caller, i32 id) {
    ProcessTimers* const timers = TRY(ProcessTimers::of(*caller.process));
    return static_cast<u64>(TRY(timers->overrun(id)));
}

Result<u64> sys_timer_delete(Caller& caller, i32 id) {
    ProcessTimers* const timers = TRY(ProcessTimers::of(*caller.process));
    TRY(timers->remove(id));
    return 0;
}

} // namespace tollgate
