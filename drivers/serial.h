// The first serial port, COM1, as the console: 115200 8n1, polled [NS16550A data sheet].
#pragma once

#include "lib/string_view.h"

namespace tollgate::serial {

void initialise();
/// Writes with "\n" as "\r\n". Gives up on a character after a bounded wait, so that a machine without the port still
/// runs.
void write(StringView text);
/// Waits (bounded) until the last character has left.
void drain();

} // namespace tollgate::serial
