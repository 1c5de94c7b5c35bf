// Signals: what a process and a thread keep of them, and how the rest of the kernel sends them. Delivery, which makes a
// frame on the user's stack or acts by default, is task/signal_delivery.cpp. docs/signals.md tells the whole life of
// one.
#pragma once

#include "lib/atomic.h"
#include "lib/list.h"
#include "lib/result.h"
#include "sched/wait_queue.h"

namespace tollgate {

class Process;
class ProcessTimers;
struct Caller;
struct TrapFrame;
struct UserThread;

inline constexpr int kSignals = 64;
/// A set of signals: signal n is bit n - 1 [asm/signal.h, sigset_t].
using SignalSet = u64;
constexpr SignalSet signal_bit(int signal) { return SignalSet{1} << (signal - 1); }

/// siginfo_t [asm-generic/siginfo.h]. What follows `code` depends on it. To be initialised by `{}`: it goes out whole.
struct SignalInfo {
    i32 signal, error, code, pad;
    union {
        u8 bytes[112];
        struct {
            i32 process;
            u32 user;
            u64 value;
        } sender; ///< kill, tgkill, rt_sigqueueinfo
        struct {
            i32 id, overrun;
            u64 value;
            i32 system_private;
        } timer; ///< timer_create
        struct {
            i32 process;
            u32 user;
            i32 status, pad;
            u64 user_time, system_time; ///< in clock ticks of 1/100 s
        } child;                        ///< SIGCHLD
        struct {
            u64 address;
        } fault; ///< SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP
    };
};
static_assert(sizeof(SignalInfo) == 128 && __builtin_offsetof(SignalInfo, child.user_time) == 32);

/// SignalInfo::code [asm-generic/siginfo.h].
inline constexpr i32 kCodeUser = 0, kCodeKernel = 0x80, kCodeQueue = -1, kCodeTimer = -2, kCodeTgkill = -6;
inline constexpr i32 kChildExited = 1, kChildKilled = 2, kChildDumped = 3, kChildStopped = 5, kChildContinued = 6;

/// What rt_sigaction(2) sets, in the kernel's layout [asm/signal.h, struct sigaction].
struct SignalAction {
    u64 handler, flags, restorer, mask;
};
static_assert(sizeof(SignalAction) == 32);
/// SignalAction::handler
inline constexpr u64 kActionDefault = 0, kActionIgnore = 1;
/// SignalAction::flags
inline constexpr u64 kNoChildStop = 1, kNoChildWait = 2, kWithInfo = 4, kHasRestorer = 0x04000000,
                     kOnAlternateStack = 0x08000000, kRestartCalls = 0x10000000, kKeepUnblocked = 0x40000000,
                     kResetHandler = 0x80000000;

/// stack_t [asm/signal.h].
struct SignalStack {
    u64 address = 0;
    i32 flags = 0;
    u32 pad = 0;
    u64 size = 0;
};
static_assert(sizeof(SignalStack) == 24);
inline constexpr i32 kStackInUse = 1, kStackDisabled = 2, kStackAutoDisarm = i32{-1} << 31;

/// A signal that waits, with its details. On the heap, or part of a timer, which then says so.
struct QueuedSignal {
    SignalInfo info{};
    /// For those not on the heap: it is off its queue and may be queued again; `to` is what the program will see, null
    /// if the signal is dropped. Under ProcessSignals::lock.
    void (*taken)(QueuedSignal&, SignalInfo* to) = nullptr;
    ListLink<QueuedSignal> link{};
};

/// Signals that wait for a thread or a process. A standard signal is in it once at most; real-time signals queue.
struct PendingSignals {
    SignalSet set = 0;
    List<QueuedSignal, &QueuedSignal::link> queue;
};

/// What a thread keeps. Fields without a word are its own.
struct ThreadSignals {
    Atomic<SignalSet> mask{0};    ///< blocked; senders read it
    Atomic<SignalSet> awaited{0}; ///< sigtimedwait waits for these although they are blocked
    PendingSignals pending;       ///< under ProcessSignals::lock
    SignalSet saved_mask = 0;     ///< what a temporary mask (sigsuspend, ppoll) hides, while has_saved_mask
    bool has_saved_mask = false;
    SignalStack alternate_stack{0, kStackDisabled, 0, 0};
    Atomic<bool> stop_due{false}; ///< it is counted in ProcessSignals::stop_waits; changes under the lock
    u64 fault_vector = 0, fault_error = 0, fault_address = 0; ///< of its last exception, for signal frames
    UserThread* owner = nullptr;                              ///< what this lies in, while it is listed
    ListLink<ThreadSignals> link{};                           ///< in ProcessSignals::threads
};

/// What a process keeps. Everything but the queues is under `lock`, which is taken after the process table's and before
/// any wait queue's.
struct ProcessSignals {
    mutable Spinlock lock{LockRank::Signals};
    SignalAction actions[kSignals]{}; ///< of signal n at n - 1
    PendingSignals pending;           ///< for whichever thread does not block them
    List<ThreadSignals, &ThreadSignals::link> threads;
    QueuedSignal* spare = nullptr; ///< one kept from the heap, since most processes queue one at a time
    u32 queued = 0;                ///< in all queues of the process, against RLIMIT_SIGPENDING
    int fatal_status = 0;          ///< a signal ends the process: its wait status; threads end as they reach user code

