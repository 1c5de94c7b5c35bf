// Which address space a CPU uses: CR3, the values that the entry code loads with pti=on, and PCIDs.
#include "mem/address_space.h"

#include "cpu/tlb.h"

namespace tollgate {
namespace {

// Both PCIDs belong to whatever space is loaded: the kernel's is flushed by the CR3 write itself, the user's by
// INVPCID.
void switch_root(Cpu& cpu, PhysAddr kernel, PhysAddr user) {
    x86::write_cr3(kernel.value() | (tlb_uses_pcid ? kKernelPcid : 0));
    if (tlb_uses_pcid)
        x86::invpcid(x86::Invpcid::Context, kUserPcid, 0);
    const u64 keep = tlb_uses_pcid ? x86::kCr3NoFlush : 0;
    cpu.kernel_cr3 = kernel.value() | (tlb_uses_pcid ? kKernelPcid : 0) | keep;
    cpu.user_cr3 = user.value() | (tlb_uses_pcid ? kUserPcid : 0) | keep;
}

} // namespace

void AddressSpace::load() {
    Cpu& cpu = this_cpu();
    if (cpu.loaded_space == this)
        return;
    AddressSpace* old = static_cast<AddressSpace*>(cpu.loaded_space);
    cpus_.fetch_or(u64{1} << cpu.number, kSeqCst);
    switch_root(cpu, tables_.kernel_root, tables_.user_root);
    if (old != nullptr)
        old->cpus_.fetch_and(~(u64{1} << cpu.number), kRelease);
    cpu.loaded_space = this;
}

void AddressSpace::load_kernel_only() {
    Cpu& cpu = this_cpu();
    AddressSpace* old = static_cast<AddressSpace*>(cpu.loaded_space);
    if (old == nullptr)
        return;
    switch_root(cpu, paging::kernel_root(), paging::kernel_root());
    old->cpus_.fetch_and(~(u64{1} << cpu.number), kRelease);
    cpu.loaded_space = nullptr;
}

} // namespace tollgate
