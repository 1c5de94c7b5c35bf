// See flexsc_lane.h.
#include "userland/bench/flexsc_lane.h"

#include <utility>

namespace tollgate::bench {

std::expected<std::unique_ptr<FlexscLane>, int> FlexscLane::open(flexsc_policy policy, unsigned pages) {
    std::unique_ptr<FlexscLane> lane(new FlexscLane(policy, pages));
    lane->thread_ = std::thread([raw = lane.get()] { raw->live(); });
    std::unique_lock lock(lane->mutex_);
    lane->changed_.wait(lock, [&] { return lane->error_ != -1; });
    if (lane->error_ != 0)
        return std::unexpected(lane->error_);
    lock.unlock();
    return lane;
}

FlexscLane::~FlexscLane() {
    {
        const std::lock_guard lock(mutex_);
        ends_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void FlexscLane::run(std::function<void(FlexscContext&)> work) {
    std::unique_lock lock(mutex_);
    work_ = std::move(work);
    changed_.notify_all();
    changed_.wait(lock, [this] { return !work_; });
}

void FlexscLane::live() {
    FlexscContext context;
    const int failed = -flexsc_open(&context, policy_, pages_);
    std::unique_lock lock(mutex_);
    error_ = failed;
    changed_.notify_all();
    if (failed != 0)
        return;
    flexsc_close(&context);
    for (;;) {
        changed_.wait(lock, [this] { return ends_ || work_; });
        if (ends_)
            return;
        lock.unlock();
        if (flexsc_open(&context, policy_, pages_) == 0) { // the thread's own pages again: it cannot fail
            work_(context);
            flexsc_close(&context);
        }
        lock.lock();
        work_ = nullptr;
        changed_.notify_all();
    }
}

} // namespace tollgate::bench
