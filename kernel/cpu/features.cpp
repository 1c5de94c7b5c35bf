// CPUID leaves to CpuFeatures [SDM vol 2, CPUID].
#include "cpu/features.h"

#include "cpu/x86.h"

namespace tollgate {

constinit CpuFeatures cpu_features{};

namespace {

void store(char* to, u32 word) {
    for (int i = 0; i < 4; ++i)
        to[i] = static_cast<char>(word >> 8 * i);
}

} // namespace

void cpu_detect() {
    CpuFeatures& f = cpu_features;
    const auto bit = [](u32 word, unsigned n) { return (word >> n & 1) != 0; };
    const auto basic = x86::cpuid(0);
    store(f.vendor, basic.ebx);
    store(f.vendor + 4, basic.edx);
    store(f.vendor + 8, basic.ecx);

    const auto one = x86::cpuid(1);
    f.hwcap = one.edx;
    f.pge = bit(one.edx, 13);
    f.monitor = bit(one.ecx, 3);
    f.pcid = bit(one.ecx, 17);
    f.x2apic = bit(one.ecx, 21);
    f.tsc_deadline = bit(one.ecx, 24);
    f.xsave = bit(one.ecx, 26);
    f.avx = f.xsave && bit(one.ecx, 28);
    f.hypervisor = bit(one.ecx, 31);

    u32 capabilities = 0; // IA32_ARCH_CAPABILITIES [SDM vol 4, table 2-2]
    if (basic.eax >= 7) {
        const auto seven = x86::cpuid(7);
        f.fsgsbase = bit(seven.ebx, 0);
        f.avx2 = f.avx && bit(seven.ebx, 5);
        f.smep = bit(seven.ebx, 7);
        f.invpcid = bit(seven.ebx, 10);
        f.smap = bit(seven.ebx, 20);
        f.umip = bit(seven.ecx, 2);
        f.rdpid = bit(seven.ecx, 22);
        f.md_clear = bit(seven.edx, 10);
        if (bit(seven.edx, 29))
            capabilities = static_cast<u32>(x86::rdmsr(0x10a));
    }
    if (f.xsave && basic.eax >= 0xd)
        f.xsaveopt = bit(x86::cpuid(0xd, 1).eax, 0);
    const bool intel = f.vendor[0] == 'G';
    f.meltdown = intel && !bit(capabilities, 0);
    f.mds = intel && !bit(capabilities, 5);

    const u32 last = x86::cpuid(0x80000000).eax;
    const auto extended = x86::cpuid(0x80000001);
    f.gigabyte_pages = bit(extended.edx, 26);
    f.rdtscp = bit(extended.edx, 27);
    if (last >= 0x80000004) {
        for (u32 leaf = 0; leaf < 3; ++leaf) {
            const auto part = x86::cpuid(0x80000002 + leaf);
            store(f.model + 16 * leaf, part.eax);
            store(f.model + 16 * leaf + 4, part.ebx);
            store(f.model + 16 * leaf + 8, part.ecx);
            store(f.model + 16 * leaf + 12, part.edx);
        }
    }
    if (last >= 0x80000007)
        f.invariant_tsc = bit(x86::cpuid(0x80000007).edx, 8);
    f.physical_bits = last >= 0x80000008 ? static_cast<u8>(x86::cpuid(0x80000008).eax) : 36;
    if (f.hypervisor) {
        const auto name = x86::cpuid(0x40000000);
        store(f.hypervisor_name, name.ebx);
        store(f.hypervisor_name + 4, name.ecx);
        store(f.hypervisor_name + 8, name.edx);
    }
}

} // namespace tollgate
