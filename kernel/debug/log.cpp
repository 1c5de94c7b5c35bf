// Lines are formatted into a buffer first, so that the lock is held only while they are written out.
#include "debug/log.h"

#include "lib/fixed_string.h"
#include "sync/spinlock.h"

namespace tollgate {
namespace {

constinit ConsoleWriter console = nullptr, raw_console = nullptr;
constinit bool is_quiet = false;
constinit Spinlock lock{LockRank::Log};
constinit bool at_line_start GUARDED_BY(lock) = true;

void write_locked(StringView text) REQUIRES(lock) {
    if (text.empty() || console == nullptr)
        return;
    console(text);
    at_line_start = text[text.size() - 1] == '\n';
}

} // namespace

void log_set_console(ConsoleWriter text, ConsoleWriter raw) {
    console = text;
    raw_console = raw;
}

void console_write_raw(StringView bytes) {
    Guard guard{lock};
    if (bytes.empty() || raw_console == nullptr)
        return;
    raw_console(bytes);
    at_line_start = bytes[bytes.size() - 1] == '\n';
}

void log_set_quiet(bool quiet) { is_quiet = quiet; }

void console_write(StringView text) {
    Guard guard{lock};
    write_locked(text);
}

void console_write_unlocked(StringView text) {
    if (console != nullptr)
        console(text);
}

void log_line(StringView format, std::span<const FormatArg> args) {
    if (is_quiet)
        return;
    FixedString<512> line;
    format_to(line, "[kernel] ");
    format_args(line, format, args);
    line.write("\n");
    Guard guard{lock};
    if (!at_line_start)
        write_locked("\n"); // a program's unfinished line is not a log line's beginning
    write_locked(line.view());
}

} // namespace tollgate
