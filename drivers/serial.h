// The first serial port, COM1: 115200 8n1, the console and its keyboard [PC16550D data sheet]. Output is polled and
// bounded; input comes by interrupt, or by somebody who calls receive() from time to time.
#pragma once

#include "lib/string_view.h"

namespace tollgate::serial {

void initialise();
/// Writes with "\n" as "\r\n": the kernel's own text. Gives up on a character after a bounded wait, so that a machine
/// without the port still runs.
void write(StringView text);
/// Writes the bytes as they are: what a terminal has processed already.
void write_raw(StringView bytes);
/// Waits (bounded) until the last character has left.
void drain();

/// What gets the characters that come in, with interrupts off. `on_break` says that the line was held down, which
/// stands in place of a character.
struct Receiver {
    void (*bytes)(StringView) = nullptr;
    void (*on_break)() = nullptr;
};
void set_receiver(const Receiver& receiver);
/// ISA line of the port.
inline constexpr u8 kIsaInterrupt = 4;
/// Whether there is a port that answers.
bool present();
/// Lets the port interrupt, at once if something has come already: the line must be routed by now.
void enable_interrupt();
/// Hands everything that has come to the receiver. The interrupt handler; also called by polling.
void receive();

} // namespace tollgate::serial
