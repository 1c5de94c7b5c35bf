// Reads ACPI tables from physical memory, once, on the boot CPU. Firmware tables are broken often enough that every
// length and checksum is verified before a field is believed.
#include "lib/acpi.h"

namespace tollgate {

namespace {

// [ACPI 6.5, 5.2.5.3]
struct [[gnu::packed]] Rsdp {
    char signature[8];
    u8 checksum; ///< Over the first 20 bytes.
    char oem[6];
    u8 revision; ///< 0 for ACPI 1.0, 2 from ACPI 2.0 on.
    u32 rsdt;
};
static_assert(sizeof(Rsdp) == 20);

struct [[gnu::packed]] RsdpExtension {
    u32 length;
    u64 xsdt;
    u8 extended_checksum; ///< Over `length` bytes.
    u8 reserved[3];
};
static_assert(sizeof(RsdpExtension) == 16);

// [ACPI 6.5, 5.2.6]
struct [[gnu::packed]] TableHeader {
    char signature[4];
    u32 length;
    u8 revision;
    u8 checksum;
    char oem[6];
    char oem_table[8];
    u32 oem_revision;
    u32 creator;
    u32 creator_revision;
};
static_assert(sizeof(TableHeader) == 36);

// [ACPI 6.5, 5.2.12]
struct [[gnu::packed]] MadtHeader {
    u32 local_apic;
    u32 flags; ///< Bit 0: PCAT_COMPAT.
};
struct [[gnu::packed]] MadtEntry {
    u8 type;
    u8 length;
};
enum class MadtType : u8 { LocalApic = 0, IoApic = 1, Override = 2, LocalApicAddress = 5, LocalX2Apic = 9 };

struct [[gnu::packed]] MadtLocalApic { // [5.2.12.2]
    u8 processor;
    u8 apic_id;
    u32 flags;
};
struct [[gnu::packed]] MadtIoApic { // [5.2.12.3]
    u8 id;
    u8 reserved;
    u32 address;
    u32 first_interrupt;
};
struct [[gnu::packed]] MadtOverride { // [5.2.12.5]
    u8 bus;
    u8 source;
    u32 interrupt;
    u16 flags;
};
struct [[gnu::packed]] MadtLocalApicAddress { // [5.2.12.8]
    u16 reserved;
    u64 address;
};
struct [[gnu::packed]] MadtLocalX2Apic { // [5.2.12.12]
    u16 reserved;
    u32 apic_id;
    u32 flags;
    u32 processor;
};
static_assert(sizeof(MadtLocalApic) == 6 && sizeof(MadtIoApic) == 10 && sizeof(MadtOverride) == 8);
static_assert(sizeof(MadtLocalApicAddress) == 10 && sizeof(MadtLocalX2Apic) == 14);

constexpr u32 kCpuEnabled = 1; // [5.2.12.2, table 5.23]

// Offsets in the FADT [ACPI 6.5, 5.2.9].
constexpr u64 kFadtPmTimer = 76;
constexpr u64 kFadtPmTimerLength = 91;
constexpr u64 kFadtFlags = 112;
constexpr u64 kFadtExtendedPmTimer = 208;
constexpr u32 kFadtFlagTimer32 = 1 << 8;

// [ACPI 6.5, 5.2.3.2]
struct [[gnu::packed]] GenericAddress {
    u8 space; ///< 1: I/O ports.
    u8 bit_width;
    u8 bit_offset;
    u8 access_size;
    u64 address;
};
static_assert(sizeof(GenericAddress) == 12);
constexpr u8 kSpaceIo = 1;

constexpr u64 kMaxTableSize = 1 << 20; // far above any real one; bounds the time spent on checksums

bool sums_to_zero(Bytes bytes) {
    u8 sum = 0;
    for (const std::byte value : bytes)
        sum = static_cast<u8>(sum + std::to_integer<u8>(value));
    return sum == 0;
}

bool is_rsdp(Bytes bytes) { return StringView::from_bytes(bytes.first(8)) == "RSD PTR " && sums_to_zero(bytes); }

Parsed<Bytes> read_table(PhysReader& memory, PhysAddr at) {
    const auto header = TRY(memory.object<TableHeader>(at, "acpi: table header out of reach"));
    if (header.length < sizeof(TableHeader) || header.length > kMaxTableSize)
        return parse_error("acpi: table of an implausible length", at.value());
    const Bytes table = TRY(memory.bytes(at, header.length, "acpi: table out of reach"));
    if (!sums_to_zero(table))
        return parse_error("acpi: table checksum is wrong", at.value());
    return table;
}

Parsed<Bytes> read_root_table(PhysReader& memory, PhysAddr at, StringView signature) {
    const Bytes table = TRY(read_table(memory, at));
    if (StringView::from_bytes(table.first(4)) != signature)
        return parse_error("acpi: root table has the wrong signature", at.value());
    return table.subspan(sizeof(TableHeader));
}

InterruptOverride decode_override(const MadtOverride& entry) {
    // MPS INTI flags: polarity in bits 1:0, trigger in bits 3:2; 3 is low, 3 is level [ACPI 6.5, table 5.26]. "Conforms
    // to the bus" (0) is high and edge for ISA, the only bus there is here.
    return {entry.source, entry.interrupt, (entry.flags & 3) == 3, ((entry.flags >> 2) & 3) == 3};
}

Parsed<void> parse_madt_entry(MadtType type, Bytes body, AcpiInfo& out) {
    constexpr const char* kTooShort = "acpi: MADT entry too short";
    switch (type) {
    case MadtType::LocalApic: {
        const auto entry = TRY(read_object<MadtLocalApic>(body, 0, kTooShort));
        out.add_cpu(entry.apic_id, entry.flags);
        return {};
    }
    case MadtType::LocalX2Apic: {
        const auto entry = TRY(read_object<MadtLocalX2Apic>(body, 0, kTooShort));
        out.add_cpu(entry.apic_id, entry.flags);
        return {};
    }
    case MadtType::IoApic: {
        const auto entry = TRY(read_object<MadtIoApic>(body, 0, kTooShort));
        out.add_io_apic({entry.id, PhysAddr(entry.address), entry.first_interrupt});
        return {};
    }
    case MadtType::Override:
        out.add_override(decode_override(TRY(read_object<MadtOverride>(body, 0, kTooShort))));
        return {};
    case MadtType::LocalApicAddress:
        out.local_apic = PhysAddr(TRY(read_object<MadtLocalApicAddress>(body, 0, kTooShort)).address);
        return {};
    }
    return {};
}

Parsed<void> parse_madt(Bytes table, AcpiInfo& out) {
    ByteReader reader(table.subspan(sizeof(TableHeader)));
    const auto header = TRY(reader.take<MadtHeader>("acpi: MADT too short"));
    out.local_apic = PhysAddr(header.local_apic);
    out.has_legacy_pics = (header.flags & 1) != 0;
    while (!reader.at_end()) {
        const u64 at = sizeof(TableHeader) + reader.position();
        const auto entry = TRY(reader.take<MadtEntry>("acpi: MADT entry cut off"));
        if (entry.length < sizeof(MadtEntry))
            return parse_error("acpi: MADT entry shorter than its header", at);
        const Bytes body = TRY(reader.take_bytes(entry.length - sizeof(MadtEntry), "acpi: MADT entry cut off"));
        TRY(parse_madt_entry(static_cast<MadtType>(entry.type), body, out));
    }
    if (out.apic_ids().empty())
        return parse_error("acpi: MADT lists no enabled CPU", 0);
    return {};
}

// The timer is a convenience: whatever is wrong here means that there is none.
void parse_fadt(Bytes table, AcpiInfo& out) {
    const auto flags = read_object<u32>(table, kFadtFlags, "");
    out.pm_timer_is_32_bit = flags && (*flags & kFadtFlagTimer32) != 0;
    const auto extended = read_object<GenericAddress>(table, kFadtExtendedPmTimer, "");
    if (extended && extended->address != 0) {
        if (extended->space == kSpaceIo && extended->address <= 0xffff)
            out.pm_timer_port = static_cast<u16>(extended->address);
        return;
    }
    const auto port = read_object<u32>(table, kFadtPmTimer, "");
    const auto length = read_object<u8>(table, kFadtPmTimerLength, "");
    if (port && length && *length == 4 && *port != 0 && *port <= 0xffff)
        out.pm_timer_port = static_cast<u16>(*port);
}

} // namespace

std::optional<u64> find_rsdp(Bytes area) {
    for (u64 at = 0; range_fits(at, sizeof(Rsdp), area.size()); at += 16)
        if (is_rsdp(area.subspan(at, sizeof(Rsdp))))
            return at;
    return std::nullopt;
}

Parsed<AcpiTables> AcpiTables::open(PhysReader& memory, PhysAddr at) {
    constexpr const char* kOutOfReach = "acpi: RSDP out of reach";
    const Bytes bytes = TRY(memory.bytes(at, sizeof(Rsdp), kOutOfReach));
    if (!is_rsdp(bytes))
        return parse_error("acpi: RSDP signature or checksum is wrong", at.value());
    const auto rsdp = TRY(read_object<Rsdp>(bytes, 0, kOutOfReach));
    if (rsdp.revision >= 2) {
        const auto extension = TRY(memory.object<RsdpExtension>(at + sizeof(Rsdp), kOutOfReach));
        if (extension.length < sizeof(Rsdp) + sizeof(RsdpExtension) || extension.length > kMaxTableSize)
            return parse_error("acpi: RSDP of an implausible length", at.value());
        if (!sums_to_zero(TRY(memory.bytes(at, extension.length, kOutOfReach))))
            return parse_error("acpi: RSDP extended checksum is wrong", at.value());
        if (extension.xsdt != 0)
            return AcpiTables(memory, TRY(read_root_table(memory, PhysAddr(extension.xsdt), "XSDT")), 8);
    }
    return AcpiTables(memory, TRY(read_root_table(memory, PhysAddr(rsdp.rsdt), "RSDT")), 4);
}

Parsed<std::optional<Bytes>> AcpiTables::find(StringView signature) const {
    ByteReader reader(entries_);
    while (reader.remaining() >= entry_size_) {
        constexpr const char* kCutOff = "acpi: root table entry cut off";
        const PhysAddr at(entry_size_ == 8 ? TRY(reader.take<u64>(kCutOff)) : TRY(reader.take<u32>(kCutOff)));
        const auto header = memory_->view(at, sizeof(TableHeader));
        if (!header || header->size() < 4 || StringView::from_bytes(header->first(4)) != signature)
            continue;
        return std::optional<Bytes>(TRY(read_table(*memory_, at)));
    }
    return std::optional<Bytes>();
}

void AcpiInfo::add_cpu(u32 apic_id, u32 flags) {
    if ((flags & kCpuEnabled) == 0) {
        ++disabled_cpus;
        return;
    }
    for (const u32 known : apic_ids())
        if (known == apic_id)
            return; // ids below 255 may be listed as APIC and as x2APIC [ACPI 6.5, 5.2.12.12]
    if (cpu_count_ < kMaxCpus)
        apic_ids_[cpu_count_++] = apic_id;
    else
        ++ignored_cpus;
}

void AcpiInfo::add_io_apic(const IoApicInfo& io_apic) {
    if (io_apic_count_ < kMaxIoApics)
        io_apics_[io_apic_count_++] = io_apic;
    else
        ++ignored_entries;
}

void AcpiInfo::add_override(const InterruptOverride& entry) {
    if (override_count_ < kMaxOverrides)
        overrides_[override_count_++] = entry;
    else
        ++ignored_entries;
}

Parsed<void> parse_acpi(PhysReader& memory, PhysAddr rsdp, AcpiInfo& out) {
    out = AcpiInfo{};
    const AcpiTables tables = TRY(AcpiTables::open(memory, rsdp));
    const auto madt = TRY(tables.find("APIC"));
    if (!madt)
        return parse_error("acpi: there is no MADT", rsdp.value());
    TRY(parse_madt(*madt, out));
    const auto fadt = tables.find("FACP");
    if (fadt && *fadt)
        parse_fadt(**fadt, out);
    return {};
}

} // namespace tollgate
