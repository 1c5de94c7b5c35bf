// The lock itself: test and test-and-set with PAUSE, rank check, and service of TLB shootdowns while it spins (a holder
// may be waiting for this very CPU to flush).
#include "sync/spinlock.h"

#include "cpu/tlb.h"
#include "lib/assert.h"

namespace tollgate {

void Spinlock::acquire() NO_THREAD_SAFETY_ANALYSIS {
    Cpu& cpu = this_cpu();
    const u32 bit = u32{1} << static_cast<u32>(rank_);
    ASSERT(cpu.in_panic || cpu.lock_ranks < bit); // lock order: a lock of this or a higher rank is already held
    // Acquire pairs with the release in release(): what the last holder wrote is visible.
    while (held_.exchange(1, kAcquire) != 0) {
        while (held_.load(kRelaxed) != 0) {
            tlb_service();
            x86::pause();
        }
    }
    cpu.lock_ranks |= bit;
}

void Spinlock::release() NO_THREAD_SAFETY_ANALYSIS {
    this_cpu().lock_ranks &= ~(u32{1} << static_cast<u32>(rank_));
    held_.store(0, kRelease);
}

} // namespace tollgate
