// A process: its address space, files, threads, parent and children, and how it ends. The table of processes is one
// list with one lock (process_table.h); zombies stay in it until their parent waits for them.
#pragma once

#include "lib/fixed_string.h"
#include "sched/scheduler.h"
#include "task/exec_strings.h"
#include "task/file.h"
#include "task/signal.h"

namespace tollgate {

class Process;
class ProcessTable;
struct UserThread;

/// What a system call acts for, whatever gate it came through. Lives in UserThread; whoever keeps a reference beyond
/// the call keeps a Ref<UserThread> too.
struct Caller {
    Process* process;    ///< the process
    Thread* thread;      ///< the thread that made or submitted the call; not necessarily the one that executes it
    AddressSpace* space; ///< == process->space(); loaded while a handler runs
    FileTable* files;
    i32 thread_id;     ///< gettid(2)
    UserThread* owner; ///< what this lies in
};

/// A thread of a process: the scheduler's thread, its identity, and what Linux keeps per thread. Its first count
/// belongs to the thread itself, which drops it when it ends.
struct UserThread : RefCounted {
    Ref<Thread> thread;
    Caller caller{};
    Ref<Process> process;
    u64 clear_child_tid = 0; ///< set_tid_address(2): zeroed and futex-woken at exit
    ThreadSignals signals;
    ListLink<UserThread> link;
};

class Process : public RefCounted {
public:
    /// A new process without threads, with an id and a place in the table. `parent` is null for the first one, init.
    static Result<Ref<Process>> create(StringView name, Process* parent, Ref<AddressSpace> space, Ref<FileTable> files);
    ~Process() = default;

    i32 id() const { return id_; }
    i32 parent_id() const { return parent_id_.load(kRelaxed); }
    StringView name() const { return name_.view(); }
    /// Empty once the process has ended.
    Ref<AddressSpace> space() const;
    Ref<FileTable> files() const;
    bool dying() const { return dying_.load(kAcquire); }
    /// Threads that have not ended.
    unsigned thread_count() const { return thread_count_.load(kRelaxed); }

    FixedString<64> name_;
    FixedString<256> executable_; ///< path, for /proc/self/exe
    ProcessSignals signals;
    void* flexsc_state = nullptr; ///< the FlexSC gate's; set once, taken away by Hooks::process_exiting

private:
    friend class ProcessTable;
    friend struct TaskAccess;
    template <class T, class... A>
    friend Result<Ref<T>> make_ref(A&&...);
    Process() = default;

    i32 id_ = 0;
    Atomic<i32> parent_id_{0};

    mutable Spinlock lock_{LockRank::Process};
    Ref<AddressSpace> space_ GUARDED_BY(lock_);
    Ref<FileTable> files_ GUARDED_BY(lock_);

    // The rest is written under the table's lock.
    Atomic<bool> dying_{false};
    int exit_status_ = 0; // as wait4 reports it; set once, by whoever sets dying_
    bool zombie_ = false;
    bool replacing_ = false; // one of its threads is in execve and waits for the others to end
    List<UserThread, &UserThread::link> threads_;
    Atomic<unsigned> thread_count_{0};
    ListLink<Process> link_;

