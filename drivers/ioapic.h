// The I/O APICs: which vector each interrupt line of the board raises [82093AA data sheet; ACPI 6.5, 5.2.12.3].
#pragma once

#include "lib/acpi.h"

namespace tollgate::ioapic {

/// Maps every I/O APIC and masks all its pins. Boot processor, once, before route_isa(). `acpi` must stay.
void initialise(const AcpiInfo& acpi);

/// Lets ISA line `source` raise `vector` on the CPU with this APIC id, with the polarity and trigger mode that the
/// MADT says. False if no I/O APIC has the line, or the CPU's id is too big for one: then nothing changes.
bool route_isa(u8 source, u8 vector, u32 apic_id);

/// Lets ISA line `source` raise an NMI on every CPU. False as above.
bool route_isa_nmi(u8 source);
/// Silences ISA line `source` again.
void mask_isa(u8 source);

} // namespace tollgate::ioapic
