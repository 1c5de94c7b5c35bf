// The vDSO gate: calls that user code answers to itself, in code that the kernel lends it. code.S is that code, image.S
// carries it, and here it is mapped into every process.
#pragma once

#include "lib/result.h"
#include "lib/types.h"

namespace tollgate {
class AddressSpace;
}

namespace tollgate::vdso {

/// What it has besides the clocks and the CPU's number: nothing, or what option spma22=on promises (spma22.S).
enum class Functions : u8 { Plain, Spma22 };

/// Makes the pages that all processes share. Boot, after clock_initialise(). Errno::NoMem.
Result<void> initialise(Functions);
/// Maps the clock page and the code behind it, both for reading and executing alone; the address of the code's ELF
/// header, for AT_SYSINFO_EHDR. Errno::NoMem.
Result<u64> map_into(AddressSpace& space);

} // namespace tollgate::vdso
