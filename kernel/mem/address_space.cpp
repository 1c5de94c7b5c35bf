// Making and unmaking areas. Entries change under the lock; a frame is given back only after every CPU that had the
// space loaded has flushed it. Areas that go are freed after the lock, since with them may go the last reference to a
// file.
#include "mem/address_space.h"

#include "cpu/tlb.h"
#include "mem/user_range.h"

namespace tollgate {
namespace {

constexpr u64 kMapBase = 0x7f0000000000; // the first mmap goes below this
constexpr size_t kMostAreas = 65530;     // [man 2 mmap, ENOMEM; /proc/sys/vm/max_map_count]
constinit Atomic<u64> next_id{1};
using DestroyedHook = void (*)(AddressSpace&);
constinit DestroyedHook destroyed_hook = nullptr;

/// Keeps a file from being sealed while an area that may write it is on its way into the space.
class WritableClaim {
public:
    /// Errno::Perm: it is sealed already.
    Result<void> make(const AreaShape& shape) {
        if (shape.may_write_object()) {
            TRY(shape.object->begin_writable_mapping());
            object_ = shape.object.get();
        }
        return {};
    }
    ~WritableClaim() {
        if (object_ != nullptr)
            object_->end_writable_mapping();
    }

private:
    MemoryObject* object_ = nullptr; // whoever makes the area holds a reference
};

} // namespace

void AddressSpace::set_destroyed_hook(void (*hook)(AddressSpace&)) { destroyed_hook = hook; }

AddressSpace::AddressSpace() : id_(next_id.fetch_add(1, kRelaxed)), map_top_(kMapBase) {}

Result<Ref<AddressSpace>> AddressSpace::create() {
    Ref<AddressSpace> space = TRY(make_ref<AddressSpace>());
    space->tables_ = TRY(paging::create_space());
    return space;
}

// Nobody else knows the space any more, but an object that shrinks may still find it: try_retain() fails then.
AddressSpace::~AddressSpace() NO_THREAD_SAFETY_ANALYSIS {
    if (destroyed_hook && fastcall_state.load(kRelaxed))
        destroyed_hook(*this);
    paging::destroy_space(tables_); // before the areas' objects, which may hold the last reference to a frame
    areas_.dismantle([](Area& area) { delete &area; });
}

AddressSpace::DeadAreas::~DeadAreas() {
    while (Area* area = list_.pop_front())
        delete area;
}

void AddressSpace::account_locked(const Area& area, i64 bytes) {
    mapped_bytes_.store(mapped_bytes_.load(kRelaxed) + static_cast<u64>(bytes), kRelaxed);
    if (area.is_data())
        data_bytes_ += static_cast<u64>(bytes);
}

Result<void> AddressSpace::check_limits_locked(u64 more, bool data) const {
    if (areas_.size() >= kMostAreas || !range_fits(mapped_bytes(), more, limit_))
        return fail(Errno::NoMem);
    if (data && !range_fits(data_bytes_, more, data_limit_))
        return fail(Errno::NoMem);
    return {};
}

/// Whether one of the areas from `first` to `end` is out of user calls' reach.
bool AddressSpace::reserved_locked(const Area* first, u64 end) const {
    for (const Area* area = first; area && area->start < end; area = areas_.next(*area))
        if (area->is_reserved())
            return true;
    return false;
}

bool AddressSpace::mapped_locked(u64 start, u64 end) const {
    for (const Area* area = areas_.at_or_above(start); start < end; area = areas_.next(*area)) {
        if (area == nullptr || area->start > start)
            return false;
        start = area->end;
    }
    return true;
}

/// Where a new area goes; whatever was there is gone then.
Result<u64> AddressSpace::place_locked(const MapRequest& request, u64 length, DeadAreas& dead) {
    if (request.placement == Placement::Anywhere) {
        const u64 hint = align_down(request.hint, kPageSize);
        if (hint != 0 && good_range(hint, length) && areas_.is_free(hint, hint + length))
            return hint;
        for (const u64 top : {map_top_, user_top()}) // from the top down, clear of the heap
            if (const u64 start = areas_.find_gap(length, top < request.below ? top : request.below))
                return start;
        return fail(Errno::NoMem);
    }
    const u64 start = request.hint;
    if (!is_aligned(start, kPageSize))
        return fail(Errno::Inval);
    if (!good_range(start, length))
        return fail(Errno::NoMem);
    Area* there = areas_.at_or_above(start);
    if (reserved_locked(there, start + length))
        return fail(Errno::Inval);
    if (request.placement == Placement::Fixed)
        TRY(unmap_from_locked(there, start, start + length, dead));
    else if (!areas_.is_free(start, start + length))
        return fail(Errno::Exist);
    return start;
}

/// Neighbours that continue each other become one area: malloc's many small mappings would make the tree large.
void AddressSpace::insert_locked(Owned<Area> area, DeadAreas& dead) {
    account_locked(*area, static_cast<i64>(area->size()));
    Area* above = areas_.at_or_above(area->start);
    // Nothing can continue across a gap, and with one there is no need to know what lies below.
    Area* below = above && above->start - above->gap < area->start ? nullptr : areas_.below(above);
    if (below && AreaMap::continues(*below, *area)) {
        const bool joins = above && AreaMap::continues(*area, *above);
        areas_.set_end(*below, area->end);
        if (joins) {
            areas_.absorb(*below, *above);
            dead.add(*above);
        }
    } else if (above && AreaMap::continues(*area, *above)) {
        areas_.set_start(*above, area->start);
    } else {
        areas_.insert(above, *area.release());
        return;
    }
    dead.add(*area.release()); // it may hold a reference to an object
}

/// Makes two areas of one; the upper one. Errno::NoMem.
Result<Area*> AddressSpace::split_locked(Area& area, u64 address) {
    if (areas_.size() >= kMostAreas)
        return fail(Errno::NoMem);
    Owned<Area> upper = TRY(make_owned<Area>(area.at(address, area.end - address, area.offset_of(address)), this));
    areas_.split(area, *upper);
    return upper.release();
}

/// Splits at both ends of a range, which begins in `first`; the area that begins there then. Errno::NoMem.
Result<Area*> AddressSpace::isolate_locked(Area& first, u64 start, u64 end) {
    Area* lowest = &first;
    if (first.start < start)
        lowest = TRY(split_locked(first, start));
    if (Area* last = lowest->end >= end ? lowest : areas_.at_or_above(end - 1);
        last && last->start < end && last->end > end)
        (void)TRY(split_locked(*last, end));
    return lowest;
}

/// Joins again what continues its neighbour, from the area below `first` to the one that begins at `end`.
void AddressSpace::join_locked(Area& first, u64 end, DeadAreas& dead) {
    Area* area = first.gap == 0 ? areas_.below(&first) : nullptr;
    if (area == nullptr || !AreaMap::continues(*area, first))
        area = &first;
    while (area && area->start < end) {
        Area* above = areas_.next(*area);
        if (above && above->gap == 0 && AreaMap::continues(*area, *above)) {
            areas_.absorb(*area, *above);
            dead.add(*above);
        } else {
            area = above;
        }
    }
}

Result<u64> AddressSpace::map(const MapRequest& request) {
    ASSERT(request.sharing == Sharing::Private || request.object);
    const auto length = checked_align_up(request.length, kPageSize);
    if (request.length == 0 || !is_aligned(request.offset, kPageSize))
        return fail(Errno::Inval);
    if (!length || *length > user_top())
        return fail(Errno::NoMem);
    // Made first: when it cannot be had, whatever Fixed would replace is still there.
    AreaShape shape(0, *length, request.access, request.kind);
    shape.sharing = request.sharing;
    shape.limit = request.limit;
    shape.object = request.object;
    shape.offset = request.offset;
    Owned<Area> area = TRY(make_owned<Area>(shape, this));
    WritableClaim claim;
    TRY(claim.make(shape));
    DeadAreas dead;
    Guard guard{lock_};
    TRY(check_limits_locked(*length, area->is_data()));
    const u64 start = TRY(place_locked(request, *length, dead));
    area->start = start;
    area->end = start + *length;
    insert_locked(std::move(area), dead);
    return start;
}

Result<u64> AddressSpace::map_anonymous(u64 hint, u64 length, Access access, AreaKind kind, Placement placement) {
    return map({.hint = hint, .length = length, .access = access, .kind = kind, .placement = placement});
}

Result<u64> AddressSpace::map_pinned(std::span<const Frame> frames, Access access, AreaKind kind) {
    const u64 length = frames.size() * kPageSize;
    Owned<Area> area = TRY(make_owned<Area>(AreaShape(0, length, access, kind), this));
    DeadAreas dead;
    Guard guard{lock_};
    const u64 start = TRY(place_locked({.length = length}, length, dead));
    for (u64 i = 0; i < frames.size(); ++i) {
        // Tables first: if memory runs out for one, nothing has to be taken back but tables, which go with the space.
        (void)TRY(paging::find_entry(tables_locked(), start + i * kPageSize, true));
    }
    area->start = start;
    area->end = start + length;
    insert_locked(std::move(area), dead);
    for (u64 i = 0; i < frames.size(); ++i) {
        u64* entry = *paging::find_entry(tables_locked(), start + i * kPageSize, false);
        paging::set_entry(entry, paging::make_entry(frames[i].share().leak(), access, Privilege::User));
    }
    resident_pages_.store(resident_pages_.load(kRelaxed) + frames.size(), kRelaxed);
    return start;
}

void AddressSpace::unmap_pinned(u64 address, u64 length) {
    DeadAreas dead;
    Guard guard{lock_};
    (void)unmap_locked(address, address + length, dead); // whole areas: nothing to be split
}

Result<void> AddressSpace::unmap_locked(u64 start, u64 end, DeadAreas& dead) {
    return unmap_from_locked(areas_.at_or_above(start), start, end, dead);
}

/// Takes areas and pages out of a range, from `area`, which is the first that ends above `start`. Fails, before it
/// changes anything, only where it makes two areas of one.
Result<void> AddressSpace::unmap_from_locked(Area* area, u64 start, u64 end, DeadAreas& dead) {
    if (area == nullptr || area->start >= end)
        return {};
    if (area->start < start && area->end > end)
        (void)TRY(split_locked(*area, end));
    const u64 first = area->start > start ? area->start : start;
    u64 last = end;
    while (area && area->start < end) {
        Area* next = areas_.next(*area);
        const u64 from = area->start > start ? area->start : start, to = area->end < end ? area->end : end;
        account_locked(*area, -static_cast<i64>(to - from));
        if (from > area->start) {
            areas_.set_end(*area, from);
        } else if (to < area->end) {
            areas_.set_start(*area, to);
        } else {
            areas_.remove(*area);
            dead.add(*area);
        }
        last = to;
        area = next;
    }
    clear_pages_locked(first, last);
    return {};
}

/// Pages are taken out of the tables in batches, flushed everywhere, then freed.
void AddressSpace::clear_pages_locked(u64 start, u64 end) {
    paging::Taken taken;
    for (u64 page = start; page < end;) {
        const u64 batch_start = page;
        paging::take_range(tables_locked(), page, end, taken);
        if (taken.table_count > 0)
            flush(0, kUserTop); // whatever the CPUs remember of the tables themselves [SDM vol 3, 4.10.4.1]
        else if (taken.count > 0)
            flush(batch_start, page);
        else
            continue;
        resident_pages_.store(resident_pages_.load(kRelaxed) - taken.count, kRelaxed);
        taken.free();
    }
}

void AddressSpace::flush(u64 start, u64 end) {
    // seq_cst pairs with load(): a CPU that sets its bit after this read loads CR3 after the entries have changed.
    std::atomic_thread_fence(kSeqCst); // the entries' plain stores come first
    const u64 cpus = cpus_.load(kSeqCst);
    if (cpus != 0)
        tlb_shootdown(mutant(Mutant::Shootdown) ? cpus & u64{1} << this_cpu().number : cpus, start, end);
}

Result<void> AddressSpace::unmap(u64 address, u64 length) {
    const u64 end = TRY(end_of_range(address, length, Errno::Inval));
    if (end == address)
        return fail(Errno::Inval);
    DeadAreas dead;
    Guard guard{lock_};
    Area* first = areas_.at_or_above(address);
    if (first && first->kind == AreaKind::Fastcall && first->start == address && first->end == end)
        return fail(Errno::Access); // as for the function's other data
    if (reserved_locked(first, end))
        return fail(Errno::Inval);
    return unmap_from_locked(first, address, end, dead);
}

void AddressSpace::set_map_top(u64 address) {
    Guard guard{lock_};
    map_top_ = align_down(address, kPageSize);
}

void AddressSpace::set_limits(u64 address_space, u64 data) {
    Guard guard{lock_};
    limit_ = address_space;
    data_limit_ = data;
}

void AddressSpace::set_break_start(u64 address) {
    Guard guard{lock_};
    break_start_ = break_ = align_up(address, kPageSize);
}

u64 AddressSpace::set_break(u64 address) {
    DeadAreas dead;
    Guard guard{lock_};
    if (address < break_start_ || address >= map_top_)
        return break_;
    const u64 old_end = align_up(break_, kPageSize), new_end = align_up(address, kPageSize);
    if (new_end > old_end) {
        if (!areas_.is_free(old_end, new_end) || !check_limits_locked(new_end - old_end, true))
            return break_;
        Result<Owned<Area>> area =
            make_owned<Area>(AreaShape(old_end, new_end, Access::ReadWrite, AreaKind::Heap), this);
        if (!area)
            return break_;
        insert_locked(std::move(*area), dead);
    } else if (new_end < old_end) {
        if (reserved_locked(areas_.at_or_above(new_end), old_end) || !unmap_locked(new_end, old_end, dead))
            return break_;
    }
    return break_ = address;
}

} // namespace tollgate
