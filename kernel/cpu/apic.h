// The local APIC of this CPU, xAPIC or x2APIC: interrupts to other CPUs and the one-shot timer [SDM vol 3, 11].
#pragma once

#include "lib/types.h"

namespace tollgate::apic {

/// `registers` is where the xAPIC page is mapped (uncached); unused if the CPU offers x2APIC. Boot processor, once.
void initialise(void* registers);
/// Software-enables this CPU's APIC, masks its pins, sets the spurious vector. Every CPU.
void initialise_cpu();
u32 id();
void end_of_interrupt();

void send_ipi(u32 apic_id, u8 vector);
void send_nmi(u32 apic_id);
void send_init(u32 apic_id);
void send_startup(u32 apic_id, u8 page);

/// Learns the timer's frequency against the TSC, which must be running; nothing to do with TSC-deadline mode. Boot
/// processor.
void calibrate_timer(u64 tsc_hz);
/// An interrupt (kVectorTimer) at this TSC value, or soon if it is past; replaces an earlier one.
void timer_arm(u64 tsc);
void timer_stop();
bool uses_x2apic();
bool uses_tsc_deadline();

} // namespace tollgate::apic
