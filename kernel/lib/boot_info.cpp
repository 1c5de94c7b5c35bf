// The memory map's arithmetic: firmware maps come unsorted, overlapping and unaligned, and the frame allocator must not
// see that.
#include "lib/boot_info.h"

namespace tollgate {

namespace {

using Kind = MemoryRegion::Kind;

// Usable memory may only lose bytes by alignment, everything else may only gain.
MemoryRegion page_aligned(const MemoryRegion& region) {
    const bool shrink = region.kind == Kind::Usable;
    const PhysAddr base = shrink ? region.base.align_up() : region.base.align_down();
    const PhysAddr end = shrink ? region.end().align_down() : region.end().align_up();
    return {base, end > base ? end - base : 0, region.kind};
}

template <size_t N>
void sort(std::array<u64, N>& values, size_t count) {
    for (size_t i = 1; i < count; ++i) {
        const u64 value = values[i];
        size_t at = i;
        for (; at > 0 && values[at - 1] > value; --at)
            values[at] = values[at - 1];
        values[at] = value;
    }
}

} // namespace

const char* memory_kind_name(MemoryRegion::Kind kind) {
    switch (kind) {
    case Kind::Usable:
        return "usable";
    case Kind::AcpiReclaimable:
        return "ACPI reclaimable";
    case Kind::AcpiNvs:
        return "ACPI NVS";
    case Kind::Reserved:
        return "reserved";
    case Kind::Bad:
        return "bad";
    }
    return "?";
}

MemoryRegion::Kind memory_kind_from_e820(u32 type) {
    switch (type) {
    case 1:
        return Kind::Usable;
    case 3:
        return Kind::AcpiReclaimable;
    case 4:
        return Kind::AcpiNvs;
    case 5:
        return Kind::Bad;
    default:
        return Kind::Reserved;
    }
}

Parsed<void> MemoryMap::add(MemoryRegion region) {
    if (region.length == 0)
        return {};
    if (!range_fits(region.base.value(), region.length, kPhysicalLimit))
        return parse_error("a memory region ends beyond the physical address space", region.base.value());
    if (count_ == kMaxRegions)
        return parse_error("too many memory regions", region.base.value());
    regions_[count_++] = region;
    return {};
}

// Every region boundary cuts the address space; between two neighbouring cuts the kind is that of the strongest region
// there.
Parsed<void> MemoryMap::normalise() {
    std::array<u64, 2 * kMaxRegions> cuts{};
    size_t cut_count = 0;
    for (size_t i = 0; i < count_; ++i) {
        regions_[i] = page_aligned(regions_[i]);
        if (regions_[i].length == 0)
            continue;
        cuts[cut_count++] = regions_[i].base.value();
        cuts[cut_count++] = regions_[i].end().value();
    }
    sort(cuts, cut_count);

    std::array<MemoryRegion, kMaxRegions> result{};
    size_t result_count = 0;
    bool any_usable = false;
    for (size_t i = 0; i + 1 < cut_count; ++i) {
        const PhysAddr base(cuts[i]);
        const u64 length = cuts[i + 1] - cuts[i];
        std::optional<Kind> strongest;
        for (size_t j = 0; j < count_; ++j) {
            const MemoryRegion& region = regions_[j];
            if (region.base <= base && base < region.end() && (!strongest || region.kind > *strongest))
                strongest = region.kind;
        }
        if (length == 0 || !strongest)
            continue;
        any_usable |= *strongest == Kind::Usable;
        MemoryRegion* const last = result_count > 0 ? &result[result_count - 1] : nullptr;
        if (last && last->kind == *strongest && last->end() == base) {
            last->length += length;
            continue;
        }
        if (result_count == kMaxRegions)
            return parse_error("too many memory regions after resolving overlaps", base.value());
        result[result_count++] = {base, length, *strongest};
    }
    regions_ = result;
    count_ = result_count;
    if (!any_usable)
        return parse_error("the memory map has no usable memory", 0);
    return {};
}

u64 MemoryMap::usable_bytes() const {
    u64 total = 0;
    for (const MemoryRegion& region : regions())
        if (region.kind == Kind::Usable)
            total += region.length;
    return total;
}

} // namespace tollgate
