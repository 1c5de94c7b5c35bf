// All processes, and every change of who lives: which threads a process has, who is whose child, who is a zombie. One
// lock; nothing in here sleeps under it. Only task/ includes this.
#pragma once

#include "task/process.h"

namespace tollgate {

class ProcessTable {
public:
    constexpr ProcessTable() = default;

    /// An id for a process or a thread that nothing in the table has.
    i32 allocate_id() EXCLUDES(lock_);
    /// Enters a process; the table keeps a reference until the process has been waited for.
    void insert(Process& process) EXCLUDES(lock_);
    /// Takes out a process whose first thread could not be made.
    void forget(Process& process) EXCLUDES(lock_);
    Ref<Process> find(i32 id) EXCLUDES(lock_);
    Ref<Process> next_after(i32 id) EXCLUDES(lock_);

    /// Adds a thread and lets it run; its first count is now its own. Errno::Intr if the process is ending, Again
    /// during an execve.
    Result<void> start(Ref<UserThread> thread) EXCLUDES(lock_);
    /// Marks the process as ended by `status`, unless it is already, and kills its threads (but `except`).
    void end(Process& process, int status, const UserThread* except = nullptr) EXCLUDES(lock_);
    /// A thread ends. True for the last one, which stays in the process until retire() and ends it with `status`, if
    /// nothing did before.
    bool leave(UserThread& thread, int status) EXCLUDES(lock_);
    /// The last thread goes: the process becomes a zombie, its children get another parent, its parent hears of it.
    void retire(UserThread& last) EXCLUDES(lock_);
    /// Kills all other threads of the process and waits until they are gone. Errno::Intr if this one is killed first.
    /// Sleeps.
    Result<void> stop_others(UserThread& thread) EXCLUDES(lock_);

    /// An ended child with this id (-1: any), out of the table; `has_children` says whether there was anything to wait
    /// for.
    Ref<Process> take_ended_child(const Process& parent, i32 id, bool& has_children) EXCLUDES(lock_);
    static int exit_status(const Process& ended) { return ended.exit_status_; }

    int wait_for_init();

private:
    static constexpr i32 kMaxId = 1 << 22;

    bool is_used_locked(i32 id) REQUIRES(lock_);
    Process* find_locked(i32 id) REQUIRES(lock_);
    void end_locked(Process& process, int status, const UserThread* except) REQUIRES(lock_);

    Spinlock lock_{LockRank::ProcessTable};
    List<Process, &Process::link_> processes_ GUARDED_BY(lock_);
    i32 next_id_ GUARDED_BY(lock_) = 1;
    Atomic<bool> init_ended_{false};
    int init_status_ = 0; // written before init_ended_
    WaitQueue init_waiters_;
};

/// The one table: every process must be found by its id from anywhere.
extern constinit ProcessTable process_table;

/// What the files of task/ change in a process outside the table's matters.
struct TaskAccess {
    static Ref<AddressSpace> exchange_space(Process& process, Ref<AddressSpace> space);
    static void drop_files(Process& process);
    static u32 child_events(const Process& process) { return process.child_events_.load(kAcquire); }
    /// Sleeps until child_events() is no longer `seen`.
    static Result<void> wait_for_child_event(Process& process, u32 seen);
    /// Before a vfork child runs, when it leaves its parent's space, and the parent's wait for that.
    static void begin_vfork(Process& child) { child.vfork_done_.store(false, kRelaxed); }
    static void end_vfork(Process& child);
    static Result<void> wait_for_vfork(Process& child);
    static const task::Hooks& hooks();
};

namespace task {

inline constexpr i32 kInitId = 1;

/// A thread of `process` that starts in user code with these registers. Not in the process yet. Errors: NoMem, Inval
/// (rip or rsp is no user address).
Result<Ref<UserThread>> make_thread(Ref<Process> process, const TrapFrame& frame, i32 id);
/// The registers of a program's first thread: zeros but for rip and rsp [threats L3].
TrapFrame first_frame(u64 entry, u64 stack_pointer);
/// Gives a thread that has not run yet the FPU state of the running one.
void copy_live_fpu(Thread& to);
/// Gives the running thread the FPU state of a new program.
void reset_live_fpu(Thread& self);

} // namespace task
} // namespace tollgate
