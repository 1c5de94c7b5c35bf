// operator new and delete. Up to 1 KiB: size classes of powers of two, each cut from frames (slabs), with a small stack
// of free blocks for each CPU in front, which that CPU alone touches with interrupts off. A slab that is empty goes
// back unless it is the last with room. Beyond that: whole frames. The nothrow forms return null when memory is out;
// the others panic, so use make_ref and make_owned.
#include "debug/panic.h"
#include "lib/bits.h"
#include "lib/list.h"
#include "mem/fail_alloc.h"
#include "mem/frames.h"
#include "mem/reclaim.h"
#include "sync/spinlock.h"

#include <bit>
#include <new>

namespace tollgate {
namespace {

struct FreeBlock {
    FreeBlock* next;
};

constexpr unsigned kSmallest = 4, kLargest = 10, kClasses = kLargest + 1; // log2
constexpr unsigned kBatch = 16;                                           // blocks

/// At the start of every frame that is cut into blocks.
struct Slab {
    u64 order; // log2 of the block size
    FreeBlock* blocks = nullptr;
    u32 free = 0, capacity = 0;
    ListLink<Slab> link{}; // while it has free blocks
};
/// At the start of every run of frames.
struct Run {
    u64 order; // kRun + number of frames
};
constexpr u64 kRun = 1 << 16;
constexpr u64 kRunHeader = 16;

using SlabList = List<Slab, &Slab::link>;

constinit Spinlock lock{LockRank::Heap};
constinit SlabList slabs[kClasses] GUARDED_BY(lock) = {}; // those with free blocks

struct Stack {
    FreeBlock* blocks;
    u32 count;
};
struct alignas(64) Cache {
    Stack classes[kClasses];
};
constinit Cache caches[kMaxCpus] = {};

Slab& slab_of(const void* block) {
    return *reinterpret_cast<Slab*>(align_down(reinterpret_cast<u64>(block), kPageSize));
}

unsigned class_of(u64 size) { return size <= 16 ? kSmallest : static_cast<unsigned>(std::bit_width(size - 1)); }

/// Cuts a fresh frame. Errno::NoMem.
Result<Slab*> make_slab(unsigned order) {
    Frame frame = TRY(Frame::allocate());
    u8* page = frame.data();
    Slab* slab = new (page) Slab{.order = order};
    const u64 step = u64{1} << order;
    for (u64 at = align_up(sizeof(Slab), step); at + step <= kPageSize; at += step) {
        auto* block = reinterpret_cast<FreeBlock*>(page + at);
        block->next = slab->blocks;
        slab->blocks = block;
        ++slab->free;
    }
    slab->capacity = slab->free;
    (void)frame.leak();
    return slab;
}

/// Moves blocks of a slab to a stack. Interrupts are off.
bool refill(Stack& stack, unsigned order) {
    Guard guard{lock};
    Slab* slab = slabs[order].front();
    if (slab == nullptr) {
        const Result<Slab*> fresh = make_slab(order);
        if (!fresh)
            return false;
        slab = *fresh;
        slabs[order].push_back(*slab);
    }
    for (unsigned i = 0; i < kBatch && slab->free > 0; ++i) {
        FreeBlock* block = slab->blocks;
        slab->blocks = block->next;
        --slab->free;
        block->next = stack.blocks;
        stack.blocks = block;
        ++stack.count;
    }
    if (slab->free == 0)
        slabs[order].remove(*slab);
    return true;
}

/// Gives blocks of a stack but `leave` back to their slabs, and slabs back to the frames. Interrupts are off.
void flush(Stack& stack, unsigned order, unsigned leave) {
    Guard guard{lock};
    while (stack.count > leave) {
        FreeBlock* block = stack.blocks;
        stack.blocks = block->next;
        --stack.count;
        Slab& slab = slab_of(block);
        block->next = slab.blocks;
        slab.blocks = block;
        if (slab.free++ == 0)
            slabs[order].push_front(slab);
        if (slab.free == slab.capacity && slabs[order].size() > 1) {
            slabs[order].remove(slab);
            (void)Frame::adopt(direct_to_phys(&slab));
        }
    }
}

void* allocate_run(u64 size) {
    const u64 count = (size + kRunHeader + kPageSize - 1) / kPageSize;
    PhysAddr first;
    if (count == 1) {
        Result<Frame> frame = Frame::allocate();
        if (!frame)
            return nullptr;
        first = frame->leak();
    } else {
        const Result<PhysAddr> run = frames::allocate_contiguous(count);
        if (!run)
            return nullptr;
        first = *run;
    }
    direct<Run>(first)->order = kRun + count;
    return direct<u8>(first) + kRunHeader;
}

void* allocate(u64 size) {
    if (size > u64{1} << kLargest)
        return size > u64{1} << 40 ? nullptr : allocate_run(size);
    if (fail_alloc::now())
        return nullptr;
    const unsigned order = class_of(size);
    InterruptGuard interrupts;
    Stack& stack = caches[this_cpu().number].classes[order];
    if (stack.count == 0 && !refill(stack, order)) [[unlikely]]
        return nullptr;
    FreeBlock* block = stack.blocks;
    stack.blocks = block->next;
    --stack.count;
    return block;
}

void release(void* pointer) {
    if (pointer == nullptr)
        return;
    const u64 order = slab_of(pointer).order;
    if (order >= kRun) {
        const PhysAddr first = direct_to_phys(&slab_of(pointer));
        if (order - kRun == 1)
            (void)Frame::adopt(first);
        else
            frames::free_contiguous(first, order - kRun);
        return;
    }
    ASSERT(order >= kSmallest && order <= kLargest && reinterpret_cast<u64>(pointer) % (u64{1} << order) == 0);
    InterruptGuard interrupts;
    Stack& stack = caches[this_cpu().number].classes[order];
    if (stack.count >= 2 * kBatch) [[unlikely]]
        flush(stack, static_cast<unsigned>(order), kBatch);
    auto* block = static_cast<FreeBlock*>(pointer);
    block->next = stack.blocks;
    stack.blocks = block;
    ++stack.count;
}

void* allocate_or_panic(u64 size) {
    void* pointer = allocate(size);
    if (pointer == nullptr)
        panic("out of kernel memory for {} bytes: the caller should have used make_ref or make_owned", size);
    return pointer;
}

} // namespace

void reclaim::heap_blocks() {
    Cache& cache = caches[this_cpu().number];
    for (unsigned order = kSmallest; order <= kLargest; ++order)
        flush(cache.classes[order], order, 0);
}

} // namespace tollgate

const std::nothrow_t std::nothrow{};

void* operator new(std::size_t size) { return tollgate::allocate_or_panic(size); }
void* operator new[](std::size_t size) { return tollgate::allocate_or_panic(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return tollgate::allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return tollgate::allocate(size); }
void operator delete(void* pointer) noexcept { tollgate::release(pointer); }
void operator delete[](void* pointer) noexcept { tollgate::release(pointer); }
void operator delete(void* pointer, std::size_t) noexcept { tollgate::release(pointer); }
void operator delete[](void* pointer, std::size_t) noexcept { tollgate::release(pointer); }
