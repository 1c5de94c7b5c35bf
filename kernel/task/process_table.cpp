// The table's life-cycle steps. References are dropped after the lock, since the last one frees memory.
#include "task/process_table.h"

#include "lib/mutants.h"
#include "mem/frames.h"

namespace tollgate {

constinit ProcessTable process_table;

namespace {

/// Threads that the machine's memory is good for: each takes a kernel stack, a page of vector registers and some of the
/// heap, and a process its page tables besides. Half of the memory at most goes there.
unsigned most_threads() {
    constexpr u64 kPagesPerThread = 6, kFewest = 64;
    const u64 most = frames::total_count() / (2 * kPagesPerThread);
    return static_cast<unsigned>(most < kFewest ? kFewest : most);
}

/// Pages that new processes leave free, so that those that exist can go on, and end.
u64 reserved_frames() { return frames::total_count() / 64; }

} // namespace

bool ProcessTable::is_used_locked(i32 id) {
    return by_id_.find(id) || threads_.find(id) || by_group_.find(id) || sessions_.find(id);
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

Result<void> ProcessTable::check_room(const Process& process) {
    if (count() >= most_threads() || frames::free_count() < reserved_frames())
        return fail(Errno::Again);
    const u64 limit = process.limits[Limit::Processes];
    if (limit == kUnlimited || process.credentials.privileged() || mutant(Mutant::ProcessLimit))
        return {};
    const u32 user = process.credentials.user.real.load(kRelaxed);
    u64 threads = 0;
    Guard guard{lock_};
    for (const Process& other : processes_)
        if (other.credentials.user.real.load(kRelaxed) == user)
            threads += other.zombie_ ? 1 : other.thread_count();
    if (threads >= limit)
        return fail(Errno::Again);
    return {};
}

void ProcessTable::insert(Process& process, const Process* creator, Process* parent) {
    process.retain();
    count_.fetch_add(1, kRelaxed);
    Guard guard{lock_};
    process.group_id_.store(creator ? creator->group_id() : process.id_, kRelaxed);
    if (parent && parent->zombie_) // the creator's parent, with CLONE_PARENT
        parent = by_id_.find(task::kInitId);
    processes_.push_back(process);
    by_id_.insert(process);
    by_group_.insert(process);
    enter_session_locked(process);
    if (!parent)
        return;
    process.parent_ = parent;
    process.parent_id_.store(parent->id_, kRelaxed);
    parent->children_list_.push_back(process);
}

// Out of everything that finds it. The table's reference is the caller's from now on.
void ProcessTable::take_out_locked(Process& process) {
    processes_.remove(process);
    by_id_.remove(process);
    by_group_.remove(process);
    if (process.parent_)
        process.parent_->children_list_.remove(process);
    process.parent_ = nullptr;
    leave_session_locked(process);
    count_.fetch_sub(1, kRelaxed);
}

void ProcessTable::forget(Process& process) {
    Ref<Process> table_reference;
    Guard guard{lock_};
    ASSERT(process.threads_.empty());
    take_out_locked(process);
    table_reference = Ref<Process>::adopt(&process);
}

Ref<Process> ProcessTable::find(i32 id) {
    Guard guard{lock_};
    Process* const process = by_id_.find(id);
    return process ? Ref<Process>(*process) : Ref<Process>();
}

Ref<UserThread> ProcessTable::find_thread(i32 id) {
    Guard guard{lock_};
    UserThread* const thread = threads_.find(id);
    return thread ? Ref<UserThread>(*thread) : Ref<UserThread>();
}

Ref<Process> ProcessTable::next_after(i32 id) {
    Guard guard{lock_};
    Process* best = nullptr;
    for (Process& process : processes_)
        if (process.id_ > id && (!best || process.id_ < best->id_))
            best = &process;
    return best ? Ref<Process>(*best) : Ref<Process>();
}

void ProcessTable::for_each(void (*f)(void*, Process&), void* context) {
    Guard guard{lock_};
    for (Process& process : processes_)
        f(context, process);
}

void ProcessTable::for_each_thread(Process& process, void (*f)(void*, UserThread&), void* context) {
    Guard guard{lock_};
    for (UserThread& thread : process.threads_)
        f(context, thread);
}

Result<void> ProcessTable::start(Ref<UserThread> thread) {
    Process& process = *thread->process;
    Guard guard{lock_};
    if (process.dying() || process.signals.fatal_status != 0)
        return fail(Errno::Intr);
    if (process.replacing_)
        return fail(Errno::Again);
    UserThread& started = *thread.leak();
    if (!process.threads_.empty())
        count_.fetch_add(1, kRelaxed);
    process.threads_.push_back(started);
    threads_.insert(started);
    process.thread_count_.store(static_cast<unsigned>(process.threads_.size()), kRelaxed);
    task::attach_signals(started); // before it runs: its first signal may be its own
    sched::start(*started.thread); // under the lock: a kill finds it either not listed or running
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

// True if the process has stopped by that.
bool ProcessTable::remove_thread_locked(UserThread& thread) {
    TaskAccess::add_thread_usage(*thread.process, task::thread_usage(thread));
    Process& process = *thread.process;
    const bool stopped = task::detach_signals(thread);
    threads_.remove(thread);
    process.threads_.remove(thread);
    process.thread_count_.store(static_cast<unsigned>(process.threads_.size()), kRelease);
    return stopped;
}

bool ProcessTable::leave(UserThread& thread, int status) {
    Process& process = *thread.process;
    bool stopped;
    {
        Guard guard{lock_};
        if (process.threads_.size() == 1) {
            end_locked(process, status, &thread);
            return true;
        }
        stopped = remove_thread_locked(thread);
        count_.fetch_sub(1, kRelaxed);
        process.threads_gone_.wake_all();
    }
    if (stopped)
        task::report_stopped(process);
    return false;
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

void ProcessTable::become_leader(UserThread& thread) {
    Guard guard{lock_};
    threads_.remove(thread);
    thread.caller.thread_id = thread.process->id_;
    threads_.insert(thread);
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
