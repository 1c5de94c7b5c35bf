// The policy Adaptive: the owner's core or a worker, whichever has been cheaper for batches of this size. The cost is
// the time that flexsc_wait() takes, by call. The side that loses is tried again now and then, so rarely that trials
// cost at most a twentieth.
#pragma once

#include "lib/types.h"

namespace tollgate::flexsc {

enum class Side : u8 { Own, Worker };

class Adaptive {
public:
    /// The next batch, of so many entries, runs on the own core and is not measured: that has been the better side, and
    /// to measure costs a tenth of a small batch.
    bool settled(u64 entries) {
        if (unmeasured_ == 0)
            return false;
        unmeasured_ = entries == settled_entries_ ? unmeasured_ - 1 : 0;
        return entries == settled_entries_;
    }
    /// Else: where the next batch, of so many entries (at least 1), runs.
    Side choose(u64 entries);
    /// How long it took there.
    void note(Side side, u64 entries, u64 ticks);

private:
    static constexpr unsigned kClasses = 10; // batches of 1, 2 to 3, 4 to 7 ... 512
    static constexpr u32 kTrial = 4;         // batches; a worker is asleep as the first ones come, which do not count
    static constexpr u32 kCounted = 2;       // of them
    static constexpr u32 kTrialShare = 20;   // all trials together cost one part in so many
    static constexpr u32 kUnmeasured = 7;    // batches between two that are measured
    struct Class {
        u64 cost[2] = {}; // by side: ticks a call, times 16, averaged; 0: not known yet
        Side best = Side::Own;
        u32 trial_left = kTrial; // batches left of a trial of the other side; the first one begins at once
        u32 until_trial = 0;
    };
    static unsigned class_of(u64 entries);
    void judge(Class& of);

    Class classes_[kClasses];
    u64 settled_entries_ = 0;
    u32 unmeasured_ = 0; // batches of so many entries to come that are not measured
};

} // namespace tollgate::flexsc
