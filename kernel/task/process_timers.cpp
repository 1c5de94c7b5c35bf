// Timers that end in signals. A periodic timer is armed again when its signal is taken, not when it fires: a program
// that does not take its signals is not interrupted for more of them, and the periods that it has missed are its
// overrun [POSIX, timer_getoverrun()].
#include "task/process_timers.h"

#include "cpu/clock.h"
#include "lib/bits.h"
#include "lib/unique_ptr.h"
#include "task/signal_internal.h"

namespace tollgate {

namespace {

/// Timers whose signal is ignored still run, but not faster than this.
constexpr u64 kSlowest = 1'000'000;
/// CPU clocks are looked at when they may have come far enough, and not more often than this.
constexpr u64 kCpuClockGrain = 200'000;
constexpr i32 kMostOverruns = 0x7fffffff; // DELAYTIMER_MAX

constexpr int kIntervalSignals[kIntervals] = {task::kSigAlarm, task::kSigVirtualAlarm, task::kSigProfile};

} // namespace

SignalTimer::SignalTimer(Process& process, TimerClock clock) : process_(process), clock_(clock) {
    queued_.taken = taken;
}

u64 ProcessTimers::now(Process& process, TimerClock clock, i32 thread) {
    switch (clock) {
    case TimerClock::Monotonic:
        break;
    case TimerClock::Process: {
        const Usage usage = process.usage();
        return usage.user_ns + usage.system_ns;
    }
    case TimerClock::ProcessUser:
        return process.usage().user_ns;
    case TimerClock::Thread: {
        const Ref<UserThread> measured = task::find_thread(thread);
        if (!measured)
            return 0;
        const Usage usage = task::thread_usage(*measured);
        return usage.user_ns + usage.system_ns;
    }
    }
    return clock_monotonic_ns();
}

u64 SignalTimer::now() const { return ProcessTimers::now(process_, clock_, thread_); }

void SignalTimer::arm_locked(u64 clock_now) {
    if (setting_.at == 0) {
        alarm_.arm(kNoDeadline);
    } else if (clock_ == TimerClock::Monotonic) {
        alarm_.arm(setting_.at);
    } else {
        // At the earliest when every thread runs all the time.
        const u64 left = setting_.at > clock_now ? setting_.at - clock_now : 0;
        const unsigned threads = process_.thread_count();
        const u64 share = threads > 1 ? left / threads : left;
        alarm_.arm(deadline_after(share > kCpuClockGrain ? share : kCpuClockGrain));
    }
}

void SignalTimer::set_locked(const TimerSetting& setting, u64 clock_now) {
    if (queued_.link.linked())
        task::drop_owned_locked(process_.signals, queued_);
    setting_ = setting;
    overrun_ = 0;
    arm_locked(clock_now);
}

i32 SignalTimer::forward_locked(u64 clock_now) {
    if (setting_.interval == 0) {
        setting_.at = 0;
        return 0;
    }
    const u64 missed = clock_now > setting_.at ? (clock_now - setting_.at) / setting_.interval : 0;
    setting_.at = checked_add(setting_.at + missed * setting_.interval, setting_.interval).value_or(kNoDeadline);
    return missed > kMostOverruns ? kMostOverruns : static_cast<i32>(missed);
}

void SignalTimer::expire_locked(UserThread* thread, u64 clock_now) {
    if (event_.signal != 0) {
        queued_.info.signal = event_.signal;
        if (!queued_.link.linked() && task::queue_owned_locked(process_, thread ? &thread->signals : nullptr, queued_))
            return; // taken() goes on
    }
    // Nobody will take it.
    overrun_ = forward_locked(clock_now);
    if (setting_.at != 0 && setting_.at < clock_now + kSlowest)
        setting_.at = clock_now + kSlowest;
    arm_locked(clock_now);
}

void SignalTimer::fired(Timer& alarm) {
    SignalTimer& timer = static_cast<Alarm&>(alarm).timer;
    // Before the lock: CPU clocks and threads are found under the process table's.
    const u64 clock_now = timer.now();
    const Ref<UserThread> thread =
        timer.event_.thread != 0 ? task::find_thread(timer.event_.thread) : Ref<UserThread>();
    Guard guard{timer.process_.signals.lock};
    if (timer.deleted_ || timer.setting_.at == 0 || timer.queued_.link.linked())
        return;
    if (clock_now < timer.setting_.at)
        return timer.arm_locked(clock_now); // set anew meanwhile, or a CPU clock that has not come so far
    timer.expire_locked(thread.get(), clock_now);
}

void SignalTimer::taken(QueuedSignal& signal, SignalInfo* to) {
    SignalTimer& timer = static_cast<Queued&>(signal).timer;
    const bool runs_always = timer.clock_ == TimerClock::Monotonic;
    // A CPU clock cannot be read under this lock; that it has just come as far is near enough.
    const u64 clock_now = runs_always ? clock_monotonic_ns() : timer.setting_.at;
    timer.overrun_ = timer.forward_locked(clock_now);
    if (to != nullptr && to->code == kCodeTimer)
        to->timer.overrun = timer.overrun_;
    if (!timer.deleted_)
        timer.arm_locked(clock_now);
}

ProcessTimers::ProcessTimers(Process& process)
    : process_(process), real_(process, TimerClock::Monotonic), virtual_(process, TimerClock::ProcessUser),
      profile_(process, TimerClock::Process) {
    for (unsigned which = 0; which < kIntervals; ++which) {
        SignalTimer& timer = interval_of(which);
        timer.event_.signal = kIntervalSignals[which];
        timer.queued_.info = task::kernel_signal(kIntervalSignals[which]);
    }
}

Result<ProcessTimers*> ProcessTimers::of(Process& process) {
    {
        Guard guard{process.signals.lock};
        if (process.signals.timers != nullptr)
            return process.signals.timers;
    }
    Owned<ProcessTimers> made = TRY(make_owned<ProcessTimers>(process));
    Guard guard{process.signals.lock};
    if (process.signals.timers == nullptr)
        process.signals.timers = made.release();
    return process.signals.timers;
}

TimerSetting ProcessTimers::set_interval(unsigned which, const TimerSetting& setting) {
    SignalTimer& timer = interval_of(which);
    const u64 clock_now = timer.now();
    Guard guard{process_.signals.lock};
    const TimerSetting before = timer.setting_;
    timer.set_locked(setting, clock_now);
    return before;
}

TimerSetting ProcessTimers::interval(unsigned which) {
    Guard guard{process_.signals.lock};
    return interval_of(which).setting_;
}

SignalTimer* ProcessTimers::find_locked(i32 id) {
    for (SignalTimer& timer : created_)
        if (timer.id_ == id)
            return &timer;
    return nullptr;
}

Result<i32> ProcessTimers::create(TimerClock clock, bool wall, i32 thread, const TimerEvent& event, bool id_as_value) {
    Owned<SignalTimer> made = TRY(make_owned<SignalTimer>(process_, clock));
    Guard guard{process_.signals.lock};
    if (created_.size() >= kMost)
        return fail(Errno::Again);
    SignalTimer& timer = *made.release();
    do {
        timer.id_ = next_id_;
        next_id_ = (next_id_ + 1) & 0x7fffffff;
    } while (find_locked(timer.id_) != nullptr);
    timer.event_ = event;
    timer.thread_ = thread;
    timer.queued_.info.code = kCodeTimer;
    timer.queued_.info.timer.id = timer.id_;
    timer.queued_.info.timer.value = id_as_value ? static_cast<u64>(timer.id_) : event.value;
    timer.wall_ = wall;
    created_.push_back(timer);
    return timer.id_;
}

Result<TimerSetting> ProcessTimers::set(i32 id, const TimerSetting& setting) {
    const Clock clock = TRY(clock_of(id));
    const u64 clock_now = now(process_, clock.clock, clock.thread);
    Guard guard{process_.signals.lock};
    SignalTimer* const timer = find_locked(id);
    if (timer == nullptr)
        return fail(Errno::Inval);
    const TimerSetting before = timer->setting_;
    timer->set_locked(setting, clock_now);
    return before;
}

Result<TimerSetting> ProcessTimers::get(i32 id) {
    Guard guard{process_.signals.lock};
    SignalTimer* const timer = find_locked(id);
    if (timer == nullptr)
        return fail(Errno::Inval);
    return timer->setting_;
}

Result<i32> ProcessTimers::overrun(i32 id) {
    Guard guard{process_.signals.lock};
    SignalTimer* const timer = find_locked(id);
    if (timer == nullptr)
        return fail(Errno::Inval);
    return timer->overrun_;
}

Result<ProcessTimers::Clock> ProcessTimers::clock_of(i32 id) {
    Guard guard{process_.signals.lock};
    SignalTimer* const timer = find_locked(id);
    if (timer == nullptr)
        return fail(Errno::Inval);
    return Clock{timer->clock_, timer->thread_, timer->wall_};
}

Result<void> ProcessTimers::remove(i32 id) {
    SignalTimer* timer;
    {
        Guard guard{process_.signals.lock};
        timer = find_locked(id);
        if (timer == nullptr)
            return fail(Errno::Inval);
        created_.remove(*timer);
        timer->set_locked({}, 0);
        timer->deleted_ = true;
    }
    (void)timer->alarm_.cancel(); // its function may run at this moment
    delete timer;
    return {};
}

void ProcessTimers::remove_all() {
    for (;;) {
        i32 id;
        {
            Guard guard{process_.signals.lock};
            const SignalTimer* const timer = created_.front();
            if (timer == nullptr)
                return;
            id = timer->id_;
        }
        static_cast<void>(remove(id).has_value()); // another thread may have been faster
    }
}

void ProcessTimers::drop(Process& process, Leave leave) {
    ProcessTimers* timers;
    {
        Guard guard{process.signals.lock};
        timers = process.signals.timers;
        if (timers == nullptr)
            return;
        if (leave == Leave::Process)
            process.signals.timers = nullptr;
    }
    timers->remove_all();
    if (leave == Leave::Program)
        return;
    for (unsigned which = 0; which < kIntervals; ++which) {
        timers->set_interval(which, {});
        {
            Guard guard{process.signals.lock};
            timers->interval_of(which).deleted_ = true;
        }
        (void)timers->interval_of(which).alarm_.cancel();
    }
    delete timers;
}

} // namespace tollgate
