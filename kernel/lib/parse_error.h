// What a parser says about input it refuses: one sentence and where in the input. Boot code prints it in the panic, the
// ELF loader turns it into ENOEXEC.
#pragma once

#include "lib/format.h"
#include "lib/result.h"

#include <expected>

namespace tollgate {

struct ParseError {
    const char* what = ""; ///< A fixed sentence, never freed.
    u64 offset = 0;        ///< Bytes from the start of the input, or a physical address where the parser follows those.

    void format(Sink& sink) const { format_to(sink, "{} (at {:#x})", what, offset); }
};

/// A value, or the reason why the input holds none.
template <class T>
using Parsed = Outcome<T, ParseError>;

[[nodiscard]] constexpr std::unexpected<ParseError> parse_error(const char* what, u64 offset) {
    return std::unexpected<ParseError>(ParseError{what, offset});
}

} // namespace tollgate
