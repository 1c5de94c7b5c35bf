// Spinlock and Guard. A Guard also keeps interrupts off, so that a lock may be taken from interrupt handlers; it
// restores what it found. Every lock has a rank; taking one of a lower or equal rank than a lock already held is a
// panic.
#pragma once

#include "cpu/cpu.h"
#include "lib/atomic.h"
#include "sync/annotations.h"

namespace tollgate {

/// Lock order: a lock may be taken while only locks of lower value are held.
enum class LockRank : u8 {
    ProcessTable = 1,
    Process,
    Signals,
    FileTable,
    Tree, ///< names of the file tree
    File,
    AddressSpace,
    MemoryObject,
    Fastcall,
    Flexsc,
    FlexscPage,
    KernelSpace,
    Futex,
    Terminal,
    Clock,
    WaitQueue,
    EpollNest,  ///< who watches an epoll instance
    EpollReady, ///< what is ready in one
    Watcher,    ///< the wait queue of somebody who watches other queues
    Poller,     ///< the wait queue of a poll(2), which may watch a Watcher's
    Timer,
    RunQueue,
    Heap,
    Frames,
    Shootdown,
    Log,
};

class CAPABILITY("spinlock") Spinlock {
public:
    constexpr explicit Spinlock(LockRank rank) : rank_bit_(u32{1} << static_cast<u32>(rank)) {}
    Spinlock(const Spinlock&) = delete;
    Spinlock& operator=(const Spinlock&) = delete;

    /// Whether anybody holds it. Acquire: if not, then all that former holders did is visible.
    bool is_held() const { return held_.load(kAcquire) != 0; }

private:
    friend class Guard;
    friend class Unguard;
    friend class PairGuard;
    friend class QuietGuard;
    // Inline: every wake and every switch takes some.
    void acquire() NO_THREAD_SAFETY_ANALYSIS {
        u32 held_ranks;
        asm volatile("movl %%gs:%c1, %0" : "=r"(held_ranks) : "i"(__builtin_offsetof(Cpu, lock_ranks)));
        if (held_ranks >= rank_bit_) [[unlikely]]
            wrong_order();
        // Acquire pairs with the release in release(): what the last holder wrote is visible.
        if (held_.exchange(1, kAcquire) != 0) [[unlikely]]
            spin();
        asm volatile("orl %0, %%gs:%c1" ::"r"(rank_bit_), "i"(__builtin_offsetof(Cpu, lock_ranks)) : "memory", "cc");
    }
    void release() NO_THREAD_SAFETY_ANALYSIS {
        asm volatile("andl %0, %%gs:%c1" ::"r"(~rank_bit_), "i"(__builtin_offsetof(Cpu, lock_ranks)) : "memory", "cc");
        held_.store(0, kRelease);
    }
    void spin();
    static void wrong_order();

    Atomic<u32> held_{0};
    const u32 rank_bit_;
};

/// Holds a Spinlock for a scope, with interrupts off.
class SCOPED_CAPABILITY Guard {
public:
    explicit Guard(Spinlock& lock) ACQUIRE(lock) : lock_(lock), interrupts_(x86::irq_save()) { lock_.acquire(); }
    ~Guard() RELEASE() {
        lock_.release();
        x86::irq_restore(interrupts_);
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

private:
    Spinlock& lock_;
    bool interrupts_;
};

/// The same where interrupts are off already, until after it: spares asking.
class SCOPED_CAPABILITY QuietGuard {
public:
    explicit QuietGuard(Spinlock& lock) ACQUIRE(lock) : lock_(lock) { lock_.acquire(); }
    ~QuietGuard() RELEASE() { lock_.release(); }
    QuietGuard(const QuietGuard&) = delete;
    QuietGuard& operator=(const QuietGuard&) = delete;

private:
    Spinlock& lock_;
};

/// Holds two locks of one rank, or one lock named twice: the one at the lower address is taken first.
class PairGuard {
public:
    PairGuard(Spinlock& a, Spinlock& b) NO_THREAD_SAFETY_ANALYSIS : first_(&a < &b ? a : b),
                                                                    second_(&a < &b ? b : a),
                                                                    interrupts_(x86::irq_save()) {
        first_.acquire();
        if (&first_ != &second_ && second_.held_.exchange(1, kAcquire) != 0) // in address order: no rank to check
            second_.spin();
    }
    ~PairGuard() NO_THREAD_SAFETY_ANALYSIS {
        if (&first_ != &second_)
            second_.held_.store(0, kRelease);
        first_.release();
        x86::irq_restore(interrupts_);
    }
    PairGuard(const PairGuard&) = delete;
    PairGuard& operator=(const PairGuard&) = delete;

private:
    Spinlock& first_;
    Spinlock& second_;
    bool interrupts_;
};

/// Keeps interrupts off for a scope.
class InterruptGuard {
public:
    InterruptGuard() : interrupts_(x86::irq_save()) {}
    ~InterruptGuard() { x86::irq_restore(interrupts_); }
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;

private:
    bool interrupts_;
};

} // namespace tollgate
