// What the fastcall gate keeps of a CPU. It lies in the page of the CPU's block, which a function's caller cannot reach
// but the entry code can, whatever GS and CR3 are: by the CPU number that LSL tells.
#pragma once

#include "cpu/cpu.h"
#include "cpu/layout.h"

namespace tollgate {

struct FastcallCpu {
    // The call that runs, as it came and as it wants to leave: fastcall.check=on, gate/fastcall/check.S.
    u64 rsp, rcx, r11, rdx, index, gs_base, start;
    u64 result, exit_rsp, exit_rcx, exit_r11, exit_gs_base, exit_flags;
    // The watchdog's (gate/fastcall/watchdog.cpp): written by NMIs, and read by the #UD that one of them brings about.
    u64 interrupts; ///< CpuCounters::interrupts when the call that runs was first seen
    u64 since;      ///< the time of that
    u64 rounds;     ///< NMIs that have found it running
    u64 overrun_rip;
};
inline constexpr u64 kAreaFastcall = 0xc00; // in an entry area, as the offsets in layout.h
static_assert(kAreaCpu + sizeof(Cpu) <= kAreaFastcall && kAreaFastcall + sizeof(FastcallCpu) <= kAreaGdtTss);

inline FastcallCpu& fastcall_cpu(Cpu& cpu) {
    return *reinterpret_cast<FastcallCpu*>(reinterpret_cast<u64>(&cpu) - kAreaCpu + kAreaFastcall);
}

} // namespace tollgate
