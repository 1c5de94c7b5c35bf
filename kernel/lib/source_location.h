// SourceLocation: where an assertion or a log line stands. It is std::source_location under GCC; clang 14, our second
// reader for -Wthread-safety, has no builtin for that one, so it gets a look-alike with the same members.
#pragma once

#include <source_location>

#include "lib/types.h"

namespace tollgate {

#ifdef __cpp_lib_source_location
using SourceLocation = std::source_location;
#else
class SourceLocation {
public:
    static constexpr SourceLocation current(const char* file = __builtin_FILE(),
                                            const char* function = __builtin_FUNCTION(), u32 line = __builtin_LINE()) {
        SourceLocation here;
        here.file_ = file;
        here.function_ = function;
        here.line_ = line;
        return here;
    }
    constexpr const char* file_name() const { return file_; }
    constexpr const char* function_name() const { return function_; }
    constexpr u32 line() const { return line_; }
    constexpr u32 column() const { return 0; }

private:
    const char* file_ = "";
    const char* function_ = "";
    u32 line_ = 0;
};
#endif

} // namespace tollgate
