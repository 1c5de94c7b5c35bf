// What this CPU offers, read once from CPUID on the boot processor. Code asks here and never tries an instruction to
// see: QEMU's TCG accepts writes that hardware refuses.
#pragma once

#include "lib/types.h"

namespace tollgate {

struct CpuFeatures {
    bool smep, smap, umip, fsgsbase, pcid, invpcid, pge;
    bool xsave, xsaveopt, avx, avx2, x2apic, tsc_deadline, invariant_tsc, rdtscp, rdpid, monitor, hypervisor,
        gigabyte_pages;
    bool md_clear; ///< verw clears buffers
    bool meltdown; ///< the CPU does not say that it is safe (RDCL_NO), and is Intel's
    bool mds;      ///< likewise for MDS_NO
    u8 physical_bits;
    u32 hwcap; ///< CPUID.1:EDX, for AT_HWCAP
    char vendor[13];
    char hypervisor_name[13];
    char model[49];
};

/// Filled by cpu_detect().
extern constinit CpuFeatures cpu_features;
void cpu_detect();

} // namespace tollgate
