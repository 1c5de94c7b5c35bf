// The PVH start information, as QEMU's -kernel leaves it in memory, turned into a BootInfo. Source: Xen's
// public/arch-x86/hvm/start_info.h (struct hvm_start_info, versions 0 and 1).
#pragma once

#include "lib/boot_info.h"
#include "lib/phys_reader.h"

namespace tollgate {

/// First word of the start information; its address arrives in EBX.
inline constexpr u32 kPvhMagic = 0x336ec578;

/// Fills `out` from the start information at `start_info`. Error offsets are physical addresses.
Parsed<void> parse_pvh(PhysReader& memory, PhysAddr start_info, BootInfo& out);

} // namespace tollgate
