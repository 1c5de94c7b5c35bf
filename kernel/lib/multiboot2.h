// The Multiboot2 boot information, as GRUB leaves it in memory, turned into a BootInfo. Source: Multiboot2
// Specification 2.0, chapter 3.6.
#pragma once

#include "lib/boot_info.h"
#include "lib/byte_reader.h"

namespace tollgate {

/// What the boot loader leaves in EAX [Multiboot2 2.0, 3.3].
inline constexpr u32 kMultiboot2BootMagic = 0x36d76289;

/// The size of the whole boot information, from its first 8 bytes. Error: not a plausible size (16 bytes to 1 MiB).
Parsed<u64> multiboot2_size(Bytes header);

/// Fills `out` from the boot information `mbi`, which lies at the physical address `mbi_base`. `out.rsdp` then points
/// into the boot information, where the loader keeps a copy: the caller must keep that memory until ACPI has been read.
Parsed<void> parse_multiboot2(Bytes mbi, PhysAddr mbi_base, BootInfo& out);

} // namespace tollgate
