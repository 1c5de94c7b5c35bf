// Questions about a space that change nothing.
#include "mem/address_space.h"
#include "mem/user_range.h"

namespace tollgate {

Result<void> AddressSpace::check_mapped(u64 address, u64 length) {
    const u64 end = TRY(end_of_range(address, length, Errno::NoMem));
    Guard guard{lock_};
    if (!mapped_locked(address, end))
        return fail(Errno::NoMem);
    return {};
}

Result<void> AddressSpace::residency(u64 address, std::span<u8> pages) {
    const u64 end = TRY(end_of_range(address, pages.size() * kPageSize, Errno::NoMem));
    Guard guard{lock_};
    if (!mapped_locked(address, end))
        return fail(Errno::NoMem);
    for (u8& each : pages)
        each = 0;
    paging::Slice slice;
    for (u64 page = address; paging::next_slice(tables_locked(), page, end, slice);)
        for (unsigned i = 0; i < slice.count; ++i)
            pages[(slice.page - address) / kPageSize + i] = slice.entries[i] != 0;
    for (const Area* area = areas_.find(address); area && area->start < end; area = areas_.next(*area)) {
        if (!area->object)
            continue;
        const u64 stop = area->end < end ? area->end : end;
        for (u64 page = area->start > address ? area->start : address; page < stop; page += kPageSize)
            pages[(page - address) / kPageSize] |= area->object->has_page(area->offset_of(page) / kPageSize);
    }
    return {};
}

Result<AreaInfo> AddressSpace::area_after(u64 address) {
    Ref<MemoryObject> object; // asked for its name without the lock
    AreaInfo info{};
    {
        Guard guard{lock_};
        const Area* area = areas_.at_or_above(address);
        if (area == nullptr)
            return fail(Errno::NoEnt);
        info = {area->start, area->end, area->offset, area->access, area->kind, area->sharing, {}};
        object = area->object;
    }
    if (object)
        object->identify(info.object);
    return info;
}

SharedKey AddressSpace::shared_key(u64 address) {
    Guard guard{lock_};
    const Area* area = areas_.find(address);
    if (area == nullptr || area->sharing != Sharing::Shared)
        return {};
    return {area->object, area->offset_of(address)};
}

unsigned AddressSpace::audit() {
    Guard guard{lock_};
    return paging::audit(tables_locked());
}

bool AddressSpace::user_executable(u64 address) {
    Guard guard{lock_};
    const Result<u64*> entry = paging::find_entry(tables_locked(), address, false);
    return entry.has_value() && (**entry & (kPtePresent | kPteUser | kPteNoExecute)) == (kPtePresent | kPteUser);
}

} // namespace tollgate
