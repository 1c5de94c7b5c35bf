// Job control: how a process stops and goes on. A stop begins when some thread takes a stop signal with its default
// action; it makes all threads look, each goes to sleep on its way to user code, and the last one tells the parent.
// SIGCONT ends it as it is sent; the first thread that runs again tells the parent, since a sender may hold locks.
#include "task/signal_internal.h"

namespace tollgate::task {

namespace {

using Job = ProcessSignals::Job;

constexpr int stopped_by(int signal) { return signal << 8 | 0x7f; } // [man 2 wait, WSTOPSIG]
constexpr int kContinuedStatus = 0xffff;

/// SIGCHLD, unless the parent does not want to hear of stops, and an end to its wait.
void tell_parent(Process& process, i32 code, i32 signal) {
    bool wanted = false;
    if (const Ref<Process> parent = find(process.parent_id())) {
        Guard guard{parent->signals.lock};
        const SignalAction& action = parent->signals.actions[kSigChild - 1];
        wanted = action.handler != kActionIgnore && !(action.flags & kNoChildStop);
    }
    const SignalInfo info = child_signal(process, code, signal);
    child_changed(process, wanted ? &info : nullptr);
}

} // namespace

bool leave_stop_locked(ProcessSignals& signals, ThreadSignals& thread) {
    if (!thread.stop_due.load(kRelaxed))
        return false;
    thread.stop_due.store(false, kRelaxed);
    if (--signals.stop_waits != 0 || signals.job.load(kRelaxed) != Job::Stopping)
        return false;
    signals.job.store(Job::Stopped, kRelease);
    signals.job_report.store(stopped_by(signals.stop_signal), kRelease);
    return true;
}

void begin_stop_locked(ProcessSignals& signals, int signal) {
    signals.stop_signal = signal;
    if (signals.job.load(kRelaxed) != Job::Running)
        return;
    signals.continued = false;
    signals.stop_waits = 0;
    for (ThreadSignals& thread : signals.threads) {
        thread.stop_due.store(true, kRelaxed);
        ++signals.stop_waits;
    }
    signals.job.store(Job::Stopping, kRelease); // after stop_due: see stop_here()
    for (ThreadSignals& thread : signals.threads)
        sched::interrupt(*thread.owner->thread);
}

void stop_here(UserThread& self) {
    Process& process = *self.process;
    ProcessSignals& signals = process.signals;
    bool last;
    {
        Guard guard{signals.lock};
        last = leave_stop_locked(signals, self.signals);
    }
    if (last)
        report_stopped(process);
    // A thread that SIGCONT has woken may find the next stop begun before it runs. It has to count for that one, too,
    // so it does not go on waiting: who sees that stop's Stopping sees stop_due.
    const auto woken = signals.resumed.wait_while(
        [&] { return signals.job.load(kAcquire) != Job::Running && !self.signals.stop_due.load(kRelaxed); },
        kNoDeadline, 0, WaitMode::Killable);
    static_cast<void>(woken.has_value()); // killed: the caller looks
}

void resume_locked(ProcessSignals& signals) {
    ++signals.continues;
    if (signals.job.load(kRelaxed) == Job::Running)
        return;
    for (ThreadSignals& thread : signals.threads)
        thread.stop_due.store(false, kRelaxed);
    signals.stop_waits = 0;
    signals.continued = true;
    signals.job_report.store(kContinuedStatus, kRelease);
    signals.job.store(Job::Running, kRelease);
    signals.resumed.wake_everything();
}

void report_continued(Process& process) {
    {
        Guard guard{process.signals.lock};
        if (!process.signals.continued)
            return;
        process.signals.continued = false;
    }
    tell_parent(process, kChildContinued, kSigContinue);
}

void report_stopped(Process& process) {
    int signal;
    {
        Guard guard{process.signals.lock};
        signal = process.signals.stop_signal;
    }
    tell_parent(process, kChildStopped, signal);
}

int job_status(Process& child, bool stopped, bool continued, Report report) {
    Atomic<int>& status = child.signals.job_report;
    int seen = status.load(kAcquire);
    if (seen == 0 || !(seen == kContinuedStatus ? continued : stopped))
        return 0;
    if (report == Report::Take && !status.compare_exchange_strong(seen, 0, kAcqRel))
        return 0;
    return seen;
}

} // namespace tollgate::task
