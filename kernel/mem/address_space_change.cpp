// What is done to areas that are there: mprotect, madvise, mremap.
#include "mem/address_space.h"
#include "mem/user_range.h"

namespace tollgate {
namespace {

// [asm-generic/mman-common.h]
constexpr int kAdviseDontNeed = 4, kAdviseFree = 8, kAdviseDontFork = 10, kAdviseDoFork = 11, kAdviseWipeOnFork = 18,
              kAdviseKeepOnFork = 19, kAdvisePopulateRead = 22, kAdvisePopulateWrite = 23;
// [linux/mman.h]
constexpr u64 kMayMove = 1, kFixed = 2, kDontUnmap = 4;

/// Whether a CPU that still knows `before` could do what `after` forbids.
bool loses_rights(u64 before, u64 after) {
    return (before & ~after & (kPtePresent | kPteWrite)) != 0 || (after & ~before & kPteNoExecute) != 0;
}

} // namespace

/// Brings the entries of an area in line with its rights. A private page that others have too stays read-only.
void AddressSpace::set_rights_locked(Area& area) {
    paging::Slice slice;
    bool stale = false;
    for (u64 page = area.start; page < area.end && paging::next_slice(tables_locked(), page, area.end, slice);)
        for (unsigned i = 0; i < slice.count; ++i) {
            const u64 before = slice.entries[i];
            if (before == 0)
                continue;
            const PhysAddr frame{before & kPteAddress};
            const bool copy =
                area.access == Access::ReadWrite && area.sharing == Sharing::Private && frames::references(frame) != 1;
            const u64 after = paging::make_entry(frame, copy ? Access::Read : area.access, Privilege::User);
            slice.entries[i] = after;
            stale = stale || loses_rights(before, after);
        }
    if (stale)
        flush(area.start, area.end);
}

Result<void> AddressSpace::protect(u64 address, u64 length, Access access) {
    const u64 end = TRY(end_of_range(address, length, Errno::NoMem));
    if (end == address)
        return {};
    DeadAreas dead;
    Guard guard{lock_};
    Area* first = areas_.at_or_above(address);
    u64 covered = address;
    for (const Area* area = first; covered < end; area = areas_.next(*area)) {
        if (area == nullptr || area->start > covered)
            return fail(Errno::NoMem);
        const bool beyond_limit =
            area->sharing == Sharing::Shared && access == Access::ReadWrite && area->limit != Access::ReadWrite;
        if (area->is_reserved() || beyond_limit)
            return fail(Errno::Access);
        covered = area->end;
    }
    if (first->start < address || covered > end)
        first = TRY(isolate_locked(*first, address, end));
    for (Area* area = first;; area = areas_.next(*area)) {
        if (area->access != access) {
            const u64 was_data = area->is_data() ? area->size() : 0;
            area->access = access;
            data_bytes_ += (area->is_data() ? area->size() : 0) - was_data;
            set_rights_locked(*area);
        }
        if (area->end == end)
            break;
    }
    join_locked(*first, end, dead);
    return {};
}

Result<void> AddressSpace::advise(u64 address, u64 length, int advice) {
    const u64 end = TRY(end_of_range(address, length, Errno::Inval));
    const bool known = (advice >= 0 && advice <= kAdviseDontNeed) || advice == kAdviseFree ||
                       (advice >= kAdviseDontFork && advice <= kAdvisePopulateWrite);
    if (!known)
        return fail(Errno::Inval);
    if (end == address)
        return {};
    if (advice == kAdvisePopulateRead || advice == kAdvisePopulateWrite) {
        TRY(check_mapped(address, length));
        return populate(address, length);
    }
    const bool drops = advice == kAdviseDontNeed || advice == kAdviseFree;
    const bool inherits = advice == kAdviseDontFork || advice == kAdviseDoFork || advice == kAdviseWipeOnFork ||
                          advice == kAdviseKeepOnFork;
    DeadAreas dead;
    Guard guard{lock_};
    const bool mapped = mapped_locked(address, end);
    if (!drops && !inherits) // a hint about speed
        return mapped ? Result<void>{} : Result<void>{fail(Errno::NoMem)};
    for (const Area* area = areas_.at_or_above(address); area && area->start < end; area = areas_.next(*area)) {
        const bool anonymous = !area->object && area->sharing == Sharing::Private;
        if (area->is_reserved() || ((advice == kAdviseFree || advice == kAdviseWipeOnFork) && !anonymous))
            return fail(Errno::Inval);
    }
    Area* first = areas_.at_or_above(address);
    if (first && first->start < end && inherits)
        first = TRY(isolate_locked(*first, address, end));
    for (Area* area = first; area && area->start < end; area = areas_.next(*area)) {
        if (inherits)
            area->inherit = advice == kAdviseDontFork     ? Inherit::Nothing
                            : advice == kAdviseWipeOnFork ? Inherit::Zeros
                                                          : Inherit::Copy;
        else
            clear_pages_locked(area->start > address ? area->start : address, area->end < end ? area->end : end);
    }
    if (inherits && first)
        join_locked(*first, end, dead);
    return mapped ? Result<void>{} : Result<void>{fail(Errno::NoMem)}; // holes are told, but the rest is done
}

/// Moves an area, or the first part of it that has old_length, to where the request says. `keep` leaves an empty area
/// behind (MREMAP_DONTUNMAP, and the second mapping that old_length 0 makes).
Result<u64> AddressSpace::move_locked(Area& area, u64 old_length, const MapRequest& request, bool keep,
                                      DeadAreas& dead) {
    const u64 from = area.start, length = request.length;
    Owned<Area> fresh = TRY(make_owned<Area>(area.at(0, length, area.offset), this));
    TRY(check_limits_locked(length > old_length ? length - old_length : 0, false));
    const u64 to = TRY(place_locked(request, length, dead));
    TRY(paging::move_range(tables_locked(), from, to, old_length < length ? old_length : length));
    flush(from, from + old_length);
    fresh->start = to;
    fresh->end = to + length;
    insert_locked(std::move(fresh), dead);
    if (!keep)
        TRY(unmap_locked(from, from + old_length, dead)); // a whole area: nothing to be split
    return to;
}

Result<u64> AddressSpace::remap(u64 address, u64 old_length, u64 new_length, u64 flags, u64 target) {
    const auto old_size = checked_align_up(old_length, kPageSize), new_size = checked_align_up(new_length, kPageSize);
    const bool fixed = flags & kFixed, may_move = flags & kMayMove, keep = flags & kDontUnmap;
    if (flags & ~(kMayMove | kFixed | kDontUnmap) || !is_aligned(address, kPageSize) || !new_size || *new_size == 0)
        return fail(Errno::Inval);
    if ((fixed || keep) && !may_move)
        return fail(Errno::Inval);
    if (!old_size || !range_fits(address, *old_size, user_top()))
        return fail(old_size && address < user_top() ? Errno::Fault : Errno::Inval);
    if (keep && *old_size != *new_size)
        return fail(Errno::Inval);
    if (fixed && (!good_range(target, *new_size) || (target < address + *old_size && address < target + *new_size)))
        return fail(Errno::Inval);
    if (*new_size > user_top())
        return fail(Errno::NoMem);
    const u64 end = address + *old_size;

    DeadAreas dead;
    Guard guard{lock_};
    Area* area = areas_.find(address);
    if (area == nullptr)
        return fail(Errno::Fault);
    if (area->is_reserved() || (fixed && reserved_locked(areas_.at_or_above(target), target + *new_size)))
        return fail(Errno::Inval);
    const bool duplicate = *old_size == 0; // of a shared mapping
    if ((duplicate && area->sharing != Sharing::Shared) || (keep && (area->object || duplicate)))
        return fail(Errno::Inval);
    if (end > area->end)
        return fail(Errno::Fault);
    if (!fixed && !keep && !duplicate) {
        if (*new_size <= *old_size) {
            if (*new_size < *old_size)
                TRY(unmap_locked(address + *new_size, end, dead));
            return address;
        }
        const u64 more = *new_size - *old_size;
        if (end == area->end && good_range(address, *new_size) && areas_.is_free(end, end + more)) {
            TRY(check_limits_locked(more, area->access == Access::ReadWrite && area->sharing == Sharing::Private));
            areas_.set_end(*area, end + more);
            account_locked(*area, static_cast<i64>(more));
            join_locked(*area, end + more, dead);
            return address;
        }
    }
    if (!may_move)
        return fail(Errno::NoMem);
    if (*new_size < *old_size)
        TRY(unmap_locked(address + *new_size, end, dead));
    const u64 moved = *new_size < *old_size ? *new_size : *old_size;
    area = areas_.find(address);
    const u64 offset = area->offset_of(address); // should the area begin below it
    if (!duplicate)
        area = TRY(isolate_locked(*area, address, address + moved));
    MapRequest request{
        .hint = target, .length = *new_size, .placement = fixed ? Placement::Fixed : Placement::Anywhere};
    if (duplicate) {
        Owned<Area> fresh = TRY(make_owned<Area>(area->at(0, *new_size, offset), this));
        TRY(check_limits_locked(*new_size, false));
        const u64 to = TRY(place_locked(request, *new_size, dead));
        fresh->start = to;
        fresh->end = to + *new_size;
        insert_locked(std::move(fresh), dead);
        return to;
    }
    return move_locked(*area, moved, request, keep, dead);
}

} // namespace tollgate
