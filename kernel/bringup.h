// Bringing the CPUs up, the boot processor first.
#pragma once

#include "lib/acpi.h"
#include "options.h"

namespace tollgate {

/// Entry area, descriptor tables, control registers, APIC, clock and idle thread of the CPU that boots.
void bring_up_boot_cpu(const AcpiInfo& acpi);
/// Starts all others of the MADT, one after the other; panics about one that does not come.
void bring_up_others(const AcpiInfo& acpi);

} // namespace tollgate
