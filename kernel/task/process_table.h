// All processes, and every change of who lives: which threads a process has, who is whose child, who is in which group
// and session, who is a zombie. One lock; nothing in here sleeps under it. Only task/ includes this.
#pragma once

#include "task/id_hash.h"
#include "task/process.h"

namespace tollgate {

class ProcessTable {
public:
    constexpr ProcessTable() = default;

    /// An id for a process or a thread that nothing in the table has.
    i32 allocate_id() EXCLUDES(lock_);
    /// Whether `process` may have another thread or child. Errno::Again if the machine is full, or RLIMIT_NPROC
    /// reached.
    Result<void> check_room(const Process& process) EXCLUDES(lock_);
    /// Enters a process into the group of its creator and into the session that it has, or, without one, as the leader
    /// of its own; the table keeps a reference until the process has been waited for.
    void insert(Process& process, const Process* creator, Process* parent) EXCLUDES(lock_);
    /// Takes out a process whose first thread could not be made.
    void forget(Process& process) EXCLUDES(lock_);
    Ref<Process> find(i32 id) EXCLUDES(lock_);
    Ref<UserThread> find_thread(i32 id) EXCLUDES(lock_);
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
    /// The thread that is alone in its process takes the process's id.
    void become_leader(UserThread& thread) EXCLUDES(lock_);

    /// A child with something to report, and what. An ended one that is taken is out of the table. `has_children` says
    /// whether there was anything to wait for.
    struct Found {
        Ref<Process> child;
        int status = 0; ///< as wait4 reports it
    };
    Found find_child(Process& parent, const WaitFor& what, bool& has_children) EXCLUDES(lock_);

    Result<i32> start_session(Process& process, Ref<Session> session) EXCLUDES(lock_);
    Result<void> set_group(Process& caller, i32 id, i32 group) EXCLUDES(lock_);
    Ref<Session> find_session(i32 id) EXCLUDES(lock_);
    bool session_has_group(i32 session, i32 group) EXCLUDES(lock_);
    bool group_is_orphaned(i32 group) EXCLUDES(lock_);
    void child_changed(Process& process, const SignalInfo* info) EXCLUDES(lock_);
    unsigned for_each_in_group(i32 group, void (*f)(void*, Process&), void* context) EXCLUDES(lock_);
    void for_each(void (*f)(void*, Process&), void* context) EXCLUDES(lock_);
    void for_each_thread(Process& process, void (*f)(void*, UserThread&), void* context) EXCLUDES(lock_);

    int wait_for_init();
    /// Threads of all processes; zombies count one.
    unsigned count() const { return count_.load(kRelaxed); }

private:
    static constexpr i32 kMaxId = 1 << 22;

    static i32 id_of(const Process& process) { return process.id_; }
    static i32 group_of(const Process& process) { return process.group_id(); }
    static i32 thread_id_of(const UserThread& thread) { return thread.caller.thread_id; }
    static i32 session_of(const Session& session) { return session.id; }

    bool is_used_locked(i32 id) REQUIRES(lock_);
    void end_locked(Process& process, int status, const UserThread* except) REQUIRES(lock_);
    bool remove_thread_locked(UserThread& thread) REQUIRES(lock_);
    void take_out_locked(Process& process) REQUIRES(lock_);
    void wake_parent_locked(Process& process) REQUIRES(lock_);

    // retire.cpp
    Process* heir_locked(const Process& process) REQUIRES(lock_);
    bool report_end_locked(Process& zombie) REQUIRES(lock_);
    void release_orphaned_group_locked(i32 group, const Process& leaving) REQUIRES(lock_);
    void hand_over_children_locked(Process& process, List<Process, &Process::link_>& gone) REQUIRES(lock_);

    // wait.cpp
    int report_locked(Process& child, const WaitFor& what) REQUIRES(lock_);

    // groups.cpp
    void enter_session_locked(Process& process) REQUIRES(lock_);
    void leave_session_locked(Process& process) REQUIRES(lock_);
    bool orphaned_locked(i32 group, const Process* leaving) REQUIRES(lock_);

    Spinlock lock_{LockRank::ProcessTable};
    List<Process, &Process::link_> processes_ GUARDED_BY(lock_);
    IdHash<Process, &Process::id_next_, id_of, 256> by_id_ GUARDED_BY(lock_);
    IdHash<Process, &Process::group_next_, group_of, 256> by_group_ GUARDED_BY(lock_);
    IdHash<UserThread, &UserThread::hash_next, thread_id_of, 1024> threads_ GUARDED_BY(lock_);
    IdHash<Session, &Session::hash_next_, session_of, 64> sessions_ GUARDED_BY(lock_);
    i32 next_id_ GUARDED_BY(lock_) = 1;
    Atomic<u32> count_{0};
    Atomic<bool> init_ended_{false};
    int init_status_ = 0; // written before init_ended_
    WaitQueue init_waiters_;
};

/// The one table: every process must be found by its id from anywhere.
extern constinit ProcessTable process_table;

/// What the files of task/ change in a process outside the table's matters.
struct TaskAccess {
    static Ref<AddressSpace> exchange_space(Process& process, Ref<AddressSpace> space);
    static Ref<ProgramHold> exchange_hold(Process& process, Ref<ProgramHold> hold);
    static Ref<FileTable> exchange_files(Process& process, Ref<FileTable> files);
    static void drop_files(Process& process);
    static u32 child_events(const Process& process) { return process.child_events_.load(kAcquire); }
    /// Sleeps until child_events() is no longer `seen`.
    static Result<void> wait_for_child_event(Process& process, u32 seen);
    /// Before a vfork child runs, when it leaves its parent's space, and the parent's wait for that.
    static void begin_vfork(Process& child) { child.vfork_done_.store(false, kRelaxed); }
    static void end_vfork(Process& child);
    static Result<void> wait_for_vfork(Process& child);
    /// The process runs a new program: setpgid(2) of it by its parent is refused from now on.
    static void mark_executed(Process& process) { process.has_executed_.store(true, kRelaxed); }
    static void add_children_usage(Process& parent, const Usage& usage);
    static void add_thread_usage(Process& process, const Usage& usage);
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
