// Each CPU keeps a few free frames to itself, in two stacks: used ones, which are cleared when they are handed out, and
// clean ones, which is what page tables leave behind, since they are empty when they go. Only a CPU itself touches its
// stacks, with interrupts off; when memory is out, all are asked to give theirs back. Behind them are the pool and its
// lock.
#include "mem/frames.h"

#include "cpu/tlb.h"
#include "debug/panic.h"
#include "lib/memory.h"
#include "mem/fail_alloc.h"
#include "sync/spinlock.h"

namespace tollgate {
namespace {

constinit Spinlock lock{LockRank::Frames};
constinit FramePool pool GUARDED_BY(lock);
constinit FrameRecord* records = nullptr;
constinit u32 record_count = 0;
constinit u64 all_frames = 0;
constinit PhysAddr ram_top;

constexpr unsigned kBatch = 16;

/// Frame numbers.
struct Stack {
    u32 count;
    u32 frames[2 * kBatch];

    bool empty() const { return count == 0; }
    bool full() const { return count == 2 * kBatch; }
    void push(u32 n) { frames[count++] = n; }
    u32 pop() { return frames[--count]; }
};
struct alignas(64) Cache {
    Stack used, clean;
};
constinit Cache caches[kMaxCpus] = {};

Cache& own_cache() { return caches[this_cpu().number]; }

FrameRecord& record_of(PhysAddr address) {
    const u64 n = address.value() >> kPageShift;
    ASSERT(n < record_count);
    return records[n];
}

u32 number_of(PhysAddr address) { return static_cast<u32>(address.value() >> kPageShift); }

void clear(u32 n) { clear_page(direct(PhysAddr{u64{n} << kPageShift})); }

/// Interrupts are off. The lock comes first: while it is waited for, another CPU may empty the cache (drain).
void refill(Cache& cache) {
    Guard guard{lock};
    if (!cache.used.empty())
        return;
    cache.used.count = pool.take_singles(cache.used.frames, kBatch);
}

/// Interrupts are off.
void flush(Stack& stack, unsigned leave) {
    Guard guard{lock};
    while (stack.count > leave)
        pool.give_loose(stack.pop());
}

void drain(void*) {
    flush(own_cache().used, 0);
    flush(own_cache().clean, 0);
}

/// Brings together what all CPUs keep to themselves; false if that is nothing.
bool drain_all() {
    u64 kept = 0;
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu)
        kept += caches[cpu].used.count + caches[cpu].clean.count; // a guess: they may be in use
    if (kept == 0)
        return false;
    InterruptGuard interrupts;
    drain(nullptr);
    cpu_call_others(drain, nullptr);
    return true;
}

enum class Prefer : u8 { Used, Clean };

/// A frame with one reference. `cleared` tells whether it holds zeros already. kNone if there is none at all.
u32 take_frame(Prefer prefer, bool& cleared) {
    InterruptGuard interrupts;
    Cache& cache = own_cache();
    if (cache.used.empty() && cache.clean.empty())
        refill(cache);
    if (cache.used.empty() && cache.clean.empty() && drain_all())
        refill(cache);
    cleared = !cache.clean.empty() && (prefer == Prefer::Clean || cache.used.empty());
    Stack& from = cleared ? cache.clean : cache.used;
    if (from.empty())
        return FramePool::kNone;
    const u32 n = from.pop();
    records[n].references.store(1, kRelaxed);
    return n;
}

/// Interrupts are off.
void keep(u32 n, Stack& stack) {
    if (stack.full()) [[unlikely]]
        flush(stack, kBatch);
    stack.push(n);
}

/// Whether that was the last reference.
bool release(FrameRecord& record) {
    // The only reference: nobody else can add one. Saves the locked instruction for private pages.
    if (record.references.load(kAcquire) == 1) {
        record.references.store(0, kRelaxed);
        return true;
    }
    const u32 before = record.references.fetch_sub(1, kAcqRel);
    ASSERT(before != 0);
    return before == 1;
}

void drop(PhysAddr address) {
    if (!release(record_of(address)))
        return;
    InterruptGuard interrupts;
    keep(number_of(address), own_cache().used);
}

} // namespace

void clear_page(void* page) {
    u64 words = kPageSize / 8;
    asm volatile("rep stosq" : "+D"(page), "+c"(words) : "a"(u64{0}) : "memory");
}

