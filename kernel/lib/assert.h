// ASSERT stays on in every build: a kernel that goes on after a broken invariant measures nonsense. What happens on
// failure belongs to the program around the library: debug/ panics, the host tests abort.
#pragma once

#include "lib/source_location.h"

namespace tollgate {

/// Defined by kernel/debug and by tests/host. `expression` is the text of the condition.
[[noreturn]] void assertion_failed(const char* expression, SourceLocation where);

} // namespace tollgate

#define ASSERT(...)                                                                                                    \
    do {                                                                                                               \
        if (!(__VA_ARGS__)) [[unlikely]]                                                                               \
            ::tollgate::assertion_failed(#__VA_ARGS__, ::tollgate::SourceLocation::current());                         \
    } while (false)

/// For a place that cannot be reached unless an invariant is broken.
#define ASSERT_NOT_REACHED() ::tollgate::assertion_failed("not reached", ::tollgate::SourceLocation::current())
