#include "mem/area_map.h"

#include "mem/memory_object.h"

namespace tollgate {

// Here, since an area is defined before the objects that it refers to.
AreaShape::AreaShape(u64 start_, u64 end_, Access access_, AreaKind kind_)
    : start(start_), end(end_), access(access_), kind(kind_) {}
AreaShape::AreaShape(const AreaShape&) = default;
AreaShape::~AreaShape() = default;
Area::Area(const AreaShape& shape, AddressSpace* owner) : AreaShape(shape), space(owner) {}
Area::~Area() = default;

AreaShape AreaShape::at(u64 new_start, u64 length, u64 object_offset) const {
    AreaShape shape = *this;
    shape.start = new_start;
    shape.end = new_start + length;
    shape.offset = object_offset;
    return shape;
}

// To the right first, where the addresses are high. Only gaps that `top` cuts make it look in vain, and those are few:
// the stack and what the kernel put beside it lie up there.
u64 AreaMap::gap_below(Area* area, u64 length, u64 top) const {
    const auto worthwhile = [length](const Area* at) { return at && at->largest_gap >= length; };
    for (; worthwhile(area); area = areas_.left(*area)) {
        if (Area* right = areas_.right(*area); worthwhile(right))
            if (const u64 found = gap_below(right, length, top))
                return found;
        const u64 end = area->start < top ? area->start : top, start = area->start - area->gap;
        if (end > start && end - start >= length) {
            recent_ = area; // whoever puts something there asks for it next
            return end - length;
        }
    }
    return 0;
}

u64 AreaMap::find_gap(u64 length, u64 top) const {
    const Area* last = areas_.last();
    const u64 above = last ? last->end : kMinUserAddress;
    if (top > above && top - above >= length)
        return top - length;
    return gap_below(areas_.root(), length, top);
}

/// Tells an area where the one below it ends now.
void AreaMap::set_gap(Area* area, u64 from) {
    if (area == nullptr)
        return;
    area->gap = area->start > from ? area->start - from : 0;
    areas_.changed(*area);
}

void AreaMap::insert(Area* above, Area& area) {
    if (above != nullptr) {
        ASSERT(above->start >= area.end);
        const u64 from = above->start - above->gap;
        area.gap = area.start > from ? area.start - from : 0;
        above->gap = above->start - area.end;
    } else {
        const Area* under = areas_.last();
        const u64 from = under ? under->end : kMinUserAddress;
        ASSERT(under == nullptr || from <= area.start);
        area.gap = area.start > from ? area.start - from : 0;
    }
    areas_.insert_before(above, area);
    recent_ = &area;
    if (area.object)
        area.object->add_mapping(area);
}

void AreaMap::tell_removed(Area& area) {
    if (area.object)
        area.object->remove_mapping(area);
}

void AreaMap::take_out(Area& area) {
    if (recent_ == &area)
        recent_ = nullptr;
    areas_.remove(area);
    tell_removed(area);
}

void AreaMap::remove(Area& area) {
    if (Area* above = areas_.next(area))
        above->gap += area.size() + area.gap;
    take_out(area);
}

void AreaMap::split(Area& area, Area& upper) {
    area.end = upper.start; // the gap above stays what it is: `upper` ends where `area` did
    insert(areas_.next(area), upper);
}

void AreaMap::absorb(Area& area, Area& above) {
    take_out(above);
    area.end = above.end;
}

void AreaMap::set_start(Area& area, u64 start) {
    const u64 from = area.start - area.gap;
    area.offset += start - area.start;
    area.start = start;
    set_gap(&area, from);
}

void AreaMap::set_end(Area& area, u64 end) {
    area.end = end;
    set_gap(areas_.next(area), end);
}

bool AreaMap::continues(const Area& left, const Area& right) {
    return left.end == right.start && left.access == right.access && left.kind == right.kind &&
           left.sharing == right.sharing && left.limit == right.limit && left.inherit == right.inherit &&
           left.object == right.object && (!left.object || left.offset + left.size() == right.offset) &&
           !left.is_reserved();
}

} // namespace tollgate
