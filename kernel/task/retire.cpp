// The last step of a process's life: from its last thread's end to its parent's wait. Its children get another parent,
// its parent hears of it, and groups that nobody can continue any more are told.
#include "task/process_table.h"

namespace tollgate {

namespace {

constexpr int kStatusSignal = 0x7f;

/// What SIGCHLD, or the signal that clone(2) chose instead, says about the end of `child`.
SignalInfo end_signal(const Process& child, int status) {
    const int signal = status & kStatusSignal;
    SignalInfo info = signal ? task::child_signal(child, kChildKilled, signal)
                             : task::child_signal(child, kChildExited, status >> 8 & 0xff);
    info.signal = child.exit_signal;
    return info;
}

void send(Process& to, const SignalInfo& info) {
    const auto sent = task::send_signal(to, info);
    static_cast<void>(sent.has_value()); // a full queue loses it, as everywhere
}

bool is_stopped(Process& process) {
    Guard guard{process.signals.lock};
    return process.signals.job != ProcessSignals::Job::Running;
}

} // namespace

void ProcessTable::wake_parent_locked(Process& process) {
    Process* const parent = process.parent_;
    if (!parent)
        return;
    parent->child_events_.fetch_add(1, kRelease);
    parent->children_.wake_all();
}

void ProcessTable::child_changed(Process& process, const SignalInfo* info) {
    Guard guard{lock_};
    if (info && process.parent_)
        send(*process.parent_, *info);
    wake_parent_locked(process);
}

// Who takes over the children of a process that ends: the nearest ancestor that asked for it, else init.
Process* ProcessTable::heir_locked(const Process& process) {
    for (Process* ancestor = process.parent_; ancestor; ancestor = ancestor->parent_)
        if (ancestor->adopts_orphans.load(kRelaxed) && !ancestor->dying())
            return ancestor;
    Process* const init = by_id_.find(task::kInitId);
    return init == &process || (init && init->zombie_) ? nullptr : init;
}

// A zombie meets its parent: which hears of it and keeps it, or never waits for its children. True if it is kept.
bool ProcessTable::report_end_locked(Process& zombie) {
    Process* const parent = zombie.parent_;
    if (!parent || parent->zombie_)
        return false;
    const bool keep = zombie.exit_signal != task::kSigChild || !task::discards_children(*parent);
    if (zombie.exit_signal != 0)
        send(*parent, end_signal(zombie, zombie.exit_status_));
    wake_parent_locked(zombie);
    if (keep) { // to the front, where wait() looks first
        parent->children_list_.remove(zombie);
        parent->children_list_.push_front(zombie);
    }
    return keep;
}

// A group that is orphaned by the end of `leaving`, while a member of it is stopped, is sent on its way: nobody is left
// who could continue it [POSIX.1-2017, _Exit()].
void ProcessTable::release_orphaned_group_locked(i32 group, const Process& leaving) {
    bool stopped = false;
    for (Process* member = by_group_.find(group); member; member = by_group_.find_next(*member))
        stopped |= member != &leaving && !member->zombie_ && is_stopped(*member);
    if (!stopped || !orphaned_locked(group, &leaving))
        return;
    for (Process* member = by_group_.find(group); member; member = by_group_.find_next(*member)) {
        if (member == &leaving || member->zombie_)
            continue;
        send(*member, task::kernel_signal(task::kSigHangUp));
        send(*member, task::kernel_signal(task::kSigContinue));
    }
}

void ProcessTable::hand_over_children_locked(Process& process, List<Process, &Process::link_>& gone) {
    Process* const heir = heir_locked(process);
    while (Process* const child = process.children_list_.pop_front()) {
        child->parent_ = heir;
        child->parent_id_.store(heir ? heir->id_ : 0, kRelaxed);
        if (heir)
            heir->children_list_.push_back(*child);
        if (child->zombie_) {
            if (!report_end_locked(*child)) {
                take_out_locked(*child);
                gone.push_back(*child);
            }
            continue;
        }
        child->exit_signal = task::kSigChild; // whatever clone(2) chose was between the two [man 2 clone]
        if (const int signal = child->parent_death_signal.load(kRelaxed))
            send(*child, task::kernel_signal(signal));
        if (child->group_id() != process.group_id() && child->session_id() == process.session_id())
            release_orphaned_group_locked(child->group_id(), process);
    }
}

void ProcessTable::retire(UserThread& last) {
    Process& process = *last.process;
    List<Process, &Process::link_> gone; // zombies that nobody will wait for
    {
        Guard guard{lock_};
        static_cast<void>(remove_thread_locked(last)); // a zombie has other news
        release_orphaned_group_locked(process.group_id(), process);
        hand_over_children_locked(process, gone);
        process.zombie_.store(true, kRelease);
        if (!report_end_locked(process)) {
            take_out_locked(process);
            gone.push_back(process);
        }
        if (process.id_ == task::kInitId) {
            init_status_ = process.exit_status_;
            init_ended_.store(true, kRelease);
            init_waiters_.wake_all();
        }
    }
    while (Process* const process_gone = gone.pop_front())
        Ref<Process>::adopt(process_gone).reset();
}

} // namespace tollgate
