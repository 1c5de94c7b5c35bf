// What a thread does about itself on its way to user code: it ends, stops, runs handlers, and has interrupted calls
// made again. Called by cpu/user_return.cpp whenever kWorkThread is set.
#include "cpu/x86.h"
#include "task/signal_internal.h"

namespace tollgate::task {

namespace {

bool is_call(const TrapFrame& frame) { return frame.vector == kVectorSyscall || frame.vector == kVectorInt80; }

/// The frame is no system call's any more: nothing below may take its rax for a result.
void forget_call(TrapFrame& frame) { frame.vector = kVectorNone; }

bool is_restart(u64 result) {
    const i64 error = -static_cast<i64>(result);
    return error == static_cast<i64>(Errno::RestartSys) || error == static_cast<i64>(Errno::RestartNoHandler) ||
           error == static_cast<i64>(Errno::RestartBlock);
}

/// Back to the call instruction, SYSCALL or int 0x80, both two bytes long, with the number in rax again, or with that
/// of the call that goes on with this one.
void call_again(TrapFrame& frame) {
    constexpr u64 kRestartSyscall = 219;
    frame.rip -= 2;
    frame.rax = static_cast<i64>(frame.rax) == -static_cast<i64>(Errno::RestartBlock) ? kRestartSyscall : frame.error;
    forget_call(frame);
}

/// A handler is about to run over an interrupted call: EINTR for it, or the call again afterwards [man 7 signal].
void settle_call(TrapFrame& frame, u64 action_flags) {
    if (!is_call(frame))
        return;
    if (is_restart(frame.rax)) {
        if (static_cast<i64>(frame.rax) == -static_cast<i64>(Errno::RestartSys) && (action_flags & kRestartCalls))
            return call_again(frame);
        frame.rax = static_cast<u64>(-static_cast<i64>(Errno::Intr));
    }
    forget_call(frame);
}

/// The default action, which may be the end.
void act_by_default(UserThread& self, int signal, u32 continues) {
    Process& process = *self.process;
    const SignalSet bit = signal_bit(signal);
    if ((bit & kIgnoredByDefault) || is_protected(process))
        return;
    if (!(bit & kStopSignals))
        exit_process(self.caller, killed_by(signal));
    if (signal != kSigStop && group_is_orphaned(process.group_id()))
        return; // nobody could ever continue it [POSIX, 2.4.3]
    Guard guard{process.signals.lock};
    if (process.signals.continues == continues) // else a SIGCONT since the signal was taken has cancelled it
        begin_stop_locked(process.signals, signal);
}

/// Takes one signal and acts on it. False if there was none.
bool act_on_one(UserThread& self, TrapFrame& frame) {
    ProcessSignals& signals = self.process->signals;
    SignalInfo info;
    SignalAction action;
    int signal;
    u32 continues;
    {
        Guard guard{signals.lock};
        continues = signals.continues;
        signal = take_signal_locked(self, ~self.signals.mask.load(kRelaxed), info);
        if (signal == 0)
            return false;
        SignalAction& current = signals.actions[signal - 1];
        action = current;
        if (has_handler(action) && (action.flags & kResetHandler))
            current.handler = kActionDefault;
    }
    if (action.handler == kActionIgnore)
        return true;
    if (action.handler == kActionDefault) {
        act_by_default(self, signal, continues);
        return true;
    }
    settle_call(frame, action.flags);
    const SignalSet before = self.signals.has_saved_mask ? self.signals.saved_mask : self.signals.mask.load(kRelaxed);
    if (!push_signal_frame(self, frame, info, action, before)) {
        // No stack for the handler. If it was SIGSEGV's own, it will not do better the next time.
        if (signal == kSigSegv) {
            Guard guard{signals.lock};
            signals.actions[kSigSegv - 1].handler = kActionDefault;
        }
        force_signal(self, kernel_signal(kSigSegv), frame, "no stack for a signal handler");
        return true;
    }
    self.signals.has_saved_mask = false;
    SignalSet blocked = self.signals.mask.load(kRelaxed) | action.mask;
    if (!(action.flags & kKeepUnblocked))
        blocked |= signal_bit(signal);
    Guard guard{signals.lock};
    set_mask_locked(self, blocked);
    return true;
}

} // namespace

void thread_work(TrapFrame& frame) {
    UserThread& self = *current_user_thread();
    Thread& thread = *self.thread;
    x86::sti(); // it may take long: user memory is touched
    for (;;) {
        thread.clear_interrupted(); // before looking: whatever comes later says so again
        if (thread.is_killed())
            end_killed_thread();
        if (self.process->signals.job.load(kAcquire) != ProcessSignals::Job::Running) {
            stop_here(self);
            continue;
        }
        if (self.process->signals.continued)
            report_continued(*self.process);
        // Without the lock: whatever is queued after this look sets the flag that was cleared before it.
        if (!signals_pending(self) || !act_on_one(self, frame))
            break;
    }
    if (is_call(frame) && is_restart(frame.rax))
        call_again(frame); // no handler has run
    if (self.signals.has_saved_mask) {
        self.signals.has_saved_mask = false;
        set_signal_mask(self, self.signals.saved_mask);
    }
    x86::cli();
    cpu_request_work(kWorkFullReturn);
}

} // namespace tollgate::task
