// The timers of a process that end in signals: alarm(2), setitimer(2) and timer_create(2). All but the waiting for a
// timer's function to end happens under ProcessSignals::lock, so that a signal that is taken can start its timer again.
#pragma once

#include "sched/timer.h"
#include "task/process.h"

namespace tollgate {

/// What a timer counts: nanoseconds of the monotonic clock, of a process's CPU time, of its user code's, or of a
/// thread's CPU time. Wall times are monotonic ones, converted when they are set.
enum class TimerClock : u8 { Monotonic, Process, ProcessUser, Thread };

/// setitimer(2)'s three [sys/time.h].
inline constexpr unsigned kIntervalReal = 0, kIntervalVirtual = 1, kIntervalProfile = 2, kIntervals = 3;

/// When a timer fires, as a time of its clock (0: never), and at which distance again (0: not).
struct TimerSetting {
    u64 at = 0, interval = 0;
};

/// How timer_create(2)'s timers tell [man 7 sigevent].
struct TimerEvent {
    int signal = 0; ///< 0: none
    u64 value = 0;
    i32 thread = 0; ///< the thread it goes to; 0: the process
};

class SignalTimer {
public:
    SignalTimer(Process& process, TimerClock clock);
    SignalTimer(const SignalTimer&) = delete;
    SignalTimer& operator=(const SignalTimer&) = delete;

private:
    friend class ProcessTimers;
    struct Alarm : Timer {
        explicit Alarm(SignalTimer& of) : Timer(fired), timer(of) {}
        SignalTimer& timer;
    };
    struct Queued : QueuedSignal {
        explicit Queued(SignalTimer& of) : timer(of) {}
        SignalTimer& timer;
    };
    static void fired(Timer& alarm);
    static void taken(QueuedSignal& signal, SignalInfo* to);

    u64 now() const;
    void arm_locked(u64 clock_now);
    void set_locked(const TimerSetting& setting, u64 clock_now);
    void expire_locked(UserThread* thread, u64 clock_now);
    /// Moves `at` beyond now; how many periods that are besides the first.
    i32 forward_locked(u64 clock_now);

    Process& process_;
    const TimerClock clock_;
    TimerSetting setting_;
    TimerEvent event_;
    i32 id_ = 0;
    bool wall_ = false;
    i32 thread_ = 0;       // of TimerClock::Thread
    i32 overrun_ = 0;      // of the last signal that was taken
    bool deleted_ = false; // its function does nothing any more
    Alarm alarm_{*this};
    Queued queued_{*this};
    ListLink<SignalTimer> link_;
};

class ProcessTimers {
public:
    /// Those of a process, made at first use. Errno::NoMem.
    static Result<ProcessTimers*> of(Process& process);
    /// The end of a program, which interval timers survive, or of the process.
    enum class Leave : u8 { Program, Process };
    static void drop(Process& process, Leave leave);
    /// The clock of a timer, now.
    static u64 now(Process& process, TimerClock clock, i32 thread);

    explicit ProcessTimers(Process& process);
    ~ProcessTimers() = default;

    /// setitimer(2) and alarm(2); the old setting.
    TimerSetting set_interval(unsigned which, const TimerSetting& setting);
    TimerSetting interval(unsigned which);

    /// timer_create(2): its id. Errors: Again (too many), NoMem.
    /// `wall`: absolute times are the wall clock's. `thread`: of TimerClock::Thread. `id_as_value`: no event was given.
    Result<i32> create(TimerClock clock, bool wall, i32 thread, const TimerEvent& event, bool id_as_value);
    /// timer_settime(2), timer_gettime(2), timer_getoverrun(2), timer_delete(2). Errno::Inval if there is no such
    /// timer.
    Result<TimerSetting> set(i32 id, const TimerSetting& setting);
    Result<TimerSetting> get(i32 id);
    Result<i32> overrun(i32 id);
    Result<void> remove(i32 id);
    /// The clock of the timer. Errno::Inval.
    struct Clock {
        TimerClock clock;
        i32 thread;
        bool wall;
    };
    Result<Clock> clock_of(i32 id);

private:
    static constexpr size_t kMost = 4096; // timers of one process

    SignalTimer* find_locked(i32 id);
    void remove_all();

    Process& process_;
    SignalTimer real_, virtual_, profile_;
    List<SignalTimer, &SignalTimer::link_> created_;
    i32 next_id_ = 0;

    SignalTimer& interval_of(unsigned which) {
        return which == kIntervalReal ? real_ : which == kIntervalVirtual ? virtual_ : profile_;
    }
};

} // namespace tollgate