void copy_page(void* to, const void* from) {
    u64 words = kPageSize / 8;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

Frame::~Frame() {
    if (!address_.is_null())
        drop(address_);
}

Result<Frame> Frame::allocate() {
    bool cleared = false;
    const u32 n = fail_alloc::now() ? FramePool::kNone : take_frame(Prefer::Used, cleared);
    if (n == FramePool::kNone)
        return fail(Errno::NoMem);
    if (!cleared)
        clear(n);
    return Frame{PhysAddr{u64{n} << kPageShift}};
}

Result<Frame> Frame::allocate_copy(PhysAddr of) {
    bool cleared = false;
    const u32 n = fail_alloc::now() ? FramePool::kNone : take_frame(Prefer::Used, cleared);
    if (n == FramePool::kNone)
        return fail(Errno::NoMem);
    Frame frame{PhysAddr{u64{n} << kPageShift}};
    copy_page(frame.data(), direct(of));
    return frame;
}

Frame Frame::share() const { return from(address_); }

Frame Frame::from(PhysAddr address) {
    frames::add_reference(address);
    return Frame{address};
}

namespace frames {

void add_reference(PhysAddr address) {
    const u32 before = record_of(address).references.fetch_add(1, kRelaxed);
    ASSERT(before != 0);
}

void drop_references(std::span<const u64> addresses) {
    InterruptGuard interrupts;
    Stack& stack = own_cache().used;
    for (const u64 address : addresses)
        if (release(record_of(PhysAddr{address})))
            keep(number_of(PhysAddr{address}), stack);
}

PhysAddr allocate_table() {
    bool cleared = false;
    const u32 n = fail_alloc::now() ? FramePool::kNone : take_frame(Prefer::Clean, cleared);
    if (n == FramePool::kNone)
        return {};
    if (!cleared)
        clear(n);
    records[n].use = {.chunks = 0, .used = 0};
    return PhysAddr{u64{n} << kPageShift};
}

void free_table(PhysAddr table) {
    FrameRecord& record = record_of(table);
    ASSERT(record.references.load(kRelaxed) == 1 && record.use.used == 0);
    record.references.store(0, kRelaxed);
    InterruptGuard interrupts;
    keep(number_of(table), own_cache().clean);
}

TableUse& table_use(PhysAddr table) { return record_of(table).use; }

void initialise(const BootInfo& info, PhysAddr image_end) {
    u64 top = 0;
    for (const MemoryRegion& region : info.memory.regions())
        if (region.kind == MemoryRegion::Kind::Usable)
            top = region.end().value() > top ? region.end().value() : top;
    ram_top = PhysAddr{top};
    record_count = static_cast<u32>(top >> kPageShift);
    const u64 records_size = align_up(u64{record_count} * sizeof(FrameRecord), kPageSize);

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
    records = direct<FrameRecord>(PhysAddr{place});
    memset(static_cast<void*>(records), 0, records_size);

    Guard guard{lock};
    pool.use(records, record_count);
    const auto regions = info.memory.regions();
    for (size_t i = regions.size(); i-- > 0;) {
        if (regions[i].kind != MemoryRegion::Kind::Usable)
            continue;
        const u64 first = align_up(regions[i].base.value(), kPageSize);
        u64 end = 0; // of the usable run that is being walked down
        for (u64 at = align_down(regions[i].end().value(), kPageSize); at >= first + kPageSize;) {
            at -= kPageSize;
            const bool usable = !taken(at, at + kPageSize) && !(at >= place && at < place + records_size);
            if (usable && end == 0)
                end = at + kPageSize;
            if (end != 0 && (!usable || at < first + kPageSize)) {
                pool.add(number_of(PhysAddr{usable ? at : at + kPageSize}), number_of(PhysAddr{end}));
                end = 0;
            }
        }
    }
    all_frames = pool.free_count();
}

namespace {

u32 take_run(u64 count) {
    if (count == 0 || count >> 20 != 0)
        return FramePool::kNone;
    {
        Guard guard{lock};
        if (const u32 first = pool.take_run(static_cast<u32>(count)); first != FramePool::kNone)
            return first;
    }
    if (!drain_all())
        return FramePool::kNone;
    Guard guard{lock};
    return pool.take_run(static_cast<u32>(count));
}

} // namespace

Result<PhysAddr> allocate_contiguous(u64 count) {
    const u32 first = fail_alloc::now() ? FramePool::kNone : take_run(count);
    if (first == FramePool::kNone)
        return fail(Errno::NoMem);
    for (u32 n = first; n < first + count; ++n) {
        records[n].references.store(1, kRelaxed);
        clear(n);
    }
    return PhysAddr{u64{first} << kPageShift};
}

void free_contiguous(PhysAddr first, u64 count) {
    for (u64 i = 0; i < count; ++i) {
        FrameRecord& record = record_of(first + i * kPageSize);
        ASSERT(record.references.load(kRelaxed) == 1);
        record.references.store(0, kRelaxed);
    }
    Guard guard{lock};
    pool.give_run(number_of(first), static_cast<u32>(count));
}

u32 references(PhysAddr address) { return record_of(address).references.load(kAcquire); }

u64 free_count() {
    u64 sum = 0;
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu)
        sum += caches[cpu].used.count + caches[cpu].clean.count;
    Guard guard{lock};
    return sum + pool.free_count();
}
u64 total_count() { return all_frames; }
PhysAddr top() { return ram_top; }

} // namespace frames
} // namespace tollgate
