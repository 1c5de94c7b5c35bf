// The areas of one address space, disjoint and sorted by address in a balanced tree whose nodes know the largest gap
// below them: finding an area, and a place for a new one, takes logarithmic time. Knows nothing of pages. The owner
// locks.
#pragma once

#include "lib/address.h"
#include "mem/area.h"

namespace tollgate {

/// Null pointers stay unmapped [man 2 mmap, mmap_min_addr].
inline constexpr u64 kMinUserAddress = 0x10000;

class AreaMap {
public:
    /// The first area that ends above the address; null if none does.
    Area* at_or_above(u64 address) const {
        return areas_.find_first([=](const Area& area) { return area.end <= address; });
    }
    Area* find(u64 address) const {
        Area* area = at_or_above(address);
        return area && area->start <= address ? area : nullptr;
    }
    Area* next(const Area& area) const { return areas_.next(area); }
    Area* first() const { return areas_.first(); }
    Area* last() const { return areas_.last(); }
    /// The area below this one, or the last if that is null.
    Area* below(const Area* area) const { return area ? areas_.previous(*area) : areas_.last(); }
    bool is_free(u64 start, u64 end) const {
        const Area* area = at_or_above(start);
        return area == nullptr || area->start >= end;
    }
    size_t size() const { return areas_.size(); }

    /// The highest address below `top` where `length` bytes are free; 0 if there is none.
    u64 find_gap(u64 length, u64 top) const;

    /// Adds an area, which overlaps no other, or removes it; and tells its object. The map does not own areas.
    void insert(Area& area);
    void remove(Area& area);
    /// Adds `upper`, which is what `area` is from there on.
    void split(Area& area, Area& upper);
    /// Removes `above`, which `area` becomes part of.
    void absorb(Area& area, Area& above);
    /// Moves an end of an area; the range stays clear of the neighbours. The offset follows the start.
    void set_start(Area& area, u64 start);
    void set_end(Area& area, u64 end);

    /// Whether `right` goes on where `left` ends, in every respect.
    static bool continues(const Area& left, const Area& right);

private:
    void set_gap(Area* area, u64 from);
    u64 gap_below(const Area* area, u64 length, u64 top) const;

    Tree<Area, &Area::tree> areas_;
};

} // namespace tollgate
