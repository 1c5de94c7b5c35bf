// One processor at a time: the trampoline has a single mailbox.
#include "cpu/smp.h"

#include "cpu/apic.h"
#include "cpu/clock.h"
#include "cpu/features.h"
#include "cpu/tlb.h"
#include "lib/memory.h"

namespace tollgate {

extern "C" const u8 ap_trampoline[], ap_trampoline_end[], ap_mailbox[];

void ap_prepare(void* trampoline_page) {
    memcpy(trampoline_page, ap_trampoline, static_cast<size_t>(ap_trampoline_end - ap_trampoline));
}

bool ap_start(void* trampoline_page, Cpu& cpu, u64 stack_top) {
    auto* mailbox = reinterpret_cast<volatile u64*>(static_cast<u8*>(trampoline_page) + (ap_mailbox - ap_trampoline));
    mailbox[0] = stack_top;
    mailbox[1] = reinterpret_cast<u64>(&cpu);
    mailbox[2] = x86::read_cr3();
    apic::send_init(cpu.apic_id);
    // [SDM vol 3, 9.4.4.1] 10 ms after INIT; virtual CPUs need none.
    clock_delay_us(cpu_features.hypervisor ? 10 : 10'000);
    for (int attempt = 0; attempt < 2; ++attempt) {
        apic::send_startup(cpu.apic_id, kApTrampoline >> 12);
        const u64 limit = x86::rdtsc() + (attempt == 0 ? cpu.tsc_hz / 5 : cpu.tsc_hz);
        while (x86::rdtsc() < limit) {
            if (cpu.online.load(kAcquire))
                return true;
            tlb_service(); // it may have to ask for frames that we keep
            x86::pause();
        }
    }
    return false;
}

} // namespace tollgate
