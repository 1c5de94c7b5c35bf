// Writing where nobody reads: EPIPE, and SIGPIPE for the thread that tried.
#pragma once

#include "task/process.h"
#include "task/signal.h"

namespace tollgate {

inline constexpr int kSigPipe = 13;

/// The outcome of a write as it is; a broken pipe also sends the signal.
inline Result<u64> with_broken_pipe_signal(Caller& caller, const File& file, Result<u64> outcome) {
    if (!outcome && outcome.error() == Errno::Pipe && file.signals_broken_pipe()) [[unlikely]]
        (void)task::send_signal(*caller.owner, task::user_signal(caller, kSigPipe));
    return outcome;
}

} // namespace tollgate
