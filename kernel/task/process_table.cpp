// The table's life-cycle steps. References are dropped after the lock, since the last one frees memory.
#include "task/process_table.h"

namespace tollgate {

constinit ProcessTable process_table;

bool ProcessTable::is_used_locked(i32 id) {
    for (Process& process : processes_) {
        if (process.id_ == id)
            return true;
        for (UserThread& thread : process.threads_)
            if (thread.caller.thread_id == id)
                return true;
    }
    return false;
}

Process* ProcessTable::find_locked(i32 id) {
    for (Process& process : processes_)
        if (process.id_ == id)
            return &process;
    return nullptr;
}

i32 ProcessTable::allocate_id() {
    Guard guard{lock_};
    for (;;) {
        const i32 id = next_id_;
        next_id_ = id == kMaxId ? task::kInitId + 1 : id + 1;
        if (!is_used_locked(id))
            return id;
    }
}

void ProcessTable::insert(Process& process) {
    process.retain();
    Guard guard{lock_};
    processes_.push_back(process);
}

void ProcessTable::forget(Process& process) {
    Ref<Process> table_reference;
    Guard guard{lock_};
    ASSERT(process.threads_.empty());
    processes_.remove(process);
    table_reference = Ref<Process>::adopt(&process);
}

Ref<Process> ProcessTable::find(i32 id) {
    Guard guard{lock_};
    Process* const process = find_locked(id);
    return process ? Ref<Process>(*process) : Ref<Process>();
}

Ref<Process> ProcessTable::next_after(i32 id) {
    Guard guard{lock_};
    Process* best = nullptr;
    for (Process& process : processes_)
        if (process.id_ > id && (!best || process.id_ < best->id_))
            best = &process;
    return best ? Ref<Process>(*best) : Ref<Process>();
}

Result<void> ProcessTable::start(Ref<UserThread> thread) {
    Process& process = *thread->process;
    Guard guard{lock_};
    if (process.dying())
        return fail(Errno::Intr);
    if (process.replacing_)
        return fail(Errno::Again);
    UserThread& started = *thread.leak();
    process.threads_.push_back(started);
    process.thread_count_.store(static_cast<unsigned>(process.threads_.size()), kRelaxed);
    sched::start(*started.thread); // under the lock: a kill finds it either not listed or running
    task::attach_signals(started);
    return {};
}

void ProcessTable::end_locked(Process& process, int status, const UserThread* except) {
    if (process.dying() || process.zombie_)
        return;
    process.exit_status_ = status;
    process.dying_.store(true, kRelease);
    for (UserThread& thread : process.threads_)
        if (&thread != except)
            sched::kill(*thread.thread);
}

void ProcessTable::end(Process& process, int status, const UserThread* except) {
    Guard guard{lock_};
    end_locked(process, status, except);
}

bool ProcessTable::leave(UserThread& thread, int status) {
    Process& process = *thread.process;
    Guard guard{lock_};
    if (process.threads_.size() == 1) {
        end_locked(process, status, &thread);
        return true;
    }
    task::detach_signals(thread);
    process.threads_.remove(thread);
    process.thread_count_.store(static_cast<unsigned>(process.threads_.size()), kRelease);
    process.threads_gone_.wake_all();
    return false;
}

void ProcessTable::retire(UserThread& last) {
    Process& process = *last.process;
    List<Process, &Process::link_> orphans; // zombies that nobody will wait for
    {
        Guard guard{lock_};
        task::detach_signals(last);
        process.threads_.remove(last);
        process.thread_count_.store(0, kRelaxed);
        const bool is_init = process.id_ == task::kInitId;
        Process* const init = is_init ? nullptr : find_locked(task::kInitId);
        for (Process& child : processes_) {
            if (child.parent_id() != process.id_)
                continue;
            child.parent_id_.store(init ? task::kInitId : 0, kRelaxed);
            if (!child.zombie_)
                continue;
            if (init) {
                init->child_events_.fetch_add(1, kRelease);
                init->children_.wake_all();
            } else {
                processes_.remove(child);
                orphans.push_back(child);
            }
        }
        process.zombie_ = true;
        Process* const parent = find_locked(process.parent_id());
        if (parent && !parent->zombie_) {
            parent->child_events_.fetch_add(1, kRelease);
            parent->children_.wake_all();
        } else {
            processes_.remove(process);
            orphans.push_back(process);
        }
        if (is_init) {
            init_status_ = process.exit_status_;
            init_ended_.store(true, kRelease);
            init_waiters_.wake_all();
        }
    }
    while (Process* const orphan = orphans.pop_front())
        Ref<Process>::adopt(orphan).reset();
}

Result<void> ProcessTable::stop_others(UserThread& thread) {
    Process& process = *thread.process;
    {
        Guard guard{lock_};
        if (process.dying() || process.replacing_)
            return fail(Errno::Intr);
        process.replacing_ = true;
        for (UserThread& other : process.threads_)
            if (&other != &thread)
                sched::kill(*other.thread);
    }
    const auto alone = process.threads_gone_.wait_while([&] { return process.thread_count_.load(kAcquire) > 1; },
                                                        kNoDeadline, 0, WaitMode::Killable);
    Guard guard{lock_};
    process.replacing_ = false;
    return alone;
}

Ref<Process> ProcessTable::take_ended_child(const Process& parent, i32 id, bool& has_children) {
    Guard guard{lock_};
    has_children = false;
    for (Process& child : processes_) {
        if (child.parent_id() != parent.id_ || (id != -1 && child.id_ != id))
            continue;
        has_children = true;
        if (!child.zombie_)
            continue;
        processes_.remove(child);
        return Ref<Process>::adopt(&child);
    }
    return {};
}

int ProcessTable::wait_for_init() {
    while (!init_ended_.load(kAcquire)) {
        // A kernel thread waits here; nothing can kill it, so that an error is only a reason to look again.
        const auto woken = init_waiters_.wait_while([&] { return !init_ended_.load(kAcquire); });
        static_cast<void>(woken.has_value());
    }
    return init_status_;
}

} // namespace tollgate
