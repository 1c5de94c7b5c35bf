// What the files of task/signal_* share. Functions named _locked want ProcessSignals::lock.
#pragma once

#include "task/process.h"

namespace tollgate::task {

inline constexpr int kSigQuit = 3, kSigPipe = 13, kSigAlarm = 14, kSigVirtualAlarm = 26, kSigProfile = 27,
                     kSigStop = 19, kSigTerminalStop = 20, kSigTerminalIn = 21, kSigTerminalOut = 22, kSigUrgent = 23,
                     kSigCpuTime = 24, kSigFileSize = 25, kSigWindow = 28, kSigSystemCall = 31;
inline constexpr int kFirstRealTime = 32;

inline constexpr SignalSet kUnstoppable = signal_bit(kSigKill) | signal_bit(kSigStop);
inline constexpr SignalSet kStopSignals =
    signal_bit(kSigStop) | signal_bit(kSigTerminalStop) | signal_bit(kSigTerminalIn) | signal_bit(kSigTerminalOut);
/// What a thread raises by what it does: taken first, so that the frame on top of the stack is the fault's.
inline constexpr SignalSet kSynchronous = signal_bit(kSigSegv) | signal_bit(kSigBus) | signal_bit(kSigIll) |
                                          signal_bit(kSigTrap) | signal_bit(kSigFpe) | signal_bit(kSigSystemCall);
inline constexpr SignalSet kIgnoredByDefault =
    signal_bit(kSigChild) | signal_bit(kSigContinue) | signal_bit(kSigUrgent) | signal_bit(kSigWindow);
/// These end a process with a core dump on Linux; no dump is written here. They are left to the thread that gets them.
inline constexpr SignalSet kDumps =
    signal_bit(kSigQuit) | signal_bit(kSigAbort) | kSynchronous | signal_bit(kSigCpuTime) | signal_bit(kSigFileSize);

/// SignalAction::flags that mean something.
inline constexpr u64 kKnownActionFlags = kNoChildStop | kNoChildWait | kWithInfo | kHasRestorer | kOnAlternateStack |
                                         kRestartCalls | kKeepUnblocked | kResetHandler;
inline bool has_handler(const SignalAction& action) { return action.handler > kActionIgnore; }
/// Init ends by no signal that it has not asked for [man 2 kill].
inline bool is_protected(const Process& process) { return process.id() == 1; }

/// The action of a signal. Setting one that ignores drops what is pending [POSIX, 2.4.3].
void get_signal_action(const Process& process, int signal, SignalAction& to);
void exchange_shared_action(Process& process, int signal, const SignalAction& action, SignalAction& before);
inline void exchange_signal_action(Process& process, int signal, const SignalAction& action, SignalAction& before) {
    if (process.thread_count() != 1 || process.flexsc_registrations.load(kRelaxed) != 0 || !has_handler(action))
        [[unlikely]]
        return exchange_shared_action(process, signal, action, before);
    // Nobody else delivers its signals, and senders look at the handler alone, one word: no lock.
    SignalAction& stored = process.signals.actions[signal - 1];
    before = stored;
    stored.flags = action.flags;
    stored.restorer = action.restorer;
    stored.mask = action.mask;
    __atomic_store_n(&stored.handler, action.handler, __ATOMIC_RELEASE);
}
/// For sigpending(2).
SignalSet blocked_and_pending(UserThread& self);
/// kill(2)'s rule: the sender's user ids match, or it is root; SIGCONT within the session always.
bool may_signal(const Caller& sender, const Process& to, int signal);

/// Takes the most urgent pending signal in `allowed`: of the thread's own first, then of the process's. 0 if none.
int take_signal_locked(UserThread& self, SignalSet allowed, SignalInfo& info);
/// Takes these signals off a queue unseen.
void drop_locked(ProcessSignals& signals, PendingSignals& pending, SignalSet set);
/// The same for every queue of the process.
void drop_everywhere_locked(ProcessSignals& signals, SignalSet set);
/// Queues a signal that is not on the heap (a timer's), unless it is ignored. False if it is, or the process ends.
bool queue_owned_locked(Process& process, ThreadSignals* thread, QueuedSignal& signal);
/// Takes such a signal off its queue, if it is on one, without telling it.
void drop_owned_locked(ProcessSignals& signals, QueuedSignal& signal);
/// Sets a thread's mask; other threads look at what waits for the process and this one now blocks.
void set_mask_locked(UserThread& self, SignalSet mask);

/// Job control (signal_stop.cpp). SIGCONT is being sent.
void resume_locked(ProcessSignals& signals);
/// The default action of a stop signal that a thread has taken: every thread of the process will stop.
void begin_stop_locked(ProcessSignals& signals, int signal);
/// Called by a thread that finds the process stopping: sleeps until it is continued or ends.
void stop_here(UserThread& self);
/// Tells the parent that the process runs again, if that is due.
void report_continued(Process& process);
/// A thread that will not stop any more. True if it was the last that had to.
bool leave_stop_locked(ProcessSignals& signals, ThreadSignals& thread);

/// What waits for any signal of any process: the readers of signalfds.
extern constinit WaitQueue signal_arrivals;
/// How many signalfds are open.
extern constinit Atomic<u32> signal_files;

/// Makes the frame of a handler on the user's stack and turns `frame` into the handler's first registers. Errno::Fault
/// if the stack, or the action, is not usable.
Result<void> push_signal_frame(UserThread& self, TrapFrame& frame, const SignalInfo& info, const SignalAction& action,
                               SignalSet saved_mask);

} // namespace tollgate::task
