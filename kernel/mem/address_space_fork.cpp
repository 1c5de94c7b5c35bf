// A child's copy of a space: the same frames, which neither may write any more (address_space_fault.cpp copies them one
// by one). Pages of shared objects are left out; the child finds them in the object.
#include "mem/address_space.h"

#include "lib/mutants.h"

namespace tollgate {

// The child's lock is not taken: nobody else knows the child.
Result<void> AddressSpace::copy_areas_to(AddressSpace& child) NO_THREAD_SAFETY_ANALYSIS {
    for (const Area* area = areas_.first(); area; area = areas_.next(*area)) {
        const bool own = area->is_own() && !(area->kind == AreaKind::Fastcall && mutant(Mutant::FastcallFork));
        if (own || area->inherit == Inherit::Nothing)
            continue;
        Owned<Area> copy = TRY(make_owned<Area>(static_cast<const AreaShape&>(*area), &child));
        child.account_locked(*copy, static_cast<i64>(copy->size()));
        child.areas_.insert(nullptr, *copy.release()); // they come in order
        if (area->kind == AreaKind::Guard || area->sharing == Sharing::Shared || area->inherit == Inherit::Zeros)
            continue;
        const Sharing how = area->kind == AreaKind::Vdso ? Sharing::Shared : Sharing::Private;
        const u64 pages = TRY(paging::share_range(tables_, child.tables_, area->start, area->end, how));
        child.resident_pages_.store(child.resident_pages_.load(kRelaxed) + pages, kRelaxed);
    }
    return {};
}

Result<void> AddressSpace::copy_to(AddressSpace& child) NO_THREAD_SAFETY_ANALYSIS {
    Guard guard{lock_};
    child.break_start_ = break_start_;
    child.break_ = break_;
    child.map_top_ = map_top_;
    child.limit_ = limit_;
    child.data_limit_ = data_limit_;
    const Result<void> copied = copy_areas_to(child);
    flush(0, kUserTop); // also after an error: what has been shared is read-only here
    return copied;
}

Result<Ref<AddressSpace>> AddressSpace::fork() {
    Ref<AddressSpace> child = TRY(create());
    TRY(copy_to(*child));
    return child;
}

void AddressSpace::drop_object_pages(const MemoryObject& object, u64 first_page, u64 page_count) {
    const u64 first = first_page * kPageSize, count = page_count * kPageSize;
    Guard guard{lock_};
    for (Area* area = areas_.first(); area; area = areas_.next(*area)) {
        if (area->object.get() != &object)
            continue;
        const u64 from = first > area->offset ? first - area->offset : 0;
        const u64 end = first + count > area->offset ? first + count - area->offset : 0;
        if (from < area->size() && end > from)
            clear_pages_locked(area->start + from, area->start + (end < area->size() ? end : area->size()));
    }
}

} // namespace tollgate
