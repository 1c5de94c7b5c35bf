// What the calls of one thread's pages have amounted to, for /proc/tollgate/flexsc. Relaxed counters: whoever reads
// them wants no exact sum.
#pragma once

#include "lib/atomic.h"
#include "lib/types.h"

namespace tollgate::flexsc {

/// For a counter that one thread alone changes: no locked instruction.
inline void add_alone(Atomic<u64>& counter, u64 value) { counter.store(counter.load(kRelaxed) + value, kRelaxed); }

struct Statistics {
    /// Batches by size: 1, 2 to 3, 4 to 7, ... 512.
    static constexpr unsigned kSizes = 10;
    struct Side {
        Atomic<u64> calls{0}, batches{0};
        Atomic<u64> sizes[kSizes] = {};
        void add(u64 count) {
            calls.fetch_add(count, kRelaxed);
            batches.fetch_add(1, kRelaxed);
            sizes[size_class(count)].fetch_add(1, kRelaxed);
        }
        void add_alone(u64 count) {
            flexsc::add_alone(calls, count);
            flexsc::add_alone(batches, 1);
            flexsc::add_alone(sizes[size_class(count)], 1);
        }
        static unsigned size_class(u64 count) { return 63 - static_cast<unsigned>(__builtin_clzll(count)); }
    };
    Side own, worker;        ///< calls that did not wait, by where they ran; `own` is the owner's alone
    Atomic<u64> waited{0};   ///< calls that did
    Atomic<u64> waits{0};    ///< flexsc_wait(); the owner's alone
    Atomic<u64> sleeps{0};   ///< of these, those that slept; likewise
    Atomic<u64> wakes{0};    ///< workers woken by an IPI
    Atomic<u64> watchdog{0}; ///< times that no worker answered
};

} // namespace tollgate::flexsc