    enum class Job : u8 { Running, Stopping, Stopped };
    Atomic<Job> job{Job::Running}; ///< changes under the lock
    bool continued = false;        ///< SIGCONT has come: the first thread that runs again tells the parent
    u32 continues = 0;             ///< counts SIGCONTs: one that comes while a stop signal is acted on cancels it
    int stop_signal = 0;           ///< why, while job is not Running
    unsigned stop_waits = 0;       ///< threads that have not stopped yet, while Stopping
    Atomic<int> job_report{0};     ///< what wait(WUNTRACED, WCONTINUED) has not reported yet: a wait status, or 0
    WaitQueue resumed;             ///< stopped threads sleep here

    ProcessTimers* timers = nullptr; ///< made at first use, gone with the process (task/process_timers.h)
};

namespace task {

/// Sending. Queues the signal, unless it is ignored, and makes a thread look at it; SIGKILL and what ends the process
/// by default mark all its threads at once. May be called under the process table's lock and from interrupts. Errors:
/// Again (RLIMIT_SIGPENDING is reached; real-time signals only). `info.signal` is 1 .. 64.
Result<void> send_signal(Process& process, const SignalInfo& info);
Result<void> send_signal(UserThread& thread, const SignalInfo& info);
/// To every process of the group. Errno::Srch if there is none. Takes the process table's lock.
Result<void> send_signal_to_group(i32 group, const SignalInfo& info);
/// For the running thread, which cannot go on without: if the signal has a handler and is not blocked, it is delivered
/// at the return to user code; else the process ends here, with a line in the log that says why. `address` is what was
/// touched, if anything.
void force_signal(UserThread& self, const SignalInfo& info, const TrapFrame& frame, const char* why, u64 address = 0);
/// A signal from the kernel itself (SI_KERNEL).
SignalInfo kernel_signal(int signal);
/// SI_USER with the caller's ids.
SignalInfo user_signal(const Caller& caller, int signal);
/// Whether a signal waits that the thread does not block.
bool signals_pending(const UserThread& thread);

/// Blocks exactly these signals from now on (never SIGKILL and SIGSTOP), and looks at those that no longer are.
void set_signal_mask(UserThread& self, SignalSet mask);
/// The same until the call ends, for sigsuspend, ppoll, pselect6, epoll_pwait: the old mask comes back after the
/// handler that interrupts the call, or at end_temporary_mask() if none does. `interrupted`: the call fails because of
/// a signal.
void begin_temporary_mask(UserThread& self, SignalSet mask);
void end_temporary_mask(UserThread& self, bool interrupted);

/// Life cycle, called by clone, exec and the process table.
/// A thread becomes one that signals can be sent to, or is none any more. Under the table's lock. Detaching tells
/// whether the process has stopped by it, since this was the last thread that ran: then report_stopped() follows.
void attach_signals(UserThread& thread);
[[nodiscard]] bool detach_signals(UserThread& thread);
/// Tells the parent that the process has stopped. Takes the process table's lock.
void report_stopped(Process& process);
/// A new thread's mask, and, for a forked process, its alternate stack.
enum class Inherit : u8 { Thread, Process };
void inherit_signals(UserThread& child, const UserThread& parent, Inherit what);
/// A forked process begins with its parent's actions and nothing pending.
void copy_signal_actions(Process& child, const Process& parent);
/// Handlers are gone with the old program; what it ignored stays ignored, what is blocked or pending stays so [man 2
/// execve].
void reset_signals_for_exec(UserThread& self);
/// How a thread ends that was killed without more words: the process's fatal status, or SIGKILL's.
int killed_status(Process& process);

/// SIGCHLD's details about a child; `status` is its exit code or the signal.
SignalInfo child_signal(const Process& child, i32 code, i32 status);
/// Whether the parent never waits for its children: it ignores SIGCHLD or has set SA_NOCLDWAIT. They leave no zombie.
bool discards_children(Process& parent);
/// What wait() with WUNTRACED or WCONTINUED tells of a living child: its wait status, or 0. `take`: only once.
enum class Report : u8 { Look, Take };
int job_status(Process& child, bool stopped, bool continued, Report report);

} // namespace task
} // namespace tollgate
