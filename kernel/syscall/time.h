// Times from user programs as deadlines: for sleeping and for futexes.
#pragma once

#include "sched/timer.h"
#include "syscall/abi.h"
#include "task/process.h"

namespace tollgate {

inline constexpr u64 kNanosecondsPerSecond = 1'000'000'000;

/// Errno::Inval if it is negative or not normalised; saturates at kNoDeadline.
Result<u64> to_nanoseconds(const Timespec& time);
/// At that time of the wall clock, or of the monotonic one.
Deadline deadline_at(u64 ns, bool wall_clock);

/// For a call that was interrupted: it fails, and if no handler runs it goes on as this says.
inline std::unexpected<Errno> restart_by(Caller& caller, const CallToRestart& call) {
    caller.owner->restart = call;
    return fail(Errno::RestartBlock);
}

} // namespace tollgate
