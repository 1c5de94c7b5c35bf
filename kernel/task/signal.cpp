// Sending signals, and what processes and threads inherit of them.
#include "task/process.h"

namespace tollgate::task {

Result<void> send_signal(Process& process, const SignalInfo& info) {
    if (info.signal == kSigKill)
        kill_process(process, killed_by(kSigKill));
    return {};
}
Result<void> send_signal(UserThread& thread, const SignalInfo& info) { return send_signal(*thread.process, info); }
Result<void> send_signal_to_group(i32, const SignalInfo&) { return fail(Errno::Srch); }
void force_signal(UserThread& thread, const SignalInfo& info) { kill_process(*thread.process, killed_by(info.signal)); }

SignalInfo kernel_signal(int signal) {
    SignalInfo info;
    info.signal = signal;
    info.code = kCodeKernel;
    return info;
}

SignalInfo user_signal(const Caller& caller, int signal) {
    SignalInfo info;
    info.signal = signal;
    info.code = kCodeUser;
    info.sender.process = caller.process->id();
    return info;
}

bool signals_pending(const UserThread& thread) { return thread.thread->is_interrupted(); }
void set_signal_mask(UserThread& self, SignalSet mask) { self.signals.mask.store(mask, kRelaxed); }
void begin_temporary_mask(UserThread&, SignalSet) {}
void end_temporary_mask(UserThread&, bool) {}

void attach_signals(UserThread& thread) {
    ProcessSignals& signals = thread.process->signals;
    Guard guard{signals.lock};
    thread.signals.owner = &thread;
    signals.threads.push_back(thread.signals);
}

void detach_signals(UserThread& thread) {
    ProcessSignals& signals = thread.process->signals;
    Guard guard{signals.lock};
    signals.threads.remove(thread.signals);
}

void inherit_signals(UserThread& child, const UserThread& parent, Inherit what) {
    child.signals.mask.store(parent.signals.mask.load(kRelaxed), kRelaxed);
    if (what == Inherit::Process)
        child.signals.alternate_stack = parent.signals.alternate_stack;
}

void copy_signal_actions(Process& child, const Process& parent) {
    for (int i = 0; i < kSignals; ++i)
        child.signals.actions[i] = parent.signals.actions[i];
}

void reset_signals_for_exec(UserThread& self) {
    ProcessSignals& signals = self.process->signals;
    Guard guard{signals.lock};
    for (SignalAction& action : signals.actions) {
        const u64 handler = action.handler;
        action = {};
        if (handler == kActionIgnore)
            action.handler = kActionIgnore;
    }
    self.signals.alternate_stack = {0, kStackDisabled, 0, 0};
}

int killed_status(Process& process) {
    return process.signals.fatal_status != 0 ? process.signals.fatal_status : killed_by(kSigKill);
}

SignalInfo child_signal(const Process& child, i32 code, i32 status) {
    SignalInfo info;
    info.signal = kSigChild;
    info.code = code;
    info.child.process = child.id();
    info.child.status = status;
    return info;
}

bool discards_children(Process& parent) {
    Guard guard{parent.signals.lock};
    const SignalAction& action = parent.signals.actions[kSigChild - 1];
    return action.handler == kActionIgnore || (action.flags & kNoChildWait);
}

int job_status(Process&, bool, bool, Report) { return 0; }

void thread_work(TrapFrame&) {
    if (sched::current().is_killed())
        end_killed_thread();
}

} // namespace tollgate::task
