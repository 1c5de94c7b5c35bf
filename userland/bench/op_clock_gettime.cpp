// clock_gettime(CLOCK_MONOTONIC) as a system call, not through the vDSO; its direct counterpart reads the time stamp
// counter, as a vDSO does. The time must be well formed, never go back from sample to sample, and have moved on by no
// more than 1000 s.
#include <ctime>
#include <sys/syscall.h>
#include <x86intrin.h>

#include "userland/bench/operations.h"
#include "userland/bench/suite.h"

namespace tollgate::bench {

namespace {

struct ClockGettime : Operation {
    static constexpr const char* kName = "clock_gettime";
    static constexpr unsigned kNumber = SYS_clock_gettime;

    [[gnu::noipa]] static long direct(long /*clock*/, timespec* time) {
        const auto ticks = __rdtsc();
        time->tv_sec = static_cast<time_t>(ticks >> 32);
        time->tv_nsec = static_cast<long>((ticks & 0xffff'ffff) * 1'000'000'000 >> 32);
        return 0;
    }
    static constexpr long expected() { return 0; }
    auto arguments() const { return std::tuple(long{CLOCK_MONOTONIC}, &time_); }

    void prepare(GateKind gate) {
        if (gate != gate_)
            last_ = {}; // the direct call has a time of its own
        gate_ = gate;
        time_ = {-1, -1};
    }

    bool verify(GateKind /*gate*/) {
        const timespec before = last_;
        last_ = time_;
        if (time_.tv_sec < 0 || time_.tv_nsec < 0 || time_.tv_nsec >= 1'000'000'000)
            return false;
        if (before.tv_sec == 0 && before.tv_nsec == 0)
            return true;
        return (time_.tv_sec > before.tv_sec || (time_.tv_sec == before.tv_sec && time_.tv_nsec >= before.tv_nsec)) &&
               time_.tv_sec - before.tv_sec < 1000;
    }

private:
    mutable timespec time_ = {};
    timespec last_ = {};
    GateKind gate_ = GateKind::Native;
};

} // namespace

void add_clock_gettime(Suite& suite) { suite.add<ClockGettime>(); }

} // namespace tollgate::bench
