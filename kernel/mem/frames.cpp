// One record a frame: its reference count and its links in the list of free frames. The records are taken from the end
// of the first usable region that can hold them.
#include "mem/frames.h"

#include "debug/panic.h"
#include "lib/memory.h"
#include "sync/spinlock.h"

namespace tollgate {
namespace {

constexpr u32 kNone = ~0u;

struct Record {
    Atomic<u32> references;
    u32 next, previous;
    u32 free; // 1: on the free list
};

constinit Spinlock lock{LockRank::Frames};
constinit Record* records = nullptr;
constinit u32 record_count = 0;
constinit u32 free_head GUARDED_BY(lock) = kNone;
constinit u64 free_frames GUARDED_BY(lock) = 0;
constinit u64 all_frames = 0;
constinit PhysAddr ram_top;

void push_locked(u32 n) REQUIRES(lock) {
    Record& record = records[n];
    record.next = free_head;
    record.previous = kNone;
    record.free = 1;
    if (free_head != kNone)
        records[free_head].previous = n;
    free_head = n;
    ++free_frames;
}

void remove_locked(u32 n) REQUIRES(lock) {
    Record& record = records[n];
    if (record.previous != kNone)
        records[record.previous].next = record.next;
    else
        free_head = record.next;
    if (record.next != kNone)
        records[record.next].previous = record.previous;
    record.free = 0;
    --free_frames;
}

Record& record_of(PhysAddr address) {
    const u64 n = address.value() >> kPageShift;
    ASSERT(n < record_count);
    return records[n];
}

void clear(PhysAddr address) {
    u64* words = direct<u64>(address);
    for (unsigned i = 0; i < kPageSize / 8; i += 8) {
        words[i] = words[i + 1] = words[i + 2] = words[i + 3] = 0;
        words[i + 4] = words[i + 5] = words[i + 6] = words[i + 7] = 0;
    }
}

void drop(PhysAddr address) {
    Record& record = record_of(address);
    const u32 before = record.references.fetch_sub(1, kAcqRel);
    ASSERT(before != 0 && !record.free);
    if (before != 1)
        return;
    Guard guard{lock};
    push_locked(static_cast<u32>(address.value() >> kPageShift));
}

} // namespace

Frame::~Frame() {
    if (!address_.is_null())
        drop(address_);
}

Result<Frame> Frame::allocate() {
    u32 n;
    {
        Guard guard{lock};
        n = free_head;
        if (n == kNone)
            return fail(Errno::NoMem);
        remove_locked(n);
    }
    const PhysAddr address{u64{n} << kPageShift};
    records[n].references.store(1, kRelaxed);
    clear(address);
    return Frame{address};
}

Frame Frame::share() const { return from(address_); }

Frame Frame::from(PhysAddr address) {
    const u32 before = record_of(address).references.fetch_add(1, kRelaxed);
    ASSERT(before != 0);
    return Frame{address};
}

namespace frames {

void initialise(const BootInfo& info, PhysAddr image_end) {
    u64 top = 0;
    for (const MemoryRegion& region : info.memory.regions())
        if (region.kind == MemoryRegion::Kind::Usable)
            top = region.end().value() > top ? region.end().value() : top;
    ram_top = PhysAddr{top};
    record_count = static_cast<u32>(top >> kPageShift);
    const u64 records_size = align_up(u64{record_count} * sizeof(Record), kPageSize);

    // The archive is wherever the loader put it; it may lie inside a usable region.
    const u64 archive_start = info.initial_archive ? info.initial_archive->base.align_down().value() : 0;
    const u64 archive_end =
        info.initial_archive ? (info.initial_archive->base + info.initial_archive->length).align_up().value() : 0;
    const auto taken = [&](u64 start, u64 end) {
        return start < image_end.value() || (start < archive_end && end > archive_start);
    };

    u64 place = 0;
    for (const MemoryRegion& region : info.memory.regions()) {
        if (region.kind != MemoryRegion::Kind::Usable || place != 0)
            continue;
        for (u64 at = align_down(region.end().value() - (region.length < records_size ? region.length : records_size),
                                 kPageSize);
             at >= region.base.value() && at + records_size <= region.end().value() && at >= kPageSize;
             at -= kPageSize) {
            if (!taken(at, at + records_size)) {
                place = at;
                break;
            }
        }
    }
    if (place == 0)
        panic("no room for {} frame records: give the machine more memory (-m 32M at least)", record_count);
    records = direct<Record>(PhysAddr{place});
    memset(static_cast<void*>(records), 0, records_size);

    // Downwards, so that low frames are handed out first: until the kernel's own tables are loaded only 4 GiB are
    // mapped.
    Guard guard{lock};
    const auto regions = info.memory.regions();
    for (size_t i = regions.size(); i-- > 0;) {
        if (regions[i].kind != MemoryRegion::Kind::Usable)
            continue;
        const u64 first = align_up(regions[i].base.value(), kPageSize);
        for (u64 at = align_down(regions[i].end().value(), kPageSize); at >= first + kPageSize;) {
            at -= kPageSize;
            if (taken(at, at + kPageSize) || (at >= place && at < place + records_size))
                continue;
            push_locked(static_cast<u32>(at >> kPageShift));
        }
    }
    all_frames = free_frames;
}

namespace {

/// Takes a run of free frames off the list; the first frame's number.
Result<u64> take_run(u64 count) {
    Guard guard{lock};
    u64 run = 0;
    for (u32 n = 0; n < record_count; ++n) {
        run = records[n].free ? run + 1 : 0;
        if (run < count)
            continue;
        const u64 first = n + 1 - count;
        for (u64 i = first; i <= n; ++i)
            remove_locked(static_cast<u32>(i));
        return first;
    }
    return fail(Errno::NoMem);
}

} // namespace

Result<PhysAddr> allocate_contiguous(u64 count) {
    const u64 first = TRY(take_run(count));
    for (u64 i = first; i < first + count; ++i) {
        records[i].references.store(1, kRelaxed);
        clear(PhysAddr{i << kPageShift});
    }
    return PhysAddr{first << kPageShift};
}

void free_contiguous(PhysAddr first, u64 count) {
    for (u64 i = 0; i < count; ++i)
        drop(first + i * kPageSize);
}

u32 references(PhysAddr address) { return record_of(address).references.load(kRelaxed); }
u64 free_count() {
    Guard guard{lock};
    return free_frames;
}
u64 total_count() { return all_frames; }
PhysAddr top() { return ram_top; }

} // namespace frames
} // namespace tollgate
