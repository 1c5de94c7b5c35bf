// Starting the application processors: INIT-SIPI-SIPI [SDM vol 3, 9.4.4].
#pragma once

#include "cpu/cpu.h"

namespace tollgate {

/// Physical page of the real-mode trampoline; kept out of the frame allocator with the rest of the first MiB.
inline constexpr u32 kApTrampoline = 0x8000;

/// Copies the trampoline to its page, which must be mapped at `trampoline_page`.
void ap_prepare(void* trampoline_page);
/// Wakes the CPU with this APIC id on this stack, with GS at this block; it runs ap_main(Cpu&). Waits up to 1 s of TSC
/// time until cpu.online. False if it did not come.
bool ap_start(void* trampoline_page, Cpu& cpu, u64 stack_top);

} // namespace tollgate
