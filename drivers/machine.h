// Small devices of the virtual machine: the way out, the result channel, the legacy interrupt controller, the clock
// chips.
#pragma once

#include "lib/string_view.h"
#include "lib/types.h"

namespace tollgate::machine {

enum class Verdict : u8 { Pass = 0x10, Fail = 0x11, Panic = 0x12 };
/// Prints "TOLLGATE EXIT ..." and ends QEMU with status 33, 35 or 37 (isa-debug-exit at port 0xf4), or Bochs (port
/// 0x8900). Halts if there is neither.
[[noreturn]] void end(Verdict verdict);

/// Bytes to QEMU's isa-debugcon devices at ports 0xe9 (Bochs has it too), 0xea and 0xeb: results, and a program's
/// output that is kept apart from the console. Nobody listens where there is no such device.
inline constexpr unsigned kDebugConsoles = 3;
void debugcon_write(unsigned which, StringView bytes);

/// Masks every line of the 8259 pair, which BIOSes leave open, and moves its vectors out of the exceptions' way.
void disable_8259();

/// TSC ticks a second, measured against channel 2 of the 8254 timer [Intel 8254 data sheet]. 0 if there is none.
u64 measure_tsc_hz();

/// Seconds since 1970 from the CMOS clock [MC146818A]; 0 if it gives nonsense.
u64 read_rtc();

} // namespace tollgate::machine
