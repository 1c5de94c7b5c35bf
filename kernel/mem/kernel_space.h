// What is mapped in the kernel space besides stacks: device registers; and the CPUs' entry areas.
#pragma once

#include "lib/result.h"
#include "mem/frames.h"

namespace tollgate {

/// Maps `pages` pages of device memory uncached. Panics if out of memory (boot only).
void* map_device(PhysAddr registers, u64 pages);
/// Maps a CPU's entry area: block, GDT and TSS, the shared IDT page, and five stacks with guard pages. Its base.
/// Errno::NoMem.
Result<u64> map_entry_area(unsigned cpu, PhysAddr idt);

} // namespace tollgate
