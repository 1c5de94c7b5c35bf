// What page_table.cpp (the kernel's half) and space_tables.cpp (an address space's own) both need.
#pragma once

#include "mem/page_table.h"

namespace tollgate::paging {

inline constexpr unsigned kUserSlots = 256;
inline constexpr unsigned kImageSlot = 510, kFastcallSlot = 511; // in the PDPT of PML4 slot 511
inline constexpr u64 kTableFlags = kPtePresent | kPteWrite;

/// Written at boot, read-only afterwards.
struct SharedTables {
    bool pti = false;
    PhysAddr image_directory;    ///< page directory of the kernel image
    PhysAddr entry_directory;    ///< the same slot for user tables: entry text only
    PhysAddr fastcall_directory; ///< of spaces without a function
    u16 slots[kUserSlots] = {};
    unsigned slot_count = 0; ///< PML4 slots that every space copies
};
extern constinit SharedTables shared;

/// unmap_kernel() without the flush, which is left to the caller. Whether anything was mapped.
bool take_kernel(u64 address, std::span<PhysAddr> frames);

inline unsigned index(u64 address, unsigned level) { return address >> (12 + 9 * level) & 511; }
inline u64* table_at(u64 entry) { return direct<u64>(PhysAddr{entry & kPteAddress}); }

inline u64 access_bits(Access access) {
    switch (access) {
    case Access::None:
    case Access::Read:
        return kPteNoExecute;
    case Access::ReadWrite:
        return kPteNoExecute | kPteWrite;
    case Access::ReadExecute:
        return 0;
    }
    return kPteNoExecute;
}

} // namespace tollgate::paging
