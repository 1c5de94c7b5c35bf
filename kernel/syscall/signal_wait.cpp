// Waiting for signals: those that run a handler (pause, rt_sigsuspend) and those that are taken instead
// (rt_sigtimedwait).
#include "syscall/handlers.h"
#include "syscall/time.h"
#include "task/signal_internal.h"

namespace tollgate {
namespace {

/// Until a signal comes; the call goes on if no handler runs for it.
std::unexpected<Errno> wait_for_handler() {
    WaitQueue nobody;
    const auto woken = nobody.wait_while([] { return true; });
    return fail(!woken && woken.error() == Errno::Again ? Errno::Again : Errno::RestartNoHandler);
}

/// Makes the signals count as wanted while the caller sleeps, although they are blocked.
class Awaiting {
public:
    Awaiting(UserThread& thread, SignalSet set) : thread_(thread) { set_awaited(set); }
    ~Awaiting() { set_awaited(0); }
    Awaiting(const Awaiting&) = delete;
    Awaiting& operator=(const Awaiting&) = delete;

private:
    void set_awaited(SignalSet set) {
        Guard guard{thread_.process->signals.lock}; // senders look under it
        thread_.signals.awaited.store(set, kRelaxed);
    }
    UserThread& thread_;
};

int take(UserThread& self, SignalSet set, SignalInfo& info) {
    Guard guard{self.process->signals.lock};
    return task::take_signal_locked(self, set, info);
}

/// Errors: Again (nothing came in time), Intr (another signal).
Result<int> take_or_wait(UserThread& self, SignalSet set, Deadline deadline, SignalInfo& info) {
    if (const int signal = take(self, set, info))
        return signal;
    if (deadline == 0)
        return fail(Errno::Again);
    Awaiting awaiting{self, set};
    for (;;) {
        // A signal in `set` ends the wait like any other, and is taken here before anybody looks for a handler.
        self.thread->clear_interrupted();
        if (const int signal = take(self, set, info))
            return signal;
        if (task::signals_pending(self))
            return fail(Errno::Intr);
        const auto slept = sched::sleep_until(deadline);
        if (slept || self.thread->is_killed())
            return fail(Errno::Intr);
        if (slept.error() == Errno::TimedOut) {
            if (const int signal = take(self, set, info))
                return signal;
            return fail(Errno::Again);
        }
        if (slept.error() == Errno::Again)
            return fail(Errno::Again); // a syscall page may not wait
        if (self.process->signals.job.load(kAcquire) != ProcessSignals::Job::Running)
            return fail(Errno::RestartNoHandler);
    }
}

} // namespace

Result<u64> sys_pause(Caller&) { return wait_for_handler(); }

Result<u64> sys_rt_sigsuspend(Caller& caller, UserPtr<const SignalSet> mask, u64 size) {
    if (size != sizeof(SignalSet))
        return fail(Errno::Inval);
    const SignalSet during = TRY(copy_from_user(mask));
    task::begin_temporary_mask(*caller.owner, during);
    const auto woken = wait_for_handler();
    task::end_temporary_mask(*caller.owner, woken.error() == Errno::RestartNoHandler);
    return woken;
}

Result<u64> sys_rt_sigtimedwait(Caller& caller, UserPtr<const SignalSet> from, UserPtr<SignalInfo> to,
                                UserPtr<const Timespec> timeout, u64 size) {
    if (size != sizeof(SignalSet))
        return fail(Errno::Inval);
    const SignalSet set = TRY(copy_from_user(from))
    &~task::kUnstoppable;
    Deadline deadline = kNoDeadline;
    if (!timeout.is_null()) {
        const u64 ns = TRY(to_nanoseconds(TRY(copy_from_user(timeout))));
        deadline = ns == 0 ? 0 : deadline_after(ns);
    }
    SignalInfo info;
    const int signal = TRY(take_or_wait(*caller.owner, set, deadline, info));
    if (!to.is_null())
        TRY(copy_to_user(to, info));
    return static_cast<u64>(signal);
}

} // namespace tollgate
