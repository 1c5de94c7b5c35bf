// Translation look-aside buffers: local flushes, and shootdowns on other CPUs by an IPI that is waited for.
#pragma once

#include "lib/types.h"

namespace tollgate {

/// PCIDs with pti=on: the two tables of the space that is loaded. Switching spaces flushes both.
inline constexpr u64 kKernelPcid = 0, kUserPcid = 1;
/// Whether CR3 values carry PCIDs: pti=on, and both PCID and INVPCID are offered. Set once at boot.
extern constinit bool tlb_uses_pcid;

/// Flushes [start, end) on this CPU, in both PCIDs.
void tlb_flush_local(u64 start, u64 end);
/// Flushes [start, end) on every CPU whose bit is set in `cpus` and waits until all have done so (bounded: panics after
/// 10 s). May be called with interrupts off.
void tlb_shootdown(u64 cpus, u64 start, u64 end);
/// Runs function(argument) on all other online CPUs, with their interrupts off, and waits until all have returned.
void cpu_call_others(void (*function)(void*), void* argument);
/// Does what another CPU has asked this one to do, if anything. Spin loops that run with interrupts off call it.
void tlb_service();

} // namespace tollgate
