// The first line of a script: "#!", the interpreter, and perhaps one argument [man 2 execve, "Interpreter scripts"].
#pragma once

#include "lib/string_view.h"

#include <optional>

namespace tollgate::task {

struct ScriptLine {
    StringView interpreter;
    StringView argument; ///< empty if there is none; may contain blanks
};

/// Bytes of a file that are looked at.
inline constexpr u64 kScriptHead = 256;

/// Of a file that begins with `head`: nothing if it is no script, or its first line names no interpreter that could be
/// found. An interpreter's name that may go on beyond the head is none; an argument is cut there.
std::optional<ScriptLine> parse_script(StringView head);

} // namespace tollgate::task
