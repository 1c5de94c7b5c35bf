// The signal mask and the deadline that ppoll, pselect6 and epoll_pwait take along: the mask holds from before the
// first look at the files until the call ends, so that no signal slips in between.
#pragma once

#include "syscall/time.h"
#include "task/process.h"
#include "task/signal.h"

namespace tollgate {

/// A mask that is set for the length of a call. Give finish() the call's outcome: after an interruption the old mask
/// comes back only when the handler has run.
class TemporaryMask {
public:
    /// Null: none. Errors: Inval (a set of another size), Fault.
    static Result<TemporaryMask> begin(Caller& caller, UserPtr<const u64> mask, u64 size) {
        if (mask.is_null())
            return TemporaryMask(nullptr);
        if (size != sizeof(u64))
            return fail(Errno::Inval);
        const u64 signals = TRY(copy_from_user(mask));
        task::begin_temporary_mask(*caller.owner, signals);
        return TemporaryMask(caller.owner);
    }
    Result<u64> finish(Result<u64> outcome) {
        if (thread_)
            task::end_temporary_mask(
                *thread_, !outcome && (outcome.error() == Errno::RestartNoHandler || outcome.error() == Errno::Intr));
        thread_ = nullptr;
        return outcome;
    }

private:
    explicit TemporaryMask(UserThread* thread) : thread_(thread) {}
    UserThread* thread_;
};

} // namespace tollgate
