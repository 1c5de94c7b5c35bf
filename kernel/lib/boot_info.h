// BootInfo: what the kernel learns from whoever loaded it, whatever the protocol. multiboot2.cpp and pvh.cpp fill one;
// the rest of the boot reads only this. It owns its contents, so that the loader's memory may be reused.
#pragma once

#include "lib/address.h"
#include "lib/fixed_string.h"
#include "lib/parse_error.h"

#include <array>
#include <optional>
#include <span>

namespace tollgate {

struct MemoryRegion {
    /// In rising priority: where two regions overlap, the later kind wins.
    enum class Kind : u8 { Usable, AcpiReclaimable, AcpiNvs, Reserved, Bad };

    PhysAddr base;
    u64 length = 0;
    Kind kind = Kind::Reserved;

    constexpr PhysAddr end() const { return base + length; }
    friend constexpr bool operator==(const MemoryRegion&, const MemoryRegion&) = default;
};

const char* memory_kind_name(MemoryRegion::Kind kind);

/// The kind for an E820 type, which Multiboot2 and PVH share [ACPI 6.5, 15, table 15.4]. Unknown types are reserved.
MemoryRegion::Kind memory_kind_from_e820(u32 type);

/// The physical memory map. Filled by add(), then made orderly by normalise().
class MemoryMap {
public:
    static constexpr size_t kMaxRegions = 128;
    /// No x86-64 CPU has more physical address bits than 52 [SDM vol 3, 4.1.4].
    static constexpr u64 kPhysicalLimit = u64{1} << 52;

    /// Error: the region wraps or ends beyond kPhysicalLimit, or the table is full. Empty regions are dropped.
    Parsed<void> add(MemoryRegion region);

    /// Sorts, resolves overlaps by priority, aligns to pages (usable regions shrink, all others grow), and joins
    /// neighbours of one kind. Error: more than kMaxRegions result, or no usable memory is left.
    Parsed<void> normalise();

    std::span<const MemoryRegion> regions() const { return {regions_.data(), count_}; }
    u64 usable_bytes() const;

private:
    std::array<MemoryRegion, kMaxRegions> regions_{};
    size_t count_ = 0;
};

struct PhysRange {
    PhysAddr base;
    u64 length = 0;

    constexpr PhysAddr end() const { return base + length; }
};

struct BootInfo {
    static constexpr size_t kMaxCommandLine = 2048;

    const char* protocol = "none";
    FixedString<kMaxCommandLine> command_line; ///< truncated() tells when it was longer.
    MemoryMap memory;
    std::optional<PhysRange> initial_archive; ///< The first boot module.
    u32 ignored_modules = 0;                  ///< Modules after the first.
    std::optional<PhysAddr> rsdp;             ///< ACPI root pointer, if the protocol gives it.
};

} // namespace tollgate
