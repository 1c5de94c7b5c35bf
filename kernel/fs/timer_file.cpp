// A periodic timer is set again when it fires, but not sooner than kGrain: faster ones are counted, not served.
#include "fs/timer_file.h"

#include "cpu/clock.h"
#include "lib/bits.h"

namespace tollgate::fs {

namespace {
constexpr u64 kGrain = 200'000;
} // namespace

TimerFile::~TimerFile() { (void)alarm_.cancel(); }

void TimerFile::catch_up_locked(u64 now) {
    if (setting_.at == 0 || now < setting_.at)
        return;
    u64 missed = 0;
    if (setting_.interval == 0) {
        setting_.at = 0;
    } else {
        missed = (now - setting_.at) / setting_.interval;
        setting_.at = checked_add(setting_.at + missed * setting_.interval, setting_.interval).value_or(kNoDeadline);
    }
    count_.store(count_.load(kRelaxed) + missed + 1, kRelease);
}

void TimerFile::fire(Timer& alarm) {
    TimerFile& file = static_cast<Alarm&>(alarm).file;
    {
        Guard guard{file.lock_};
        const u64 now = clock_monotonic_ns();
        file.catch_up_locked(now);
        if (file.setting_.at != 0)
            file.alarm_.arm(file.setting_.at > now + kGrain ? file.setting_.at : now + kGrain);
    }
    file.fired_.wake_everything();
}

TimerFile::Setting TimerFile::set(const Setting& setting) {
    Guard guard{lock_};
    const Setting before = setting_;
    setting_ = setting;
    count_.store(0, kRelease);
    alarm_.arm(setting.at != 0 ? setting.at : kNoDeadline);
    return before;
}

TimerFile::Setting TimerFile::setting() {
    Guard guard{lock_};
    return setting_;
}

Result<u64> TimerFile::read(IoBuffer& buffer, u64, u32 flags) {
    if (buffer.size() < sizeof(u64))
        return fail(Errno::Inval);
    for (;;) {
        u64 count;
        {
            Guard guard{lock_};
            catch_up_locked(clock_monotonic_ns());
            count = count_.exchange(0, kAcqRel);
        }
        if (count != 0) {
            TRY(buffer.put(&count, sizeof count));
            return sizeof count;
        }
        if (flags & kOpenNonBlock)
            return fail(Errno::Again);
        TRY(fired_.wait_while([&] { return count_.load(kAcquire) == 0; }, kNoDeadline, kPollIn));
    }
}

Result<FileStatus> TimerFile::status() const {
    FileStatus status{};
    status.links = 1;
    status.mode = 0600;
    status.block_size = 4096;
    return status;
}

} // namespace tollgate::fs
