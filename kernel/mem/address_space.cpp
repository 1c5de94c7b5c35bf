// Areas are a sorted list; pages come at the first touch and are private to the space. Entries change under the lock; a
// frame is given back only after every CPU that had the space loaded has flushed it.
#include "mem/address_space.h"

#include "cpu/tlb.h"
#include "debug/log.h"
#include "lib/memory.h"
#include "lib/mutants.h"

namespace tollgate {
namespace {

constexpr u64 kMapBase = 0x7f0000000000; // the first mmap goes below this
constexpr u64 kMinAddress = 0x10000;     // null pointers stay unmapped [man 2 mmap, mmap_min_addr]
constinit Atomic<u64> next_id{1};
using DestroyedHook = void (*)(AddressSpace&);
constinit DestroyedHook destroyed_hook = nullptr;

u64 user_top() { return mutant(Mutant::SysretTop) ? u64{1} << 47 : kUserTop; }

bool good_range(u64 start, u64 length) {
    return is_aligned(start, kPageSize) && length != 0 && length <= user_top() && start >= kMinAddress &&
           start <= user_top() - length;
}

} // namespace

void AddressSpace::set_destroyed_hook(void (*hook)(AddressSpace&)) { destroyed_hook = hook; }

AddressSpace::AddressSpace() : id_(next_id.fetch_add(1, kRelaxed)) {}

Result<Ref<AddressSpace>> AddressSpace::create() {
    Ref<AddressSpace> space = TRY(make_ref<AddressSpace>());
    space->tables_ = TRY(paging::create_space());
    return space;
}

AddressSpace::~AddressSpace() {
    if (destroyed_hook)
        destroyed_hook(*this);
    while (Area* area = areas_.pop_front())
        delete area;
    paging::destroy_space(tables_);
}

Area* AddressSpace::find_locked(u64 address) {
    for (Area& area : areas_) {
        if (address < area.start)
            return nullptr;
        if (address < area.end)
            return &area;
    }
    return nullptr;
}

bool AddressSpace::overlaps_pinned_locked(u64 start, u64 end) {
    for (Area& area : areas_)
        if (area.start < end && area.end > start && area.kind == AreaKind::Pinned)
            return true;
    return false;
}

// First fit from the top down, so that mappings stay clear of the heap. `hint` is honoured if it is free.
Result<u64> AddressSpace::find_gap_locked(u64 hint, u64 length) {
    const auto is_free = [&](u64 start) REQUIRES(lock_) {
        for (Area& area : areas_)
            if (area.start < start + length && area.end > start)
                return false;
        return true;
    };
    if (hint != 0 && good_range(hint, length) && is_free(hint))
        return hint;
    u64 end = kMapBase;
    for (Area* area = areas_.back(); area != nullptr; area = areas_.previous(*area)) {
        if (area->start >= end)
            continue;
        if (area->end <= end && end - area->end >= length)
            return end - length;
        end = area->start;
    }
    if (end >= kMinAddress && end - kMinAddress >= length)
        return end - length;
    return fail(Errno::NoMem);
}

Result<void> AddressSpace::insert_locked(u64 start, u64 end, Access access, AreaKind kind) {
    Area* before = nullptr;
    for (Area& area : areas_) {
        if (area.start >= end)
            break;
        before = &area;
    }
    mapped_bytes_ += end - start;
    // Neighbours of one kind become one area: malloc's many small mappings would make the list long.
    if (before != nullptr && before->end == start && before->access == access && before->kind == kind &&
        kind != AreaKind::Pinned) {
        before->end = end;
        return {};
    }
    Area* fresh = new (std::nothrow) Area{.start = start, .end = end, .access = access, .kind = kind};
    if (fresh == nullptr) {
        mapped_bytes_ -= end - start;
        return fail(Errno::NoMem);
    }
    Area* after = before == nullptr ? areas_.front() : areas_.next(*before);
    if (after == nullptr)
        areas_.push_back(*fresh);
    else
        areas_.insert_before(*after, *fresh);
    return {};
}

Result<void> AddressSpace::split_locked(u64 address) {
    Area* area = find_locked(address);
    if (area == nullptr || area->start == address)
        return {};
    Area* upper =
        new (std::nothrow) Area{.start = address, .end = area->end, .access = area->access, .kind = area->kind};
    if (upper == nullptr)
        return fail(Errno::NoMem);
    area->end = address;
    Area* after = areas_.next(*area);
    if (after == nullptr)
        areas_.push_back(*upper);
    else
        areas_.insert_before(*after, *upper);
    return {};
}

Result<u64> AddressSpace::map_anonymous(u64 hint, u64 length, Access access, AreaKind kind, Placement placement) {
    const auto rounded = checked_align_up(length, kPageSize);
    if (!rounded || *rounded == 0)
        return fail(length == 0 ? Errno::Inval : Errno::NoMem);
    Guard guard{lock_};
    u64 start = hint;
    if (placement == Placement::Anywhere) {
        start = TRY(find_gap_locked(align_down(hint, kPageSize), *rounded));
    } else {
        if (!is_aligned(hint, kPageSize))
            return fail(Errno::Inval);
        if (!good_range(hint, *rounded))
            return fail(Errno::NoMem);
        if (overlaps_pinned_locked(start, start + *rounded))
            return fail(Errno::Inval);
        if (placement == Placement::FixedNoReplace) {
            for (Area& area : areas_)
                if (area.start < start + *rounded && area.end > start)
                    return fail(Errno::Exist);
        } else {
            TRY(unmap_locked(start, start + *rounded));
        }
    }
    TRY(insert_locked(start, start + *rounded, access, kind));
    return start;
}

Result<u64> AddressSpace::map_pinned(std::span<const Frame> frames, Access access) {
    Guard guard{lock_};
    const u64 length = frames.size() * kPageSize;
    const u64 start = TRY(find_gap_locked(0, length));
    for (u64 i = 0; i < frames.size(); ++i) {
        // Entries first: if memory runs out for a table, nothing has to be taken back but tables, which go with the
        // space.
        (void)TRY(paging::find_entry(tables_locked(), start + i * kPageSize, true));
    }
    TRY(insert_locked(start, start + length, access, AreaKind::Pinned));
    for (u64 i = 0; i < frames.size(); ++i) {
        u64* entry = *paging::find_entry(tables_locked(), start + i * kPageSize, false);
        *entry = paging::make_entry(frames[i].share().leak(), access, Privilege::User);
    }
    return start;
}

void AddressSpace::unmap_pinned(u64 address, u64 length) {
    Guard guard{lock_};
    (void)unmap_locked(address, address + length);
}

// Splits at both ends, drops the areas between, then the pages. Fails before it changes anything.
Result<void> AddressSpace::unmap_locked(u64 start, u64 end) {
    TRY(split_locked(start));
    TRY(split_locked(end));
    for (Area& area : areas_) {
        if (area.start >= end)
            break;
        if (area.end <= start)
            continue;
        mapped_bytes_ -= area.end - area.start;
        areas_.remove(area);
        // Pages are collected in batches: taken out of the tables, flushed everywhere, then freed.
        for (u64 page = area.start; page < area.end;) {
            PhysAddr batch[32];
            unsigned count = 0;
            const u64 batch_start = page;
            for (; count < 32; page += kPageSize) {
                u64* entry = paging::next_entry(tables_locked(), page, area.end);
                if (entry == nullptr)
                    break;
                if (*entry == 0)
                    continue;
                batch[count++] = PhysAddr{*entry & kPteAddress};
                *entry = 0;
            }
            if (count == 0)
                continue;
            flush(batch_start, page);
            for (unsigned i = 0; i < count; ++i)
                (void)Frame::adopt(batch[i]);
        }
        delete &area;
    }
    return {};
}

void AddressSpace::flush(u64 start, u64 end) {
    // seq_cst pairs with load(): a CPU that sets its bit after this read loads CR3 after the entries have changed.
    std::atomic_thread_fence(kSeqCst); // the entries' plain stores come first
    const u64 cpus = cpus_.load(kSeqCst);
    if (cpus != 0)
        tlb_shootdown(cpus, start, end);
}

Result<void> AddressSpace::unmap(u64 address, u64 length) {
    const auto rounded = checked_align_up(length, kPageSize);
    if (!is_aligned(address, kPageSize) || !rounded || *rounded == 0)
        return fail(Errno::Inval);
    if (*rounded > user_top() || address > user_top() - *rounded)
        return fail(Errno::Inval);
    Guard guard{lock_};
    if (overlaps_pinned_locked(address, address + *rounded))
        return fail(Errno::Inval);
    return unmap_locked(address, address + *rounded);
}

Result<void> AddressSpace::protect(u64 address, u64 length, Access access) {
    const auto rounded = checked_align_up(length, kPageSize);
    if (!is_aligned(address, kPageSize))
        return fail(Errno::Inval);
    if (!rounded || *rounded > user_top() || address > user_top() - *rounded)
        return fail(Errno::NoMem);
    if (*rounded == 0)
        return {};
    const u64 end = address + *rounded;
    Guard guard{lock_};
    u64 covered = address;
    for (Area& area : areas_) {
        if (area.end <= covered || area.start > covered)
            continue;
        if (area.kind == AreaKind::Pinned)
            return fail(Errno::Access);
        covered = area.end;
        if (covered >= end)
            break;
    }
    if (covered < end)
        return fail(Errno::NoMem);
    TRY(split_locked(address));
    TRY(split_locked(end));
    for (Area& area : areas_) {
        if (area.start >= end)
            break;
        if (area.end <= address)
            continue;
        area.access = access;
        for (u64 page = area.start; u64* entry = paging::next_entry(tables_locked(), page, area.end); page += kPageSize)
            if (*entry != 0)
                *entry = paging::make_entry(PhysAddr{*entry & kPteAddress}, access, Privilege::User);
    }
    flush(address, end);
    return {};
}

Result<u64> AddressSpace::map(const MapRequest& request) {
    if (request.object)
        return fail(Errno::NoSys);
    return map_anonymous(request.hint, request.length, request.access, request.kind, request.placement);
}
Result<Ref<AddressSpace>> AddressSpace::fork() { return fail(Errno::NoSys); }
Result<u64> AddressSpace::remap(u64, u64, u64, u64, u64) { return fail(Errno::NoSys); }
Result<void> AddressSpace::advise(u64, u64, int) { return fail(Errno::NoSys); }
Result<void> AddressSpace::residency(u64, std::span<u8>) { return fail(Errno::NoSys); }
Result<void> AddressSpace::check_mapped(u64, u64) { return fail(Errno::NoSys); }
Result<void> AddressSpace::populate(u64, u64) { return fail(Errno::NoSys); }
Result<AreaInfo> AddressSpace::area_after(u64 address) {
    Guard guard{lock_};
    for (Area& area : areas_)
        if (area.end > address)
            return AreaInfo{area.start, area.end, area.offset, area.access, area.kind, area.sharing, {}};
    return fail(Errno::NoEnt);
}
SharedKey AddressSpace::shared_key(u64) { return {}; }
void AddressSpace::set_map_top(u64) {}
void AddressSpace::set_limits(u64, u64) {}
void AddressSpace::drop_object_pages(const MemoryObject&, u64, u64) {}

void AddressSpace::set_break_start(u64 address) {
    Guard guard{lock_};
    break_start_ = break_ = align_up(address, kPageSize);
}

u64 AddressSpace::set_break(u64 address) {
    Guard guard{lock_};
    if (address < break_start_ || address >= kMapBase)
        return break_;
    const u64 old_end = align_up(break_, kPageSize), new_end = align_up(address, kPageSize);
    if (new_end > old_end) {
        for (Area& area : areas_)
            if (area.start < new_end && area.end > old_end)
                return break_;
        if (!insert_locked(old_end, new_end, Access::ReadWrite, AreaKind::Heap).has_value())
            return break_;
    } else if (new_end < old_end) {
        if (!unmap_locked(new_end, old_end).has_value())
            return break_;
    }
    return break_ = address;
}

Result<void> AddressSpace::populate_locked(u64 page, Area& area) {
    u64* entry = TRY(paging::find_entry(tables_locked(), page, true));
    if (*entry != 0)
        return {};
    Frame frame = TRY(Frame::allocate());
    if (mutant(Mutant::ClearFrames) && (area.kind == AreaKind::Anonymous || area.kind == AreaKind::Heap))
        memset(frame.data(), 0x5a, kPageSize);
    *entry = paging::make_entry(frame.leak(), area.access, Privilege::User);
    return {};
}

FaultOutcome AddressSpace::handle_fault(u64 address, FaultAccess access) {
    Guard guard{lock_};
    Area* area = find_locked(address);
    if (area == nullptr)
        return FaultOutcome::NoArea;
    switch (access) {
    case FaultAccess::Read:
        if (area->access == Access::None)
            return FaultOutcome::NoAccess;
        break;
    case FaultAccess::Write:
        if (area->access != Access::ReadWrite)
            return FaultOutcome::NoAccess;
        break;
    case FaultAccess::Execute:
        if (area->access != Access::ReadExecute)
            return FaultOutcome::NoAccess;
        break;
    }
    return populate_locked(align_down(address, kPageSize), *area).has_value() ? FaultOutcome::Resolved
                                                                              : FaultOutcome::OutOfMemory;
}

Result<void> AddressSpace::write_bytes(u64 address, const void* from, u64 size) {
    const u8* bytes = static_cast<const u8*>(from);
    Guard guard{lock_};
    while (size > 0) {
        Area* area = find_locked(address);
        if (area == nullptr || area->kind == AreaKind::Pinned)
            return fail(Errno::Fault);
        const u64 page = align_down(address, kPageSize), offset = address - page;
        const u64 chunk = size < kPageSize - offset ? size : kPageSize - offset;
        TRY(populate_locked(page, *area));
        const u64 entry = *TRY(paging::find_entry(tables_locked(), page, false));
        memcpy(direct<u8>(PhysAddr{entry & kPteAddress}) + offset, bytes, chunk);
        address += chunk;
        bytes += chunk;
        size -= chunk;
    }
    return {};
}

Result<void> AddressSpace::map_fastcall_page(u64 address, Frame frame, Access access) {
    ASSERT(address >= kFastcallSpace && address < kFastcallSpaceEnd);
    Guard guard{lock_};
    u64* entry = TRY(paging::find_entry(tables_locked(), address, true));
    ASSERT(*entry == 0);
    *entry = paging::make_entry(frame.leak(), access, Privilege::Kernel);
    return {};
}

void AddressSpace::unmap_fastcall_page(u64 address) {
    Guard guard{lock_};
    const Result<u64*> entry = paging::find_entry(tables_locked(), address, false);
    if (!entry.has_value() || **entry == 0)
        return;
    const PhysAddr frame{**entry & kPteAddress};
    **entry = 0;
    flush(address, address + kPageSize);
    (void)Frame::adopt(frame);
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
