// The slow halves of the lock: waiting for it, with PAUSE and service of TLB shootdowns (a holder may be waiting for
// this very CPU to flush), and a broken lock order.
#include "sync/spinlock.h"

#include "cpu/tlb.h"
#include "lib/assert.h"

namespace tollgate {

void Spinlock::spin() NO_THREAD_SAFETY_ANALYSIS {
    do {
        while (held_.load(kRelaxed) != 0) {
            tlb_service();
            x86::pause();
        }
    } while (held_.exchange(1, kAcquire) != 0);
}

void Spinlock::wrong_order() {
    ASSERT(this_cpu().in_panic); // lock order: a lock of this or a higher rank is already held
}

} // namespace tollgate
