// From what the boot loader left to a BootInfo and the ACPI tables. Runs on the boot page tables, which map the first 4
// GiB.
#pragma once

#include "lib/acpi.h"
#include "lib/boot_info.h"
#include "lib/boot_protocol.h"

namespace tollgate {

/// Panics with a reason if the loader is unknown or its information malformed. The result lives for ever.
const BootInfo& read_boot_info(BootProtocol protocol, PhysAddr information);
/// The MADT's CPUs, or this CPU alone if there is no ACPI (said in the log).
const AcpiInfo& read_acpi(const BootInfo& info);

} // namespace tollgate
