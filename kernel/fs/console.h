// The terminal behind the serial port, which is the machine's console: /dev/console and /dev/ttyS0.
#pragma once

#include "fs/tty.h"

namespace tollgate::fs {

/// Makes the terminal. Called once at boot, before the first two below. Errno::NoMem.
Result<void> make_console();
/// What has come in by the line; from its interrupt handler.
void console_received(StringView bytes);
void console_break();
Tty& console();

} // namespace tollgate::fs
