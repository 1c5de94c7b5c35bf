// The tables of one CPU (GDT, TSS, IDT) in its entry area, and loading them.
#pragma once

#include "cpu/cpu.h"

namespace tollgate {

/// Fills the CPU block, GDT and TSS of the entry area at `base` (all pages mapped and zero). Returns the block.
Cpu& area_prepare(u64 base, unsigned number);
/// The gates of all 256 vectors, into one page that every area maps read-only. `int80_handler`: the int 0x80 gate's
/// entry.
void idt_fill(void* page, void (*int80_handler)());
/// Loads GDT, TSS, IDT, segment registers and GS of this CPU. Interrupts are off.
void area_load(Cpu& cpu);

} // namespace tollgate
