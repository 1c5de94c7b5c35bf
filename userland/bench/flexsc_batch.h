// Batches of equal calls through libflexsc, as the benchmarks post and reap them: the same call `count` times, and
// every result looked at. The loops work on a copy of the context, which the compiler keeps in registers (flexsc.h).
#pragma once

#include <tuple>

#include "userland/lib/flexsc/flexsc.h"
#include "userland/lib/gate.h"

namespace tollgate::bench {

using FlexscContext = struct ::flexsc;

/// One page's worth and more: the largest batch, and so the number of handles that a caller has room for.
inline constexpr unsigned kMostCalls = FLEXSC_MAX_PAGES * FLEXSC_ENTRIES_PER_PAGE;

/// Posts `count` calls, at most as many as there are free entries.
template <Word... A>
requires(sizeof...(A) <= 6)
    [[gnu::always_inline]] inline void post_batch(FlexscContext& context, long* handles, unsigned count,
                                                  unsigned number, A... arguments) {
    FlexscContext local = context;
    const long words[6] = {word(arguments)...};
#pragma GCC unroll 8
    for (unsigned i = 0; i < count; ++i)
        handles[i] =
            flexsc_post_words(&local, number, sizeof...(A), words[0], words[1], words[2], words[3], words[4], words[5]);
    context.free = local.free;
    context.fresh = local.fresh;
}

/// Has them executed and hands each result to `take(long)`, in the order of posting. False: one was never done.
template <class Take>
[[nodiscard, gnu::always_inline]] inline bool reap_batch(FlexscContext& context, const long* handles, unsigned count,
                                                         Take&& take) {
    FlexscContext local = context;
#pragma GCC unroll 8
    for (unsigned i = 0; i < count; ++i) {
        const long handle = handles[i];
        if (!flexsc_poll(&local, handle)) [[unlikely]]
            if (flexsc_finish(&context, handle) != 0)
                return false;
        take(flexsc_reap(&local, handle));
    }
    context.free = local.free;
    return true;
}

} // namespace tollgate::bench
