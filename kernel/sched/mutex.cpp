// The contended case. A holder on another CPU is done soon, so we spin a while, serving TLB shootdowns, since it may
// wait for one; a holder on this CPU was descheduled in a page fault, so we give it the core.
#include "sched/mutex.h"

#include "cpu/tlb.h"
#include "cpu/x86.h"
#include "sched/scheduler.h"

namespace tollgate {

void Mutex::lock_slowly() {
    constexpr unsigned kSpins = 500;
    for (;;) {
        for (unsigned i = 0; i < kSpins && held_.load(kRelaxed) != 0; ++i) {
            tlb_service();
            x86::pause();
        }
        if (held_.exchange(1, kAcquire) == 0)
            return;
        sched::yield();
    }
}

} // namespace tollgate
