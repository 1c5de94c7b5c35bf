// What an address space is made of: areas, each a range of pages with one origin and one set of rights.
#pragma once

#include "lib/list.h"
#include "lib/ref.h"
#include "lib/tree.h"
#include "mem/access.h"

namespace tollgate {

class AddressSpace;
class MemoryObject;

/// Why an area is there; decides what user calls may do to it, and whether fork() takes it along.
enum class AreaKind : u8 {
    Anonymous,
    Stack,
    Heap,   ///< brk
    Image,  ///< of a file
    Pinned, ///< frames that the kernel gave this one process (FlexSC pages): munmap, mprotect and MAP_FIXED over it are
            ///< refused; fork() leaves it out
    Fastcall, ///< the same, of a fastcall
    Guard,    ///< nothing is ever mapped here: refused likewise, but the child has it too
    Vdso,     ///< frames that every process has: refused likewise, but the child has it too
};

/// Where a mapping may go. Anywhere: at the hint if that is free. Fixed: there, and what was there is unmapped first.
/// FixedNoReplace: there, or Errno::Exist.
enum class Placement : u8 { Anywhere, Fixed, FixedNoReplace };

/// What a child gets of an area (MADV_DONTFORK, MADV_WIPEONFORK).
enum class Inherit : u8 { Copy, Nothing, Zeros };

/// A range and what there is to know about it.
struct AreaShape {
    u64 start, end;
    Access access;
    AreaKind kind;
    Sharing sharing = Sharing::Private;
    Access limit = Access::ReadWrite; ///< what mprotect may raise a shared area to
    Inherit inherit = Inherit::Copy;
    Ref<MemoryObject> object{}; ///< null: zeros
    u64 offset = 0;             ///< in the object, of `start`

    AreaShape(u64 start, u64 end, Access access, AreaKind kind);
    AreaShape(const AreaShape& other);
    ~AreaShape();

    u64 size() const { return end - start; }
    /// Where in the object an address of the area is.
    u64 offset_of(u64 address) const { return offset + (address - start); }
    /// Whether user calls may not touch it.
    bool is_reserved() const { return kind >= AreaKind::Pinned; }
    /// Whether it belongs to one process and not to its children.
    bool is_own() const { return kind == AreaKind::Pinned || kind == AreaKind::Fastcall; }
    /// Whether a store through the area, now or after mprotect, changes the object.
    bool may_write_object() const { return object && sharing == Sharing::Shared && limit == Access::ReadWrite; }
    /// Counted against RLIMIT_DATA.
    bool is_data() const {
        return sharing == Sharing::Private && access == Access::ReadWrite && kind != AreaKind::Stack;
    }
    /// The same in another place; an object is seen from `object_offset` on.
    AreaShape at(u64 new_start, u64 length, u64 object_offset) const;
};

/// One area of a space.
struct Area : AreaShape {
    Area(const AreaShape& shape, AddressSpace* owner);
    ~Area();

    AddressSpace* const space;
    u64 gap = 0;         ///< free bytes between the area below and this one
    u64 largest_gap = 0; ///< of this area and all below it in the tree
    TreeLink<Area> tree{};
    ListLink<Area> object_link{}; ///< on the object's list of areas, under its mappings_lock_

    bool summarise(const Area* left, const Area* right) {
        const u64 before = largest_gap;
        largest_gap = gap;
        if (left && left->largest_gap > largest_gap)
            largest_gap = left->largest_gap;
        if (right && right->largest_gap > largest_gap)
            largest_gap = right->largest_gap;
        return largest_gap != before;
    }
};

} // namespace tollgate
