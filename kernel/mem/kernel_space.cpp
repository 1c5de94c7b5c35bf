// Addresses of the kernel space: a slot of five pages for each stack (the lowest is its guard), and above them device
// registers.
#include "mem/kernel_space.h"

#include "cpu/tlb.h"
#include "debug/panic.h"
#include "lib/mutants.h"
#include "mem/kernel_stack.h"
#include "mem/page_table_internal.h"
#include "mem/reclaim.h"
#include "sync/spinlock.h"

namespace tollgate {
namespace {

constexpr u64 kSlotSize = kKernelStackSize + kPageSize;
constexpr u64 kSlots = 16384;
constexpr u64 kDevices = kKernelSpace + 0x4000000000;

constinit Spinlock lock{LockRank::KernelSpace};
constinit u64 used[kSlots / 64] GUARDED_BY(lock) = {};
// Stacks of ended threads, still mapped: unmapping costs an interrupt to every CPU, so it is done to kBatch at a time.
constexpr unsigned kCached = 64, kBatch = 16;
constinit u64 cache[kCached] GUARDED_BY(lock) = {};
constinit unsigned cached GUARDED_BY(lock) = 0;
constinit u64 next_device GUARDED_BY(lock) = kDevices;

Result<u64> take_slot() {
    Guard guard{lock};
    for (u64 word = 0; word < kSlots / 64; ++word) {
        if (~used[word] == 0)
            continue;
        const u64 bit = static_cast<u64>(__builtin_ctzll(~used[word]));
        used[word] |= u64{1} << bit;
        return word * 64 + bit;
    }
    return fail(Errno::NoMem);
}

/// The top of a cached stack, or 0.
u64 take_cached() {
    Guard guard{lock};
    return cached == 0 ? 0 : cache[--cached];
}

/// The bases of the stacks to be unmapped by one flush.
struct Batch {
    u64 bases[kBatch];
    unsigned count = 0;
};

/// Takes up to a batch out of the cache.
Batch take_batch_locked() REQUIRES(lock) {
    Batch batch;
    while (cached > 0 && batch.count < kBatch)
        batch.bases[batch.count++] = cache[--cached] - kSlotSize;
    return batch;
}
Batch take_batch() {
    Guard guard{lock};
    return take_batch_locked();
}

/// Keeps it. A full cache makes room by handing out a batch, otherwise the batch is empty.
Batch keep_cached(u64 top) {
    Guard guard{lock};
    const Batch batch = cached == kCached ? take_batch_locked() : Batch{};
    cache[cached++] = top;
    return batch;
}

void give_back_slot(u64 slot) {
    Guard guard{lock};
    used[slot / 64] &= ~(u64{1} << slot % 64);
}

void flush_here(void* argument) {
    const Batch& batch = *static_cast<const Batch*>(argument);
    for (unsigned n = 0; n < batch.count; ++n)
        tlb_flush_local(batch.bases[n], batch.bases[n] + kSlotSize);
}

/// Unmaps whole slots, by one flush on every CPU, and gives their frames and addresses back.
void free_slots(Batch& batch) {
    constexpr u64 kSlotPages = kSlotSize / kPageSize;
    PhysAddr frames[kBatch * kSlotPages];
    for (unsigned n = 0; n < batch.count; ++n)
        (void)paging::take_kernel(batch.bases[n], {frames + n * kSlotPages, kSlotPages});
    cpu_call_others(flush_here, &batch);
    flush_here(&batch);
    for (const PhysAddr frame : frames)
        if (!frame.is_null())
            (void)Frame::adopt(frame);
    for (unsigned n = 0; n < batch.count; ++n)
        give_back_slot((batch.bases[n] - kKernelSpace) / kSlotSize);
}

Result<void> map_fresh(u64 from, u64 to) {
    for (u64 page = from; page < to; page += kPageSize) {
        Frame frame = TRY(Frame::allocate());
        TRY(paging::map_kernel(page, frame.address(), Access::ReadWrite));
        (void)frame.leak();
    }
    return {};
}

} // namespace

Result<KernelStack> KernelStack::allocate() {
    if (const u64 top = take_cached())
        return KernelStack{VirtAddr{top}};
    const u64 slot = TRY(take_slot());
    const u64 base = kKernelSpace + slot * kSlotSize;
    const u64 lowest = base + (mutant(Mutant::StackGuard) ? 0 : kPageSize);
    if (const auto mapped = map_fresh(lowest, base + kSlotSize); !mapped) {
        Batch incomplete{{base}, 1}; // not to the cache, which holds whole stacks
        free_slots(incomplete);
        return fail(mapped.error());
    }
    return KernelStack{VirtAddr{base + kSlotSize}};
}

KernelStack::~KernelStack() {
    if (top_.is_null())
        return;
    Batch batch = keep_cached(top_.value());
    if (batch.count != 0)
        free_slots(batch);
}

void reclaim::kernel_stacks() {
    for (;;) {
        Batch batch = take_batch();
        if (batch.count == 0)
            return;
        free_slots(batch);
    }
}

bool KernelStack::is_guard(VirtAddr address) {
    const u64 offset = address.value() - kKernelSpace;
    return offset < kSlots * kSlotSize && offset % kSlotSize < kPageSize;
}

void* map_device(PhysAddr registers, u64 pages) {
    u64 base;
    {
        Guard guard{lock};
        base = next_device;
        next_device += (pages + 1) * kPageSize;
    }
    for (u64 i = 0; i < pages; ++i)
        if (!paging::map_kernel(base + i * kPageSize, registers.align_down() + i * kPageSize, Access::ReadWrite,
                                Caching::Uncached)
                 .has_value())
            panic("no memory to map the device at {:#x}", registers.value());
    return reinterpret_cast<void*>(base + registers.page_offset());
}

Result<u64> map_entry_area(unsigned cpu, PhysAddr idt) {
    const u64 base = kEntryAreas + cpu * kEntryAreaSize;
    TRY(map_fresh(base + kAreaCpu, base + kAreaIdt));
    TRY(paging::map_kernel(base + kAreaIdt, idt, Access::Read));
    TRY(map_fresh(base + kAreaEntryStackTop - kPageSize, base + kAreaEntryStackTop));
    TRY(map_fresh(base + kAreaFaultStackTop - 2 * kPageSize, base + kAreaFaultStackTop));
    for (const u64 top : {kAreaNmiStackTop, kAreaDfStackTop, kAreaMcStackTop, kAreaDbStackTop})
        TRY(map_fresh(base + top - 3 * kPageSize, base + top));
    return base;
}

} // namespace tollgate
