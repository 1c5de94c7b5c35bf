// Sending: whether a signal is kept, where it waits, and which thread looks at it.
#include "task/signal_internal.h"

namespace tollgate::task {

// Global, since a reader reads the signals of whatever process it runs in and may outlive the one that made it.
constinit WaitQueue signal_arrivals;
constinit Atomic<u32> signal_files{0};

namespace {

bool blocks(const ThreadSignals& thread, SignalSet bit) { return thread.mask.load(kRelaxed) & bit; }
bool awaits(const ThreadSignals& thread, SignalSet bit) { return thread.awaited.load(kRelaxed) & bit; }

/// From the heap, or the one that was kept; null without memory.
QueuedSignal* allocate_locked(ProcessSignals& signals, const SignalInfo& info) {
    QueuedSignal* queued = signals.spare;
    if (queued) {
        signals.spare = nullptr;
        queued->info = info;
    } else {
        queued = new (std::nothrow_t{}) QueuedSignal{info};
    }
    signals.queued += queued != nullptr;
    return queued;
}

void free_locked(ProcessSignals& signals, QueuedSignal& queued) {
    --signals.queued;
    if (signals.spare)
        delete &queued;
    else
        signals.spare = &queued;
}

/// A blocked signal is kept even if it is ignored: the action may change before it is unblocked [POSIX, 2.4.1].
bool is_ignored_locked(const Process& process, const ThreadSignals& target, int signal) {
    const SignalSet bit = signal_bit(signal);
    if (blocks(target, bit) || awaits(target, bit))
        return false;
    const u64 handler = process.signals.actions[signal - 1].handler;
    if (handler == kActionDefault)
        return is_protected(process) || (bit & kIgnoredByDefault);
    return handler == kActionIgnore;
}

/// Every thread ends on its way to user code; the last one's status is the signal.
void end_locked(ProcessSignals& signals, int signal) {
    signals.fatal_status = killed_by(signal);
    for (ThreadSignals& thread : signals.threads)
        sched::kill(*thread.owner->thread);
}

ThreadSignals* choose_locked(ProcessSignals& signals, SignalSet bit) {
    // The oldest thread first, as on Linux, where that is the one most programs expect it on.
    for (ThreadSignals& thread : signals.threads)
        if (!blocks(thread, bit) || awaits(thread, bit))
            return &thread;
    return nullptr;
}

/// Something new is pending: somebody must look.
void notify_locked(Process& process, ThreadSignals* target, int signal) {
    ProcessSignals& signals = process.signals;
    const SignalSet bit = signal_bit(signal);
    if (signal_files.load(kRelaxed) != 0)
        signal_arrivals.wake_everything();
    if (target == nullptr)
        target = choose_locked(signals, bit);
    if (target == nullptr || (blocks(*target, bit) && !awaits(*target, bit)))
        return; // it waits until somebody unblocks it
    const bool ends = signals.actions[signal - 1].handler == kActionDefault &&
                      !(bit & (kIgnoredByDefault | kStopSignals | kDumps)) && !awaits(*target, bit) &&
                      !is_protected(process);
    if (ends)
        end_locked(signals, signal); // at once: a thread in an uninterruptible wait hears of it too
    else
        sched::interrupt(*target->owner->thread);
}

/// What a signal does merely by being sent: stop and continue signals cancel each other.
void prepare_locked(ProcessSignals& signals, int signal) {
    if (signal_bit(signal) & kStopSignals) {
        drop_everywhere_locked(signals, signal_bit(kSigContinue));
    } else if (signal == kSigContinue) {
        drop_everywhere_locked(signals, kStopSignals);
        resume_locked(signals);
    }
}

Result<void> send(Process& process, ThreadSignals* thread, const SignalInfo& info) {
    ProcessSignals& signals = process.signals;
    const SignalSet bit = signal_bit(info.signal);
    Guard guard{signals.lock};
    if (signals.fatal_status != 0 || signals.threads.empty() || (thread && !thread->link.linked()))
        return {}; // it, or the thread, is ending
    if (info.signal == kSigKill) {
        if (!is_protected(process))
            end_locked(signals, kSigKill);
        return {};
    }
    prepare_locked(signals, info.signal);
    if (is_ignored_locked(process, thread ? *thread : *signals.threads.front(), info.signal))
        return {};
    PendingSignals& pending = thread ? thread->pending : signals.pending;
    if (info.signal < kFirstRealTime && (pending.set & bit))
        return {}; // one of them is enough
    // Counted by process; Linux counts by user.
    const bool room = signals.queued < process.limits[Limit::PendingSignals];
    QueuedSignal* const queued = room ? allocate_locked(signals, info) : nullptr;
    if (queued) {
        pending.queue.push_back(*queued);
    } else if (info.signal >= kFirstRealTime && info.code != kCodeUser) {
        return fail(Errno::Again);
    } // else it arrives without its details
    pending.set |= bit;
    notify_locked(process, thread, info.signal);
    return {};
}

/// Takes a signal off one queue. More of the same real-time signal may stay.
void take_from_locked(ProcessSignals& signals, PendingSignals& pending, int signal, SignalInfo& info) {
    QueuedSignal* taken = nullptr;
    bool more = false;
    for (QueuedSignal& queued : pending.queue) {
        if (queued.info.signal != signal)
            continue;
        if (taken) {
            more = true;
            break;
        }
        taken = &queued;
        if (signal < kFirstRealTime)
            break;
    }
    if (!more)
        pending.set &= ~signal_bit(signal);
    if (!taken) {
        info = {.signal = signal, .error = 0, .code = kCodeUser, .pad = 0, .bytes = {}};
        return;
    }
    pending.queue.remove(*taken);
    info = taken->info;
    if (taken->taken)
        return taken->taken(*taken, &info);
    free_locked(signals, *taken);
}

} // namespace

int take_signal_locked(UserThread& self, SignalSet allowed, SignalInfo& info) {
    ProcessSignals& signals = self.process->signals;
    PendingSignals* from = &self.signals.pending;
    SignalSet ready = from->set & allowed;
    if (ready == 0) {
        from = &signals.pending;
        ready = from->set & allowed;
        if (ready == 0)
            return 0;
    }
    const SignalSet first = ready & kSynchronous ? ready & kSynchronous : ready;
    const int signal = __builtin_ctzll(first) + 1;
    take_from_locked(signals, *from, signal, info);
    return signal;
}

void drop_locked(ProcessSignals& signals, PendingSignals& pending, SignalSet set) {
    if (!(pending.set & set))
        return;
    pending.set &= ~set;
    for (QueuedSignal& queued : pending.queue) {
        if (!(signal_bit(queued.info.signal) & set))
            continue;
        pending.queue.remove(queued);
        if (queued.taken) {
            queued.taken(queued, nullptr);
            continue;
        }
        free_locked(signals, queued);
    }
}

void drop_everywhere_locked(ProcessSignals& signals, SignalSet set) {
    drop_locked(signals, signals.pending, set);
    for (ThreadSignals& thread : signals.threads)
        drop_locked(signals, thread.pending, set);
}

bool queue_owned_locked(Process& process, ThreadSignals* thread, QueuedSignal& queued) {
    ProcessSignals& signals = process.signals;
    if (signals.fatal_status != 0 || signals.threads.empty() || (thread && !thread->link.linked()))
        return false;
    const int signal = queued.info.signal;
    prepare_locked(signals, signal);
    if (is_ignored_locked(process, thread ? *thread : *signals.threads.front(), signal))
        return false;
    PendingSignals& pending = thread ? thread->pending : signals.pending;
    if (signal < kFirstRealTime && (pending.set & signal_bit(signal)))
        return false;
    pending.queue.push_back(queued);
    pending.set |= signal_bit(signal);
    notify_locked(process, thread, signal);
    return true;
}

void drop_owned_locked(ProcessSignals& signals, QueuedSignal& queued) {
    const auto take_off = [&](PendingSignals& pending) {
        if (!pending.queue.contains(queued))
            return;
        pending.queue.remove(queued);
        for (const QueuedSignal& other : pending.queue)
            if (other.info.signal == queued.info.signal)
                return;
        pending.set &= ~signal_bit(queued.info.signal);
    };
    take_off(signals.pending);
    for (ThreadSignals& thread : signals.threads)
        take_off(thread.pending);
}

Result<void> send_signal(Process& process, const SignalInfo& info) { return send(process, nullptr, info); }
Result<void> send_signal(UserThread& thread, const SignalInfo& info) {
    return send(*thread.process, &thread.signals, info);
}

void force_signal(UserThread& self, const SignalInfo& info, const TrapFrame& frame, const char* why, u64 address) {
    ProcessSignals& signals = self.process->signals;
    {
        Guard guard{signals.lock};
        const SignalSet bit = signal_bit(info.signal);
        if (has_handler(signals.actions[info.signal - 1]) && !blocks(self.signals, bit)) {
            drop_locked(signals, self.signals.pending, bit); // this one is what keeps the thread from going on
            if (QueuedSignal* const queued = allocate_locked(signals, info))
                self.signals.pending.queue.push_back(*queued);
            self.signals.pending.set |= bit;
            sched::interrupt(*self.thread);
            return;
        }
    }
    user_fault(frame, info.signal, why, address);
}

} // namespace tollgate::task
