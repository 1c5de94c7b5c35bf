// Pages come at the first touch: zeros, or the object's. A private page that somebody else has too (a parent, a child,
// a file) is not writable, whatever its area says: the first write gets a copy, or the very frame if everybody else has
// let go of it meanwhile. That only this space holds it is certain then: who wants one more reference must have one.
#include "lib/memory.h"
#include "mem/address_space.h"
#include "mem/user_range.h"

namespace tollgate {
namespace {

FaultOutcome outcome_of(Errno error) {
    return error == Errno::Fault ? FaultOutcome::BusError : FaultOutcome::OutOfMemory;
}

bool allows(Access rights, AddressSpace::FaultAccess access) {
    switch (access) {
    case AddressSpace::FaultAccess::Read:
        return rights != Access::None;
    case AddressSpace::FaultAccess::Write:
        return rights == Access::ReadWrite;
    case AddressSpace::FaultAccess::Execute:
        return rights == Access::ReadExecute;
    }
    return false;
}

} // namespace

/// The page is there: makes its frame this space's own, and writable if the area is.
FaultOutcome AddressSpace::own_page_locked(Area& area, u64 page, u64* entry) {
    const PhysAddr frame{*entry & kPteAddress};
    if (area.sharing == Sharing::Shared || frames::references(frame) == 1 || mutant(Mutant::CowCopy)) {
        // No flush: a CPU that still knows the old entry faults once more, and finds this one.
        *entry = paging::make_entry(frame, area.access, Privilege::User);
        return FaultOutcome::Resolved;
    }
    Result<Frame> copy = Frame::allocate_copy(frame);
    if (!copy)
        return FaultOutcome::OutOfMemory;
    *entry = paging::make_entry(copy->leak(), area.access, Privilege::User);
    flush(page, page + kPageSize);
    (void)Frame::adopt(frame);
    return FaultOutcome::Resolved;
}

/// Brings a page in, whatever the area's rights are; with Page::Own a private one that may be written.
FaultOutcome AddressSpace::page_in_locked(Area& area, u64 page, Page which) {
    const Result<u64*> place = paging::find_entry(tables_locked(), page, true);
    if (!place)
        return FaultOutcome::OutOfMemory;
    u64* entry = *place;
    if (*entry != 0)
        return which == Page::Own ? own_page_locked(area, page, entry) : FaultOutcome::Resolved;
    Access access = area.access;
    Result<Frame> frame = area.object ? area.object->page(area.offset_of(page) / kPageSize) : Frame::allocate();
    if (!frame)
        return outcome_of(frame.error());
    if (area.object && area.sharing == Sharing::Private) {
        if (which == Page::Own) {
            Result<Frame> copy = Frame::allocate_copy(frame->address());
            if (!copy)
                return FaultOutcome::OutOfMemory;
            *frame = std::move(*copy);
        } else if (access == Access::ReadWrite) {
            access = Access::Read; // until it is written
        }
    }
    if (mutant(Mutant::ClearFrames) && !area.object && area.kind != AreaKind::Stack)
        memset(frame->data(), 0x5a, kPageSize);
    paging::set_entry(entry, paging::make_entry(frame->leak(), access, Privilege::User));
    resident_pages_.store(resident_pages_.load(kRelaxed) + 1, kRelaxed);
    return FaultOutcome::Resolved;
}

FaultOutcome AddressSpace::handle_fault(u64 address, FaultAccess access) {
    Guard guard{lock_};
    Area* area = areas_.find(address);
    if (area == nullptr || area->kind == AreaKind::Guard)
        return FaultOutcome::NoArea;
    if (!allows(area->access, access))
        return FaultOutcome::NoAccess;
    return page_in_locked(*area, align_down(address, kPageSize), access == FaultAccess::Write ? Page::Own : Page::Any);
}

Result<void> AddressSpace::populate(u64 address, u64 length) {
    const u64 end = TRY(end_of_range(address, length, Errno::NoMem));
    for (u64 page = address; page < end; page += kPageSize) {
        Guard guard{lock_}; // for each page: others may want the space meanwhile
        Area* area = areas_.at_or_above(page);
        if (area == nullptr || area->start >= end)
            break;
        if (area->access == Access::None || area->start > page) {
            page = (area->start > page ? area->start : area->end) - kPageSize;
            continue;
        }
        const Page which = area->access == Access::ReadWrite ? Page::Own : Page::Any;
        if (page_in_locked(*area, page, which) == FaultOutcome::OutOfMemory)
            return fail(Errno::NoMem);
    }
    return {};
}

Result<void> AddressSpace::write_bytes(u64 address, const void* from, u64 size) {
    const u8* bytes = static_cast<const u8*>(from);
    Guard guard{lock_};
    while (size > 0) {
        Area* area = areas_.find(address);
        if (area == nullptr || area->is_reserved())
            return fail(Errno::Fault);
        const u64 page = align_down(address, kPageSize), offset = address - page;
        const u64 chunk = size < kPageSize - offset ? size : kPageSize - offset;
        const FaultOutcome outcome = page_in_locked(*area, page, Page::Own);
        if (outcome != FaultOutcome::Resolved)
            return fail(outcome == FaultOutcome::OutOfMemory ? Errno::NoMem : Errno::Fault);
        const u64 entry = *TRY(paging::find_entry(tables_locked(), page, false));
        memcpy(direct<u8>(PhysAddr{entry & kPteAddress}) + offset, bytes, chunk);
        address += chunk;
        bytes += chunk;
        size -= chunk;
    }
    return {};
}

} // namespace tollgate
