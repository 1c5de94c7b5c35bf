// The kernel's log: whole lines to the console, "[cpu N] " in front. log() may be called anywhere but from NMI and #MC
// context, where emergency() writes without a lock.
#pragma once

#include "lib/format.h"

namespace tollgate {

/// Where log text goes; set by main.cpp before anything is logged. Must not sleep or log.
using ConsoleWriter = void (*)(StringView);
/// `text` turns newlines into what the line needs, `raw` does not.
void log_set_console(ConsoleWriter text, ConsoleWriter raw);

/// The raw console: user programs' output. One call's text is not torn by another CPU's.
void console_write(StringView text);
/// Bytes that a terminal has processed.
void console_write_raw(StringView bytes);
/// Leaves the kernel's own lines out, so that the console is the programs' alone; panics are still written. Set once at
/// boot.
void log_set_quiet(bool quiet);
/// Without the lock: for panics.
void console_write_unlocked(StringView text);

void log_line(StringView format, std::span<const FormatArg> args);

template <class... Args>
void log(FormatString<std::type_identity_t<Args>...> text, const Args&... args) {
    const FormatArg erased[sizeof...(Args) + 1] = {detail::make_format_arg(args)..., FormatArg{}};
    log_line(text.text(), std::span<const FormatArg>(erased, sizeof...(Args)));
}

} // namespace tollgate
