// The fastcall space of an address space: which pages are in it. gate/fastcall decides what they are for.
#include "mem/address_space.h"

namespace tollgate {
namespace {

/// In an entry of the fastcall space: what is mapped is no frame of RAM, but a device [SDM vol 3, 4.5: bits 9 to 11 are
/// ours].
constexpr u64 kPteDevice = 1 << 9;

} // namespace

Result<void> AddressSpace::begin_fastcall_space(std::span<const paging::FixedPage> pages, void* state) {
    Guard guard{lock_};
    if (fastcall_state.load(kRelaxed))
        return fail(Errno::Exist);
    paging::set_fastcall_directory(tables_locked(), TRY(paging::make_fastcall_directory(pages)));
    // Until a CPU has flushed it sees the empty space, which is right for it: nobody has been told of a function yet.
    flush(kFastcallSpace, kFastcallSpaceEnd);
    fastcall_state.store(state, kRelease);
    return {};
}

Result<void> AddressSpace::map_fastcall_page(u64 address, Frame frame, Access access) {
    ASSERT(address >= kFastcallHeap && address < kFastcallSpaceEnd);
    Guard guard{lock_};
    u64* entry = TRY(paging::find_entry(tables_locked(), address, true));
    ASSERT(*entry == 0);
    paging::set_entry(entry, paging::make_entry(frame.leak(), access, paging::fastcall_privilege()));
    return {};
}

Result<void> AddressSpace::map_fastcall_device(u64 address, PhysAddr registers) {
    ASSERT(address >= kFastcallHeap && address < kFastcallSpaceEnd && is_aligned(registers.value(), kPageSize));
    Guard guard{lock_};
    u64* entry = TRY(paging::find_entry(tables_locked(), address, true));
    ASSERT(*entry == 0);
    paging::set_entry(entry, paging::make_entry(registers, Access::ReadWrite, paging::fastcall_privilege()) |
                                 kPteNoCacheWriteThrough | kPteDevice);
    return {};
}

void AddressSpace::unmap_fastcall_pages(u64 start, u64 end) {
    ASSERT(start >= kFastcallHeap && end <= kFastcallSpaceEnd && end - start <= kMostFastcallPages * kPageSize);
    u64 taken[kMostFastcallPages];
    unsigned count = 0;
    u64 first = end, last = start;
    Guard guard{lock_};
    paging::Slice slice;
    for (u64 page = start; paging::next_slice(tables_locked(), page, end, slice);)
        for (unsigned i = 0; i < slice.count; ++i) {
            u64& entry = slice.entries[i];
            if (entry == 0)
                continue;
            if (!(entry & kPteDevice))
                taken[count++] = entry & kPteAddress;
            paging::set_entry(&entry, 0);
            const u64 address = slice.page + i * kPageSize;
            first = address < first ? address : first;
            last = address + kPageSize;
        }
    if (first >= last)
        return;
    flush(first, last);
    frames::drop_references({taken, count});
}

} // namespace tollgate
