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
    WaitQueue,
    Watcher, ///< the wait queue of somebody who watches other queues
    RunQueue,
    Heap,
    Frames,
    Shootdown,
    Log,
};

class CAPABILITY("spinlock") Spinlock {
public:
    constexpr explicit Spinlock(LockRank rank) : rank_(rank) {}
    Spinlock(const Spinlock&) = delete;
    Spinlock& operator=(const Spinlock&) = delete;

    LockRank rank() const { return rank_; }

private:
    friend class Guard;
    friend class Unguard;
    void acquire();
    void release();

    Atomic<u32> held_{0};
    LockRank rank_;
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
