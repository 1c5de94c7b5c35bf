#include "bringup.h"

#include "cpu/apic.h"
#include "cpu/area.h"
#include "cpu/clock.h"
#include "cpu/features.h"
#include "cpu/fpu.h"
#include "cpu/smp.h"
#include "cpu/tlb.h"
#include "debug/log.h"
#include "debug/panic.h"
#include "drivers/machine.h"
#include "gate/native/native.h"
#include "lib/mutants.h"
#include "mem/kernel_space.h"
#include "mem/page_table.h"
#include "sched/scheduler.h"

namespace tollgate {
namespace {

extern "C" void int80_entry();

constinit PhysAddr idt; // one page for all CPUs; boot only

/// CR4 as CPUID allows, SYSCALL, vector registers, APIC. On the CPU itself.
void initialise_cpu(Cpu& cpu) {
    area_load(cpu);
    u64 cr4 = x86::read_cr4();
    if (cpu_features.smep && !mutant(Mutant::Smep))
        cr4 |= x86::kCr4Smep;
    if (cpu_features.smap && !mutant(Mutant::Smap))
        cr4 |= x86::kCr4Smap;
    if (cpu_features.umip && !mutant(Mutant::Umip))
        cr4 |= x86::kCr4Umip;
    if (cpu_features.fsgsbase)
        cr4 |= x86::kCr4FsGsBase;
    if (cpu_features.pge)
        cr4 |= x86::kCr4Pge;
    if (tlb_uses_pcid)
        cr4 |= x86::kCr4Pcide; // CR3[11:0] is 0 now, as it must be [SDM vol 3, 4.10.1]
    x86::write_cr4(cr4);
    fpu_initialise_cpu();
    native_initialise_cpu();
    apic::initialise_cpu();
    cpu.apic_id = apic::id();
}

Cpu& make_cpu(unsigned number) {
    const Result<u64> base = map_entry_area(number, idt);
    if (!base.has_value())
        panic("no memory for the entry area of CPU {}", number);
    return area_prepare(*base, number);
}

extern "C" [[noreturn]] void ap_main(Cpu* cpu) {
    initialise_cpu(*cpu);
    sched::initialise_cpu();
    sched::run_idle();
}

} // namespace

void bring_up_boot_cpu(const AcpiInfo& acpi) {
    Result<Frame> page = Frame::allocate();
    if (!page.has_value())
        panic("no memory for the IDT");
    idt = page->leak();
    idt_fill(direct(idt), int80_entry);
    tlb_uses_pcid = paging::pti() && cpu_features.pcid && cpu_features.invpcid;

    Cpu& cpu = make_cpu(0);
    apic::initialise(cpu_features.x2apic ? nullptr : map_device(acpi.local_apic, 1));
    initialise_cpu(cpu);
    cpu_register(cpu);
    // A busy host can stretch or cut a measurement beyond what the clock can work with.
    u64 hz = machine::measure_tsc_hz();
    for (unsigned tries = 1; hz != 0 && (hz < kLeastTscHz || hz > kMostTscHz) && tries < 10; ++tries)
        hz = machine::measure_tsc_hz();
    if (hz == 0) {
        hz = 1'000'000'000;
        log("no 8254 timer to measure the TSC against: taken for {} Hz", hz);
    }
    clock_initialise(hz, machine::read_rtc());
    cpu.tsc_hz = hz;
    apic::calibrate_timer(hz);
    sched::initialise_cpu();
    cpu.online.store(1, kRelease);
}

void bring_up_others(const AcpiInfo& acpi) {
    void* trampoline = direct(PhysAddr{kApTrampoline});
    ap_prepare(trampoline);
    KernelStack ap_stack; // of the CPU that is starting
    for (const u32 apic_id : acpi.apic_ids()) {
        if (apic_id == this_cpu().apic_id || cpu_count() == kMaxCpus)
            continue;
        Cpu& cpu = make_cpu(cpu_count());
        cpu.apic_id = apic_id;
        cpu.tsc_hz = clock_tsc_hz();
        Result<KernelStack> stack = KernelStack::allocate();
        if (!stack.has_value())
            panic("no memory to start CPU {}", cpu.number);
        // It leaves this stack for its idle thread's, and the next CPU may have it.
        ap_stack = std::move(*stack);
        cpu_register(cpu);
        if (!ap_start(trampoline, cpu, ap_stack.top().value()))
            panic("the CPU with APIC id {} does not start", apic_id);
    }
}

} // namespace tollgate
