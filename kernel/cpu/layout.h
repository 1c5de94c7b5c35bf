// The kernel's address map (docs/memory.md). Everything below is the same in every address space but the fastcall
// space.
#pragma once

#include "lib/address.h"

namespace tollgate {

/// All RAM, never executable: physical address + kDirectMap.
inline constexpr u64 kDirectMap = 0xffff800000000000; // PML4 slots 256 ..
inline constexpr unsigned kDirectMapSlot = 256;
inline constexpr u64 kDirectMapEnd = 0xffffc00000000000;
/// Kernel stacks and device registers, in 4-KiB pages with unmapped guards between them.
inline constexpr u64 kKernelSpace = 0xfffffe0000000000; // PML4 slot 508
inline constexpr u64 kKernelSpaceEnd = 0xfffffe8000000000;
/// One area per CPU: its block, GDT, TSS, IDT, entry and IST stacks. Also in the user page tables of pti=on.
inline constexpr u64 kEntryAreas = 0xfffffe8000000000; // PML4 slot 509
inline constexpr u64 kEntryAreaSize = 128 * 1024;
/// The kernel image, linked here plus its physical address.
inline constexpr u64 kKernelBase = 0xffffffff80000000; // PML4 slot 511, PDPT slot 510
/// The fastcall space: a page directory of each process's own, in both of its page tables.
inline constexpr u64 kFastcallSpace = 0xffffffffc0000000; // PML4 slot 511, PDPT slot 511
inline constexpr u64 kFastcallSpaceEnd = 0xfffffffffff00000;
/// In it: the table (a page of function pointers, a page of arrays beside them); a page of stack for each CPU, a guard
/// page below each; functions and data from kFastcallHeap on.
inline constexpr u64 kFastcallTable = kFastcallSpace;
inline constexpr u64 kFastcallArrays = kFastcallTable + 0x1000;
inline constexpr u64 kFastcallArraySize = 0x400;                // 128 words
inline constexpr u64 kFastcallCounts = kFastcallTable + 0x2000; // fastcall.check=on only
inline constexpr u64 kFastcallStacks = kFastcallSpace + 0x100000;
inline constexpr u64 kFastcallStackStride = 0x2000;
inline constexpr u64 kFastcallHeap = kFastcallSpace + 0x200000; // in page tables of their own

// Offsets in an entry area; a page of each kind that faults lies below every stack.
inline constexpr u64 kAreaCpu = 0x0000, kAreaGdtTss = 0x1000, kAreaIdt = 0x2000;
inline constexpr u64 kAreaEntryStackTop = 0x5000; // 1 page:  TSS.RSP0
inline constexpr u64 kAreaFaultStackTop = 0x8000; // 2 pages: IST 1, faults
inline constexpr u64 kAreaNmiStackTop = 0xc000;   // 3 pages: IST 2
inline constexpr u64 kAreaDfStackTop = 0x10000;   // 3 pages: IST 3
inline constexpr u64 kAreaMcStackTop = 0x14000;   // 3 pages: IST 4
inline constexpr u64 kAreaDbStackTop = 0x18000;   // 3 pages: IST 5

/// Kernel stacks, one guard page below. Frames are larger with the undefined-behaviour checks.
#ifdef TOLLGATE_UBSAN
inline constexpr u64 kKernelStackSize = 64 * 1024;
#else
inline constexpr u64 kKernelStackSize = 16 * 1024;
#endif

} // namespace tollgate
