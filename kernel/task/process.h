// A process: its address space, files, threads, parent and children, and how it ends. The table of processes is one
// list with one lock (process_table.h); zombies stay in it until their parent waits for them.
#pragma once

#include "lib/fixed_string.h"
#include "sched/scheduler.h"
#include "task/clone_flags.h"
#include "task/credentials.h"
#include "task/exec_strings.h"
#include "task/file.h"
#include "task/fs_context.h"
#include "task/limits.h"
#include "task/session.h"
#include "task/signal.h"
#include "task/usage.h"

namespace tollgate {

class Process;
class ProcessTable;
struct UserThread;

/// What a child is waited for with [man 2 waitid].
struct WaitFor {
    enum class Who : u8 { Any, Id, Group };
    Who who = Who::Any;
    i32 id = 0; ///< of the child or the group
    bool exited = true, stopped = false, continued = false;
    bool take = true;             ///< false: WNOWAIT, the child stays as it is
    bool may_not_wait = false;    ///< WNOHANG
    bool clones_only = false;     ///< __WCLONE: only children whose end is told by another signal than SIGCHLD
    bool any_exit_signal = false; ///< __WALL
};

/// What a system call acts for, whatever gate it came through. Lives in UserThread; whoever keeps a reference beyond
/// the call keeps a Ref<UserThread> too.
struct Caller {
    Process* process;    ///< the process
    Thread* thread;      ///< the thread that made or submitted the call; not necessarily the one that executes it
    AddressSpace* space; ///< == process->space(); loaded while a handler runs
    FileTable* files;
    i32 thread_id;     ///< gettid(2)
    UserThread* owner; ///< what this lies in
    FsContext* fs = nullptr;
};

/// A call with a span of time that was interrupted, and no handler has run: made again it would wait the whole span
/// once more. So restart_syscall(2) is made in its place, and goes on with the deadline that is kept here.
struct CallToRestart {
    using Again = Result<u64> (*)(Caller&, const u64* arguments);
    Again again = nullptr; ///< null: there is none
    u64 arguments[4] = {};
};

/// A thread of a process: the scheduler's thread, its identity, and what Linux keeps per thread. Its first count
/// belongs to the thread itself, which drops it when it ends.
struct UserThread : RefCounted {
    Ref<Thread> thread;
    Caller caller{};
    Ref<Process> process;
    u64 clear_child_tid = 0;      ///< set_tid_address(2): zeroed and futex-woken at exit
    u64 set_child_tid = 0;        ///< CLONE_CHILD_SETTID: where it writes its id before it runs
    u64 robust_list = 0;          ///< set_robust_list(2): walked when the thread ends
    Atomic<u32> policy{0};        ///< sched_setscheduler(2), remembered only
    Atomic<i32> priority{0};      ///< likewise
    FixedString<15> name;         ///< PR_SET_NAME; its own thread writes it
    void* flexsc_pages = nullptr; ///< the FlexSC gate's; its own thread writes it, Hooks::withdraw_pages takes it away
    ThreadSignals signals;
    CallToRestart restart;           ///< its own thread's
    ListLink<UserThread> link;       ///< in its process
    UserThread* hash_next = nullptr; ///< in the process table
};

class Process : public RefCounted {
public:
    /// What a process has of its own, or shares with those that clone(2) made.
    struct Holdings {
        Ref<AddressSpace> space;
        Ref<FileTable> files;
        Ref<FsContext> fs;
    };
    /// A new process without threads, with an id and a place in the table: `creator`'s copy, but for its holdings,
    /// and `parent`'s child. Both are null for the first one, init.
    static Result<Ref<Process>> create(StringView name, Process* creator, Process* parent, Holdings holdings);
    ~Process() = default;

    i32 id() const { return id_; }
    i32 parent_id() const { return parent_id_.load(kRelaxed); }
    i32 group_id() const { return group_id_.load(kRelaxed); }
    i32 session_id() const { return session_id_.load(kRelaxed); }
    Ref<Session> session() const;
    StringView name() const { return name_.view(); }
    /// Empty once the process has ended.
    Ref<AddressSpace> space() const;
    Ref<FileTable> files() const;
    Ref<FsContext> fs() const;
    bool dying() const { return dying_.load(kAcquire); }
    /// Ended, and not waited for yet.
    bool is_zombie() const { return zombie_.load(kAcquire); }
    /// Threads that have not ended.
    unsigned thread_count() const { return thread_count_.load(kRelaxed); }
    /// What it has used so far, its ended threads included; and what the children have that it has waited for.
    Usage usage() const;
    Usage children_usage() const;

