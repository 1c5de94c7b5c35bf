// What processes and threads keep of signals: masks, actions, what is inherited, and where they begin and end.
#include "task/signal_internal.h"
#include "task/signal_read.h"

namespace tollgate::task {

SignalInfo kernel_signal(int signal) {
    SignalInfo info{};
    info.signal = signal;
    info.code = kCodeKernel;
    return info;
}

SignalInfo user_signal(const Caller& caller, int signal) {
    SignalInfo info{};
    info.signal = signal;
    info.code = kCodeUser;
    info.sender.process = caller.process->id();
    info.sender.user = caller.process->credentials.user.real.load(kRelaxed);
    return info;
}

SignalInfo child_signal(const Process& child, i32 code, i32 status) {
    SignalInfo info{};
    info.signal = kSigChild;
    info.code = code;
    info.child.process = child.id();
    info.child.user = child.credentials.user.real.load(kRelaxed);
    info.child.status = status;
    return info;
}

bool discards_children(Process& parent) {
    Guard guard{parent.signals.lock};
    const SignalAction& action = parent.signals.actions[kSigChild - 1];
    return action.handler == kActionIgnore || (action.flags & kNoChildWait);
}

Result<void> send_signal_to_group(i32 group, const SignalInfo& info) {
    const unsigned members = for_each_in_group(group, [&](Process& process) {
        static_cast<void>(send_signal(process, info).has_value()); // a full queue is the receiver's affair
    });
    if (members == 0)
        return fail(Errno::Srch);
    return {};
}

bool signals_pending(const UserThread& thread) {
    const SignalSet pending = thread.signals.pending.set | thread.process->signals.pending.set;
    return pending & ~thread.signals.mask.load(kRelaxed);
}

SignalSet blocked_and_pending(UserThread& self) {
    Guard guard{self.process->signals.lock};
    return (self.signals.pending.set | self.process->signals.pending.set) & self.signals.mask.load(kRelaxed);
}

void get_signal_action(const Process& process, int signal, SignalAction& to) {
    Guard guard{process.signals.lock};
    to = process.signals.actions[signal - 1];
}

bool take_signal(UserThread& self, SignalSet set, SignalInfo& info) {
    Guard guard{self.process->signals.lock};
    return take_signal_locked(self, set, info) != 0;
}

bool has_signal(const UserThread& self, SignalSet set) {
    return (self.signals.pending.set | self.process->signals.pending.set) & set;
}

WaitQueue& signal_arrivals_queue() { return signal_arrivals; }
void count_signal_file(int by) { signal_files.fetch_add(static_cast<u32>(by), kRelaxed); }

void exchange_shared_action(Process& process, int signal, const SignalAction& action, SignalAction& before) {
    ProcessSignals& signals = process.signals;
    SignalAction& stored = signals.actions[signal - 1];
    Guard guard{signals.lock};
    before = stored;
    stored = action;
    if (action.handler <= kActionIgnore &&
        (action.handler == kActionIgnore || (signal_bit(signal) & kIgnoredByDefault)))
        drop_everywhere_locked(signals, signal_bit(signal));
}

bool may_signal(const Caller& sender, const Process& to, int signal) {
    const Process& from = *sender.process;
    if (from.credentials.privileged() || &from == &to)
        return true;
    const u32 real = from.credentials.user.real.load(kRelaxed);
    const u32 effective = from.credentials.user.effective.load(kRelaxed);
    for (const auto* id : {&to.credentials.user.real, &to.credentials.user.saved})
        if (id->load(kRelaxed) == real || id->load(kRelaxed) == effective)
            return true;
    return signal == kSigContinue && from.session_id() == to.session_id();
}

/// What was this thread's to take and is not any more: another one may.
[[gnu::noinline]] static void pass_on_locked(UserThread& self, SignalSet signals) {
    for (ThreadSignals& other : self.process->signals.threads)
        if (&other != &self.signals && (signals & ~other.mask.load(kRelaxed)))
            sched::interrupt(*other.owner->thread);
}

void set_mask_locked(UserThread& self, SignalSet mask) {
    ProcessSignals& signals = self.process->signals;
    const SignalSet before = self.signals.mask.load(kRelaxed);
    mask &= ~kUnstoppable;
    self.signals.mask.store(mask, kRelaxed);
    if ((self.signals.pending.set | signals.pending.set) & ~mask)
        sched::interrupt(*self.thread);
    if (const SignalSet passed_on = signals.pending.set & mask & ~before) [[unlikely]]
        pass_on_locked(self, passed_on);
}

void set_signal_mask(UserThread& self, SignalSet mask) {
    Guard guard{self.process->signals.lock};
    set_mask_locked(self, mask);
}

void begin_temporary_mask(UserThread& self, SignalSet mask) {
    self.signals.saved_mask = self.signals.mask.load(kRelaxed);
    self.signals.has_saved_mask = true;
    set_signal_mask(self, mask);
}

void end_temporary_mask(UserThread& self, bool interrupted) {
    if (interrupted) {
        cpu_request_work(kWorkThread); // thread_work() restores it
        return;
    }
    self.signals.has_saved_mask = false;
    set_signal_mask(self, self.signals.saved_mask);
}

void attach_signals(UserThread& thread) {
    ProcessSignals& signals = thread.process->signals;
    Guard guard{signals.lock};
    thread.signals.owner = &thread;
    signals.threads.push_back(thread.signals);
    // It has begun among threads that are being ended or stopped.
    if (signals.fatal_status != 0)
        sched::kill(*thread.thread);
    else if (signals.job.load(kRelaxed) != ProcessSignals::Job::Running)
        sched::interrupt(*thread.thread);
}

bool detach_signals(UserThread& thread) {
    ProcessSignals& signals = thread.process->signals;
    Guard guard{signals.lock};
    const bool stopped = leave_stop_locked(signals, thread.signals);
    drop_locked(signals, thread.signals.pending, ~SignalSet{0});
    signals.threads.remove(thread.signals);
    if (signals.threads.empty()) {
        drop_locked(signals, signals.pending, ~SignalSet{0});
        delete signals.spare;
        signals.spare = nullptr;
        return false; // nobody is left to be stopped
    }
    // It may have been the one that was to take a signal of the process.
    for (ThreadSignals& other : signals.threads)
        if (signals.pending.set & ~other.mask.load(kRelaxed))
            sched::interrupt(*other.owner->thread);
    return stopped;
}

void inherit_signals(UserThread& child, const UserThread& parent, Inherit what) {
    child.signals.mask.store(parent.signals.mask.load(kRelaxed), kRelaxed);
    if (what == Inherit::Process)
        child.signals.alternate_stack = parent.signals.alternate_stack;
}

void copy_signal_actions(Process& child, const Process& parent) {
    Guard guard{parent.signals.lock};
    for (int i = 0; i < kSignals; ++i)
        child.signals.actions[i] = parent.signals.actions[i];
}

void reset_signals_for_exec(UserThread& self) {
    ProcessSignals& signals = self.process->signals;
    Guard guard{signals.lock};
    for (SignalAction& action : signals.actions)
        action = {action.handler == kActionIgnore ? kActionIgnore : kActionDefault, 0, 0, 0};
    self.signals.alternate_stack = {0, kStackDisabled, 0, 0};
}

int killed_status(Process& process) {
    const int status = process.signals.fatal_status;
    return status != 0 ? status : killed_by(kSigKill);
}

} // namespace tollgate::task
