// What the calls of one thread's pages have amounted to, for /proc/tollgate/flexsc. Relaxed counters: whoever reads
// them wants no exact sum.
#pragma once

#include "lib/atomic.h"
#include "lib/types.h"

namespace tollgate::flexsc {

struct Statistics {
    /// Batches by size: 1, 2 to 3, 4 to 7, ... 512.
    static constexpr unsigned kSizes = 10;
    struct Side {
        Atomic<u64> calls{0}, batches{0};
        Atomic<u64> sizes[kSizes] = {};
        void add(u64 count) {
            calls.fetch_add(count, kRelaxed);
            batches.fetch_add(1, kRelaxed);
            sizes[63 - static_cast<unsigned>(__builtin_clzll(count))].fetch_add(1, kRelaxed);
        }
    };
    Side own, worker;        ///< calls that did not wait, by where they ran
    Atomic<u64> waited{0};   ///< calls that did
    Atomic<u64> waits{0};    ///< flexsc_wait()
    Atomic<u64> sleeps{0};   ///< of these, those that slept
    Atomic<u64> wakes{0};    ///< workers woken by an IPI
    Atomic<u64> watchdog{0}; ///< times that no worker answered
};

} // namespace tollgate::flexsc