    FixedString<64> name_;
    FixedString<256> executable_; ///< path, for /proc/self/exe
    Ref<ProgramHold> program_hold_;
    Credentials credentials;
    Limits limits;
    ProcessSignals signals;
    Atomic<u32> flexsc_registrations{0}; ///< threads that have syscall pages
    u64 start_time_ns = 0;               ///< monotonic
    Atomic<u64> start_stack{0};          ///< where its program found argc; for /proc
    i32 exit_signal = 17;                ///< what its parent gets when it ends; 0: nothing
    Atomic<u32> personality{0};          ///< personality(2); inherited
    Atomic<i32> parent_death_signal{0};  ///< PR_SET_PDEATHSIG; not inherited
    Atomic<bool> dumpable{true};         ///< PR_SET_DUMPABLE
    Atomic<bool> no_new_privileges{false};
    Atomic<bool> adopts_orphans{false}; ///< PR_SET_CHILD_SUBREAPER; not inherited
    Atomic<i32> nice{0};

private:
    friend class ProcessTable;
    friend struct TaskAccess;
    template <class T, class... A>
    friend Result<Ref<T>> make_ref(A&&...);
    Process() = default;
    /// What fork hands on, but for space and files.
    void inherit(const Process& parent);

    i32 id_ = 0;
    Atomic<i32> parent_id_{0}, group_id_{0}, session_id_{0};

    mutable Spinlock lock_{LockRank::Process};
    Ref<AddressSpace> space_ GUARDED_BY(lock_);
    Ref<FileTable> files_ GUARDED_BY(lock_);
    Ref<FsContext> fs_ GUARDED_BY(lock_);
    Ref<Session> session_ GUARDED_BY(lock_);
    Usage children_usage_ GUARDED_BY(lock_); // of those that have been waited for
    Usage ended_threads_ GUARDED_BY(lock_);

    // The rest is written under the table's lock.
    Atomic<bool> dying_{false};
    int exit_status_ = 0; // as wait4 reports it; set once, by whoever sets dying_
    Atomic<bool> zombie_{false};
    bool replacing_ = false;           // one of its threads is in execve and waits for the others to end
    Atomic<bool> has_executed_{false}; // since its fork: setpgid of it is refused
    List<UserThread, &UserThread::link> threads_;
    Atomic<unsigned> thread_count_{0};
    ListLink<Process> link_;       // in the table's list of all
    ListLink<Process> child_link_; // in its parent's children_list_
    Process* parent_ = nullptr;
    Process* id_next_ = nullptr; // chains of the table's hashes
    Process* group_next_ = nullptr;

    Atomic<u32> child_events_{0}; // counts what wait could report of its children; waits look for a change
    WaitQueue children_;
    WaitQueue threads_gone_;        // execve waits here for thread_count_ == 1
    Atomic<bool> vfork_done_{true}; // false while a vfork parent lends its address space
    WaitQueue vfork_;