    Atomic<u32> child_events_{0}; // counts its children's ends; waits look for a change
    WaitQueue children_;
    WaitQueue threads_gone_;        // execve waits here for thread_count_ == 1
    Atomic<bool> vfork_done_{true}; // false while a vfork parent lends its address space
    WaitQueue vfork_;
};

namespace task {

/// wait4 status words [man 2 wait]
constexpr int exited(int code) { return (code & 0xff) << 8; }
constexpr int killed_by(int signal) { return signal & 0x7f; }
inline constexpr int kSigIll = 4, kSigTrap = 5, kSigAbort = 6, kSigBus = 7, kSigFpe = 8, kSigKill = 9, kSigSegv = 11;
inline constexpr int kSigTerm = 15, kSigChild = 17;

/// Reads the file at `path`, builds a space from it and starts a process. Used for init. Arguments and environment are
/// kernel strings.
Result<Ref<Process>> spawn(Ref<File> program, StringView path, std::span<const StringView> arguments,
                           std::span<const StringView> environment, Ref<FileTable> files);
/// execve(2) of the calling thread's process. On success the user frame is the new program's and other threads are
/// gone; the handler returns 0. An error leaves the old program as it was (or, with Errno::Intr, on its way out).
Result<void> exec(Caller& caller, Ref<File> program, StringView path, const ExecStrings& strings);

/// clone(2) flags that work: a thread (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
/// CLONE_SYSVSEM, with SETTLS, PARENT_SETTID, CHILD_CLEARTID, CHILD_SETTID, DETACHED), or vfork (CLONE_VM |
/// CLONE_VFORK, exit signal SIGCHLD). Everything else is Errno::NoSys. Returns the new id (in the parent).
struct CloneArguments {
    u64 flags, stack, parent_tid, child_tid, tls;
};
inline constexpr u64 kCloneVm = 0x100, kCloneFs = 0x200, kCloneFiles = 0x400, kCloneSigHand = 0x800,
                     kCloneVfork = 0x4000;
inline constexpr u64 kCloneThread = 0x10000, kCloneSysVSem = 0x40000, kCloneSetTls = 0x80000,
                     kCloneParentSetTid = 0x100000;
inline constexpr u64 kCloneChildClearTid = 0x200000, kCloneDetached = 0x400000, kCloneChildSetTid = 0x1000000;
/// What vfork(2) is.
inline constexpr CloneArguments kVforkArguments{kCloneVm | kCloneVfork | u64{kSigChild}, 0, 0, 0, 0};
Result<i32> clone(Caller& caller, const CloneArguments& arguments);

/// Ends the calling thread (exit) or its whole process (exit_group); never return.
[[noreturn]] void exit_thread(Caller& caller, int code);
[[noreturn]] void exit_process(Caller& caller, int wait_status);
/// Ends any process: marks it, kills its threads. `wait_status` as in wait4.
void kill_process(Process& process, int wait_status);
[[noreturn]] void end_killed_thread();
/// What a thread does about itself before it returns to user code: ends if it is being killed, stops, and delivers its
/// signals, which edits the frame.
void thread_work(TrapFrame& frame);
/// A fault of the running user thread that nothing resolved: one line in the log, and the end of the process by that
/// signal. `address` is what was touched, if the fault has an address. Runs on the thread's own kernel stack.
[[noreturn]] void user_fault(const TrapFrame& frame, int signal, const char* why, u64 address = 0);

/// By id; empty if there is none. Zombies count.
Ref<Process> find(i32 id);
/// The process with the lowest id above `after`; empty at the end. For /proc.
Ref<Process> next_process(i32 after);
/// wait4(2) without rusage: pid > 0 or -1; options WNOHANG = 1. Returns the id (0 with WNOHANG if none ended) and its
/// status.
struct Waited {
    i32 id;
    int status;
};
inline constexpr int kWaitNoHang = 1;
Result<Waited> wait_for_child(Caller& caller, i32 id, int options);
/// The identity of the thread that runs on this CPU; null on kernel threads. For the fault path, never for handlers.
UserThread* current_user_thread();
/// Waits until init has ended; its wait status.
int wait_for_init();

/// What gates and main.cpp hang on life-cycle events.
struct Hooks {
    /// exec and spawn: gives a new space, not loaded yet, its fastcall table.
    Result<void> (*space_created)(AddressSpace&) = nullptr;
    /// exec and spawn: maps the vDSO into a new space; where its ELF header is, for AT_SYSINFO_EHDR.
    Result<u64> (*map_vdso)(AddressSpace&) = nullptr;
    /// The process is about to leave its space, which is loaded, by exit or by execve: FlexSC pages are withdrawn, and
    /// nobody executes calls for it any more when this returns. No other thread of the process runs. May be called
    /// twice.
    void (*process_exiting)(Process&) = nullptr;
    /// Wakes one futex waiter at an address of the caller's space, for CLONE_CHILD_CLEARTID; the word there is 0
    /// already.
    void (*wake_futex)(Caller&, u64 address) = nullptr;
};
/// Called once, before the first process starts.
void set_hooks(const Hooks& hooks);

} // namespace task
} // namespace tollgate
