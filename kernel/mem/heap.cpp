// operator new and delete: size classes of powers of two from 16 to 2048 bytes, each a list of free blocks cut from
// frames, and runs of frames beyond that. The nothrow forms return null when memory is out; the others panic, so use
// make_ref and make_owned.
#include "debug/panic.h"
#include "lib/bits.h"
#include "mem/frames.h"
#include "sync/spinlock.h"

#include <bit>
#include <new>

namespace tollgate {
namespace {

struct FreeBlock {
    FreeBlock* next;
};

constexpr unsigned kSmallest = 4, kLargest = 11; // log2

constinit Spinlock lock{LockRank::Heap};
constinit FreeBlock* lists[kLargest + 1] GUARDED_BY(lock) = {};

/// At the start of every frame that is cut into blocks, and of every run of frames.
struct Header {
    u64 class_or_frames; // log2 of the block size, or kRun + number of frames
};
constexpr u64 kRun = 1 << 16;
constexpr u64 kHeaderSize = 16;

unsigned class_of(u64 size) {
    const unsigned n = static_cast<unsigned>(std::bit_width(size - 1));
    return size <= 16 ? kSmallest : n;
}

void* allocate(u64 size) {
    if (size == 0)
        size = 1;
    if (size > 1024) { // a 2048-byte class would hold one block a frame
        const u64 count = (size + kHeaderSize + kPageSize - 1) / kPageSize;
        const Result<PhysAddr> first = frames::allocate_contiguous(count);
        if (!first.has_value())
            return nullptr;
        direct<Header>(*first)->class_or_frames = kRun + count;
        return direct<u8>(*first) + kHeaderSize;
    }
    const unsigned order = class_of(size);
    {
        Guard guard{lock};
        if (FreeBlock* block = lists[order]) {
            lists[order] = block->next;
            return block;
        }
    }
    Result<Frame> frame = Frame::allocate();
    if (!frame.has_value())
        return nullptr;
    u8* page = direct<u8>(frame->leak());
    reinterpret_cast<Header*>(page)->class_or_frames = order;
    const u64 step = u64{1} << order;
    Guard guard{lock};
    for (u64 at = align_up(kHeaderSize, step) + step; at + step <= kPageSize; at += step) {
        auto* block = reinterpret_cast<FreeBlock*>(page + at);
        block->next = lists[order];
        lists[order] = block;
    }
    return page + align_up(kHeaderSize, step);
}

void release(void* pointer) {
    if (pointer == nullptr)
        return;
    const u64 address = reinterpret_cast<u64>(pointer);
    const auto* header = reinterpret_cast<const Header*>(align_down(address, kPageSize));
    if (header->class_or_frames >= kRun) {
        frames::free_contiguous(direct_to_phys(header), header->class_or_frames - kRun);
        return;
    }
    const u64 order = header->class_or_frames;
    ASSERT(order >= kSmallest && order <= kLargest && address % (u64{1} << order) == 0);
    Guard guard{lock};
    auto* block = static_cast<FreeBlock*>(pointer);
    block->next = lists[order];
    lists[order] = block;
}

void* allocate_or_panic(u64 size) {
    void* pointer = allocate(size);
    if (pointer == nullptr)
        panic("out of kernel memory for {} bytes: the caller should have used make_ref or make_owned", size);
    return pointer;
}

} // namespace
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