    // Those that can still be waited for, zombies included. Behind child_link_, which it names.
    List<Process, &Process::child_link_> children_list_;
};

namespace task {

/// wait4 status words [man 2 wait]
constexpr int exited(int code) { return (code & 0xff) << 8; }
constexpr int killed_by(int signal) { return signal & 0x7f; }
inline constexpr int kSigIll = 4, kSigTrap = 5, kSigAbort = 6, kSigBus = 7, kSigFpe = 8, kSigKill = 9, kSigSegv = 11;
inline constexpr int kSigHangUp = 1, kSigTerm = 15, kSigChild = 17, kSigContinue = 18;

/// Starts init from the file at `path`. Arguments and environment are kernel strings. Errors as of execve(2).
Result<Ref<Process>> spawn(StringView path, std::span<const StringView> arguments,
                           std::span<const StringView> environment, Ref<FileTable> files);
/// execve(2) of the calling thread's process. `path` is what the new program will find as its name (AT_EXECFN). On
/// success the user frame is the new program's and other threads are gone; the handler returns 0. An error leaves the
/// old program as it was (or on its way out).
Result<void> exec(Caller& caller, Ref<File> program, StringView path, ExecStrings& strings);

/// clone(2), fork and vfork included: what task/clone_flags.h says. Returns the new id (in the parent). Errors: Inval,
/// Perm, Again (RLIMIT_NPROC, or the machine is full), NoMem; RestartSys if the caller is being killed.
Result<i32> clone(Caller& caller, const CloneArguments& arguments);
/// What fork(2) and vfork(2) are.
inline constexpr CloneArguments kForkArguments{.exit_signal = kSigChild};
inline constexpr CloneArguments kVforkArguments{.flags = kCloneVm | kCloneVfork, .exit_signal = kSigChild};

/// Ends the calling thread (exit) or its whole process (exit_group); never return.
[[noreturn]] void exit_thread(Caller& caller, int code);
[[noreturn]] void exit_process(Caller& caller, int wait_status);
/// Ends any process: marks it, kills its threads. `wait_status` as in wait4.
void kill_process(Process& process, int wait_status);
[[noreturn]] void end_killed_thread();
/// What a thread does about itself before it returns to user code: ends if it is being killed, stops, and delivers its
/// signals, which edits the frame.
void thread_work(TrapFrame& frame);
/// An exception of user code that nothing resolved, and, for a page fault, why: becomes a signal.
void raise_exception(TrapFrame& frame, u64 address, FaultOutcome outcome);
/// A fault of the running user thread that nothing resolved: one line in the log, and the end of the process by that
/// signal. `address` is what was touched, if the fault has an address. Runs on the thread's own kernel stack.
[[noreturn]] void user_fault(const TrapFrame& frame, int signal, const char* why, u64 address = 0);

/// By id; empty if there is none. Zombies count.
Ref<Process> find(i32 id);
/// The process with the lowest id above `after`; empty at the end. For /proc.
Ref<Process> next_process(i32 after);
/// Calls f(Process&) for every process of the group that has not ended; how many there are. Under the table's lock: f
/// does not sleep, and takes only locks of higher rank. Sending a signal may be done there.
unsigned for_each_in_group_erased(i32 group, void (*f)(void*, Process&), void* context);
template <class F>
unsigned for_each_in_group(i32 group, F&& f) {
    return for_each_in_group_erased(
        group, [](void* c, Process& process) { (*static_cast<std::remove_reference_t<F>*>(c))(process); }, &f);
}
/// The same for every process there is, zombies included.
void for_each_process_erased(void (*f)(void*, Process&), void* context);
template <class F>
void for_each_process(F&& f) {
    for_each_process_erased([](void* c, Process& process) { (*static_cast<std::remove_reference_t<F>*>(c))(process); },
                            &f);
}
/// The same for every thread of the process that has not ended.
void for_each_thread_erased(Process& process, void (*f)(void*, UserThread&), void* context);
template <class F>
void for_each_thread(Process& process, F&& f) {
    for_each_thread_erased(
        process, [](void* c, UserThread& thread) { (*static_cast<std::remove_reference_t<F>*>(c))(thread); }, &f);
}
Usage thread_usage(const UserThread& thread);
/// A thread of any process by its id; empty if there is none.
Ref<UserThread> find_thread(i32 id);

/// setsid(2): a new session and group with the caller's id. Errno::Perm if it leads a group already.
Result<i32> start_session(Process& process);
/// setpgid(2) of the process `id`, itself or a child. Errors: Inval, Srch, Perm, Access.
Result<void> set_group(Process& caller, i32 id, i32 group);
/// The session with this id; empty if no process is in it.
Ref<Session> find_session(i32 id);
/// Whether the group has a member in that session.
bool session_has_group(i32 session, i32 group);
/// Whether no member of the group has a parent outside of it in the same session: nobody could continue it.
bool group_is_orphaned(i32 group);
/// The process has stopped or goes on: its parent's wait looks again. `signal` tells the parent, 0: nothing does.
/// Called without locks.
void child_changed(Process& process, const SignalInfo* signal);

/// wait4(2) and waitid(2): a child that has something to report, and what. With WNOHANG `id` is 0 if there is none.
/// Errors: Child, RestartSys.
struct Waited {
    i32 id = 0;
    int status = 0; ///< as wait4 reports it
    u32 user = 0;   ///< the child's real one
    Usage usage{};  ///< the child's, with that of its own children
};
Result<Waited> wait_for_child(Caller& caller, const WaitFor& what);
/// The identity of the thread that runs on this CPU; null on kernel threads. For the fault path, never for handlers.
UserThread* current_user_thread();
/// Waits until init has ended; its wait status.
int wait_for_init();

/// Threads of all processes; a zombie counts one.
unsigned thread_total();

/// What gates and main.cpp hang on life-cycle events.
struct Hooks {
    /// The root and current directory of the first process; the others' are copies of their parents'.
    Result<Ref<FsContext>> (*first_fs_context)() = nullptr;
    /// A file to be executed, from the root or the caller's current directory. Errors: Access, and those of open(2).
    Result<Ref<File>> (*open_program)(const Caller*, StringView path) = nullptr;
    /// The absolute path of a file, for /proc/PID/exe; false if it has none.
    bool (*write_path)(const Caller*, File&, Sink&) = nullptr;
    /// Fills in random bytes.
    void (*random)(void* to, u64 size) = nullptr;
    /// exec and spawn: maps the vDSO into a new space; where its ELF header is, for AT_SYSINFO_EHDR.
    Result<u64> (*map_vdso)(AddressSpace&) = nullptr;
    /// The calling thread, which has flexsc_pages, is about to leave its space by exit or by execve: they are
    /// withdrawn, and nobody executes calls for it any more when this returns.
    void (*withdraw_pages)(UserThread&) = nullptr;
    /// Wakes one futex waiter at an address of the caller's space, for CLONE_CHILD_CLEARTID; the word there is 0
    /// already.
    void (*wake_futex)(Caller&, u64 address) = nullptr;
    /// The thread leaves its space, by exit or execve, and has a robust list.
    void (*release_robust_list)(Caller&) = nullptr;
};
/// Called once, before the first process starts.
void set_hooks(const Hooks& hooks);
/// Whether programs, their stacks and their mappings lie at random addresses. Called once at boot.
void set_address_randomisation(bool on);

} // namespace task
} // namespace tollgate
