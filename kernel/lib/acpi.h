// The few ACPI tables that the boot needs: the MADT for CPUs and I/O APICs, the FADT for the PM timer. No AML. Source:
// ACPI Specification 6.5, chapter 5.2.
#pragma once

#include "lib/address.h"
#include "lib/phys_reader.h"

#include <array>
#include <optional>
#include <span>

namespace tollgate {

/// Offset of a valid RSDP in `area`, tried every 16 bytes. The caller passes the EBDA's first KiB and 0xe0000 to
/// 0xfffff [ACPI 6.5, 5.2.5.1].
std::optional<u64> find_rsdp(Bytes area);

/// The root table: finds others by signature. Cheap to copy; reads through the PhysReader, which must live on.
class AcpiTables {
public:
    /// Checks the RSDP (both checksums from revision 2 on) and the XSDT, or else the RSDT.
    static Parsed<AcpiTables> open(PhysReader& memory, PhysAddr rsdp);

    /// The first table with `signature` ("APIC"), checksum verified, header included; nothing when there is none.
    /// Entries that point outside of memory are passed over.
    Parsed<std::optional<Bytes>> find(StringView signature) const;

private:
    AcpiTables(PhysReader& memory, Bytes entries, u64 entry_size)
        : memory_(&memory), entries_(entries), entry_size_(entry_size) {}

    PhysReader* memory_;
    Bytes entries_;
    u64 entry_size_;
};

/// [ACPI 6.5, 5.2.12.3]
struct IoApicInfo {
    u32 id = 0;
    PhysAddr address;
    u32 first_interrupt = 0; ///< Global system interrupt of its pin 0.
};

/// ISA interrupt `source` arrives as global system interrupt `interrupt` [ACPI 6.5, 5.2.12.5].
struct InterruptOverride {
    u8 source = 0;
    u32 interrupt = 0;
    bool active_low = false;
    bool level_triggered = false;
};

struct AcpiInfo {
    static constexpr size_t kMaxCpus = 64;
    static constexpr size_t kMaxIoApics = 8;
    static constexpr size_t kMaxOverrides = 16;

    PhysAddr local_apic;
    bool has_legacy_pics = false; ///< Two 8259s are there and must be masked.

    u32 disabled_cpus = 0;   ///< Listed but not enabled: empty sockets, hot-pluggable at most.
    u32 ignored_cpus = 0;    ///< Enabled, but no room for them here.
    u32 ignored_entries = 0; ///< I/O APICs and overrides that there was no room for.

    /// The PM timer's I/O port, 3.579545 MHz [ACPI 6.5, 4.8.3.3], if there is one in I/O space.
    std::optional<u16> pm_timer_port;
    bool pm_timer_is_32_bit = false; ///< Otherwise 24 bits wide.

    /// APIC ids of the enabled CPUs, each once, in the table's order.
    std::span<const u32> apic_ids() const { return {apic_ids_.data(), cpu_count_}; }
    std::span<const IoApicInfo> io_apics() const { return {io_apics_.data(), io_apic_count_}; }
    std::span<const InterruptOverride> overrides() const { return {overrides_.data(), override_count_}; }

    void add_cpu(u32 apic_id, u32 flags);
    void add_io_apic(const IoApicInfo& io_apic);
    void add_override(const InterruptOverride& entry);

private:
    std::array<u32, kMaxCpus> apic_ids_{};
    std::array<IoApicInfo, kMaxIoApics> io_apics_{};
    std::array<InterruptOverride, kMaxOverrides> overrides_{};
    size_t cpu_count_ = 0;
    size_t io_apic_count_ = 0;
    size_t override_count_ = 0;
};

/// Fills `out` from the tables below the RSDP at `rsdp`. A missing or broken MADT is an error, a missing FADT is not.
Parsed<void> parse_acpi(PhysReader& memory, PhysAddr rsdp, AcpiInfo& out);

} // namespace tollgate
