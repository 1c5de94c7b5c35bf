// The syscall pages of one thread and the rules of their entries. Executing them is the same code on the owner's core
// and on a worker core: a syscall thread, to which whoever executes lends its core, takes one entry after the other. If
// a call has to wait, that syscall thread stays behind with its entry, and the next one goes on with the page.
#pragma once

#include "api/flexsc.h"
#include "gate/flexsc/adaptive.h"
#include "gate/flexsc/statistics.h"
#include "lib/list.h"
#include "sched/scheduler.h"
#include "sched/wait_queue.h"
#include "task/process.h"

namespace tollgate::flexsc {

class Pages;

/// A page's submitted entries, as one core goes through them. On the stack of the thread that lends the core.
struct Batch {
    unsigned page;
    api::FlexscEntry* begin; ///< where the syscall thread has begun
    api::FlexscEntry* next;  ///< while a call runs: its entry; at the end: end
    api::FlexscEntry* end;
    u64 passed; ///< how many entries of [begin, next) were not executed

    /// Calls that the syscall thread has completed without waiting.
    u64 completed() const { return static_cast<u64>(next - begin) - passed; }
};

/// A kernel thread that executes calls in the owner's address space and as the owner. There are as many as calls that
/// wait, and one for each core that executes; they are made when they are wanted and go with the pages.
struct SyscallThread {
    explicit SyscallThread(Pages& of) : pages(of) {}
    Pages& pages;
    Ref<Thread> thread{};
    Batch* batch = nullptr;
    ListLink<SyscallThread> all_link{}, idle_link{};
};

class Pages : public RefCounted {
public:
    /// Errno::NoMem.
    static Result<Ref<Pages>> create(Caller& owner, unsigned count, api::FlexscPolicy policy, u64 spin_ns);
    ~Pages();

    u64 address() const { return address_; } ///< where user code finds them
    unsigned count() const { return count_; }
    u64 all() const { return (u64{1} << count_) - 1; } ///< bit n: page n, as in every mask below
    api::FlexscPolicy policy() const { return policy_; }
    u64 spin_ns() const { return spin_ns_; }
    AddressSpace* space() const { return space_.get(); }
    i32 owner_id() const { return owner_id_; }
    i32 process_id() const { return process_id_; }

    /// One core at a time executes a page.
    bool try_lock(unsigned page) {
        const u64 bit = u64{1} << page;
        return (locked_.load(kRelaxed) & bit) == 0 && (locked_.fetch_or(bit, kAcquire) & bit) == 0;
    }
    void unlock(unsigned page) { locked_.fetch_and(~(u64{1} << page), kRelease); }
    /// Executes what is Submitted in a page that the caller has locked, with the owner's space loaded; how many calls
    /// are Done now. `kept` is the syscall thread that the caller has in hand, if any, and has afterwards.
    u64 execute(unsigned page, SyscallThread*& kept);
    /// Gives up what execute() has kept.
    void give_up(SyscallThread*& kept);
    /// A core that is not the owner's has worked for it so long, under a page's lock.
    void charge(u64 ticks) { sched::charge(*payer_, ticks); }
    /// Calls have become Done on another thread than the owner's: wakes it.
    void completed(u64 calls);

    /// Those of the pages that have Submitted entries which may be executed.
    u64 submitted(u64 pages) const;
    u64 count(api::FlexscStatus status) const;
    bool is_executing() const { return locked_.load(kAcquire) != 0; }
    u64 waiting_calls() const { return waiting_count_.load(kAcquire); }

    // For the owner, in flexsc_wait().
    u64 take_completions();
    bool has_completions() const { return completions_.load(kAcquire) != reported_; }
    SyscallThread* own_thread = nullptr; ///< kept from one flexsc_wait() to the next
    WaitQueue done;
    Adaptive adaptive;
    u64 last_batch = 1; ///< how many became Done in the last flexsc_wait() of policy Adaptive

    // For workers: their place in the list, which pages somebody waits for, and whether workers look without being
    // asked.
    u64 serial = 0;
    Atomic<u64> wanted{0};
    Atomic<bool> polled{false};

    Statistics statistics;
    ListLink<Pages> link, served_link; ///< worker.cpp

    /// For the owner, as it leaves: waits until nobody executes any more and no call waits, and unmaps the pages.
    void withdraw();

private:
    template <class T, class... A>
    friend Result<Ref<T>> tollgate::make_ref(A&&...);
    Pages() = default;

    static void live(void* syscall_thread);
    bool is_waiting(const api::FlexscEntry& entry, unsigned page) const {
        return waiting_[page].load(kRelaxed) >> (&entry - entries_of(page)) & 1;
    }
    /// Executes the batch that it has been given. False: a call had to wait, and whoever lent the core is gone, with
    /// the batch.
    bool run(SyscallThread& self);
    template <bool kSomeWait>
    bool run_entries(SyscallThread& self, u64 waiting);
    void finish(SyscallThread& self, api::FlexscEntry& entry, unsigned page, i64 result);
    SyscallThread* take();
    Result<SyscallThread*> make_thread();
    api::FlexscEntry* entries_of(unsigned page) const { return frames_[page].data<api::FlexscEntry>(); }

    unsigned count_ = 0;
    u64 address_ = 0;
    api::FlexscPolicy policy_{};
    u64 spin_ns_ = 0;
    UserThread* owner_ = nullptr; // valid until withdraw() returns, and looked at by nobody afterwards
    Ref<Thread> payer_;           // the owner's, whose CPU time calls are
    i32 owner_id_ = 0, process_id_ = 0;
    Ref<AddressSpace> space_;
    Frame frames_[api::kFlexscMaxPages];

    Atomic<u64> locked_{0}; // by page
    // Entries whose call waits, by page. The core that has lent itself and the syscall thread that finishes flip a bit
    // once each, in any order.
    Atomic<u64> waiting_[api::kFlexscMaxPages] = {};
    Atomic<u64> waiting_count_{0};
    Atomic<u64> completions_{0}; // calls that became Done on another thread than the owner's
    u64 reported_ = 0;           // of these; the owner's own

    Spinlock lock_{LockRank::FlexscPage};
    List<SyscallThread, &SyscallThread::all_link> threads_ GUARDED_BY(lock_);
    List<SyscallThread, &SyscallThread::idle_link> idle_ GUARDED_BY(lock_);
};

} // namespace tollgate::flexsc
