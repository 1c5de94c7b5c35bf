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
        if (recent_ && recent_->end > address && recent_->start - recent_->gap <= address)
            return recent_;
        Area* found = areas_.find_first([=](const Area& area) { return area.end <= address; });
        if (found)
            recent_ = found;
        return found;
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

    /// Adds an area, which overlaps no other, or removes it; and tells its object. The map does not own areas. `above`
    /// is the area that the new one comes to lie below, null if it is the last.
    void insert(Area* above, Area& area);
    void insert(Area& area) { insert(at_or_above(area.start), area); }
    void remove(Area& area);
    /// Removes all of them; calls each(area) when it is out.
    template <class F>
    void dismantle(F each) {
        recent_ = nullptr;
        areas_.dismantle([&](Area& area) {
            tell_removed(area);
            each(area);
        });
    }
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
    u64 gap_below(Area* area, u64 length, u64 top) const;
    static void tell_removed(Area& area);
    void take_out(Area& area);

    /// What was found last: calls and faults come in series. Null or in the tree.
    mutable Area* recent_ = nullptr;
    Tree<Area, &Area::tree> areas_;
};

} // namespace tollgate
