// A thread with syscall pages of one policy, on which the benchmarks of that policy run. The kernel gives a thread its
// pages once and with one policy, and takes them back as it ends: so a program measures every policy by a thread for
// each, one after the other, since a worker looks at everybody's pages; and with no more pages than a batch fills.
#pragma once

#include <condition_variable>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "userland/bench/flexsc_batch.h"

namespace tollgate::bench {

class FlexscLane {
public:
    /// The error is an errno, of flexsc_open().
    static std::expected<std::unique_ptr<FlexscLane>, int> open(flexsc_policy policy, unsigned pages);
    ~FlexscLane(); ///< the thread ends, and its pages go
    FlexscLane(const FlexscLane&) = delete;
    FlexscLane& operator=(const FlexscLane&) = delete;

    [[nodiscard]] bool is(flexsc_policy policy, unsigned pages) const { return policy_ == policy && pages_ == pages; }
    /// Runs `work` on the thread, with a context as good as new, and waits for its end.
    void run(std::function<void(FlexscContext&)> work);

private:
    FlexscLane(flexsc_policy policy, unsigned pages) : policy_(policy), pages_(pages) {}
    void live();

    flexsc_policy policy_;
    unsigned pages_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::function<void(FlexscContext&)> work_; ///< empty: nothing to do
    int error_ = -1;                           ///< of the first flexsc_open(); -1: not known yet
    bool ends_ = false;
    std::thread thread_;
};

} // namespace tollgate::bench
