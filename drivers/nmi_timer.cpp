// Channel 0 of the 8254, which nothing else here uses, as a rate generator at its slowest [Intel 8254 data sheet, mode
// 2]: 1193182 / 65536 times a second. The I/O APIC delivers its line, ISA's line 0, as NMI.
#include "drivers/nmi_timer.h"

#include "cpu/x86.h"
#include "drivers/ioapic.h"

namespace tollgate::nmi_timer {
namespace {

constexpr u8 kLine = 0;
constexpr u16 kChannel0 = 0x40, kControl = 0x43;
constexpr u8 kRateGenerator = 0x34; // channel 0, low byte then high byte, mode 2, binary

} // namespace

bool start() {
    x86::out8(kControl, kRateGenerator);
    x86::out8(kChannel0, 0); // 65536
    x86::out8(kChannel0, 0);
    return ioapic::route_isa_nmi(kLine);
}

void stop() { ioapic::mask_isa(kLine); }

} // namespace tollgate::nmi_timer
