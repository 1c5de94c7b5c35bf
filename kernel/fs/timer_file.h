// timerfd(2): a timer as a file. Reading tells how often it has fired since the last read.
#pragma once

#include "sched/timer.h"
#include "task/file.h"

namespace tollgate::fs {

class TimerFile final : public File {
public:
    /// `wall`: absolute times are the wall clock's.
    explicit TimerFile(bool wall) : wall_(wall) {}
    ~TimerFile() override;

    struct Setting {
        u64 at = 0, interval = 0; ///< monotonic nanoseconds; at 0: off
    };
    /// The old setting.
    Setting set(const Setting& setting);
    Setting setting();
    bool wall() const { return wall_; }

    Result<u64> read(IoBuffer& buffer, u64, u32 flags) override;
    u32 ready() override { return count_.load(kAcquire) != 0 ? kPollIn : 0; }
    WaitQueue* ready_queue() override { return &fired_; }
    Result<FileStatus> status() const override;
    FileKind kind() const override { return FileKind::Timer; }

private:
    struct Alarm : Timer {
        explicit Alarm(TimerFile& of) : Timer(fire), file(of) {}
        TimerFile& file;
    };
    static void fire(Timer& alarm);
    /// Counts the periods that have passed and moves `at` beyond now.
    void catch_up_locked(u64 now);

    // Between the wait queue's and the timers': the alarm's function takes it, and sets the alarm under it.
    Spinlock lock_{LockRank::File};
    Setting setting_;
    Atomic<u64> count_{0}; // expiries that nobody has read; changes under lock_
    WaitQueue fired_;
    Alarm alarm_{*this};
    const bool wall_;
};

} // namespace tollgate::fs
