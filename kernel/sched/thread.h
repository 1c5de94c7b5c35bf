// A thread: a kernel stack, saved registers, FPU state and the core it lives on. User threads also have a Caller,
// kernel threads do not.
#pragma once

#include "cpu/trap_frame.h"
#include "cpu/user_bases.h"
#include "lib/atomic.h"
#include "lib/list.h"
#include "lib/ref.h"
#include "mem/address_space.h"
#include "mem/kernel_stack.h"
#include "sched/wait_queue.h"

namespace tollgate {

class Scheduler;

/// New: not started yet. It may be told of signals and its end already, and looks when it first runs.
enum class ThreadState : u32 { New, Ready, Running, Blocked, Dead };

class Thread : public RefCounted {
public:
    /// A thread that will run entry(argument) in the kernel and must end by sched::exit_current(). Errno::NoMem.
    /// `name` must outlive it.
    static Result<Ref<Thread>> create(const char* name, void (*entry)(void*), void* argument);

    StringView name() const { return name_; }
    /// The frame at the top of the kernel stack, where user registers are saved.
    TrapFrame& user_frame() { return *reinterpret_cast<TrapFrame*>(stack_.top().value() - sizeof(TrapFrame)); }
    KernelStack& stack() { return stack_; }
    /// For /proc: old as soon as it is read.
    ThreadState state() const { return state_.load(kRelaxed); }
    bool is_killed() const { return killed_.load(kRelaxed); }
    /// A signal waits for this thread; set by sched::interrupt(), cleared by the thread when it has looked.
    bool is_interrupted() const { return interrupted_.load(kRelaxed); }
    void clear_interrupted() { interrupted_.store(false, kSeqCst); }
    bool wait_is_over(WaitMode mode) const {
        return (is_killed() && mode != WaitMode::Uninterruptible) ||
               (mode == WaitMode::Interruptible && is_interrupted());
    }

    /// Gives it a space, or none; loads it at once if this is the current thread.
    void set_space(Ref<AddressSpace> space);
    AddressSpace* space() const { return space_.get(); }

    /// It runs on a core that another thread has lent it (sched::lend()) and has not waited since. Own thread only.
    bool is_lent() const { return lender_ != nullptr; }

    Caller* caller = nullptr;          ///< what system calls of this thread act for; null for kernel threads
    u64 fs_base = 0, user_gs_base = 0; ///< valid while the thread does not run
    UserSelectors selectors{};         ///< likewise
    Frame fpu; ///< user threads: the vector registers, saved while it does not run; empty for kernel threads

private:
    friend class Scheduler;
    friend struct SleepTimer;
    friend class WaitQueue;
    template <class T, class... Args>
    friend Result<Ref<T>> make_ref(Args&&...);
    Thread(const char* name, KernelStack stack) : name_(name), stack_(std::move(stack)) {}

    StringView name_;
    KernelStack stack_;
    u64 saved_rsp_ = 0; // valid while the thread does not run
    Ref<AddressSpace> space_;
    Atomic<ThreadState> state_{ThreadState::New};
    Atomic<bool> killed_{false};
    Atomic<bool> interrupted_{false};
    Atomic<unsigned> cpu_{0}; // the only core that may run it; changes only while no core does, see balance.cpp
    Atomic<u64> affinity_{~u64{0}};
    Atomic<bool> on_core_{false}; // a core runs it or has not yet left its stack: no other may take it
    Deadline wake_at_ = kNoDeadline;
    bool timed_out_ = false;
    Thread* lender_ = nullptr; // who has lent it the core; changes on that core only
    bool given_back_ = false;  // how the last thread that it lent its core to has left it
    bool urgent_ = false; // goes before ordinary threads: a worker, and what goes on after a worker has lent its core
    u32 kept_work_ = 0;   // Cpu::work bits that belong to this thread, while it does not run
    ListLink<Thread> run_link_;
    // CPU time, as TSC ticks, written by the core that runs it: up to the last switch away, and since when it runs (0:
    // it does not). Timer interrupts sample which half of the machine they meet.
    Atomic<u64> cpu_ticks_{0}, running_since_{0};
    Atomic<u32> user_samples_{0}, kernel_samples_{0};
    Atomic<u64> others_ticks_{0}; // what other threads have run for it
};

} // namespace tollgate
