// Memory of the calling process. Nothing is ever writable and executable at once, and what the kernel placed itself
// (FlexSC pages, fastcall data, the stack's guard) is out of reach: the address space refuses it.
#include "cpu/layout.h"
#include "fs/tmpfs.h"
#include "lib/mutants.h"
#include "syscall/handlers.h"

namespace tollgate {
namespace {

// [asm-generic/mman-common.h, asm-generic/mman.h, linux/mman.h, asm/mman.h]
constexpr u64 kProtRead = 1, kProtWrite = 2, kProtExecute = 4, kProtSemaphore = 8;
constexpr u64 kMapShared = 1, kMapPrivate = 2, kMapSharedValidate = 3, kMapTypeMask = 0xf;
constexpr u64 kMapFixed = 0x10, kMapAnonymous = 0x20, kMap32Bit = 0x40, kMapGrowsDown = 0x100, kMapDenyWrite = 0x800,
              kMapExecutable = 0x1000, kMapLocked = 0x2000, kMapNoReserve = 0x4000, kMapPopulate = 0x8000,
              kMapNonBlock = 0x10000, kMapStack = 0x20000, kMapHugeTlb = 0x40000, kMapFixedNoReplace = 0x100000;
constexpr u64 kMapKnown = kMapTypeMask | kMapFixed | kMapAnonymous | kMap32Bit | kMapGrowsDown | kMapDenyWrite |
                          kMapExecutable | kMapLocked | kMapNoReserve | kMapPopulate | kMapNonBlock | kMapStack |
                          kMapHugeTlb | kMapFixedNoReplace;
constexpr u64 k2GiB = u64{1} << 31;

/// Errno::Access for W and X together.
[[gnu::always_inline]] inline Result<Access> access_of(u64 protection) {
    const bool write = protection & kProtWrite, execute = protection & kProtExecute;
    if (write && execute && !mutant(Mutant::WritableCode))
        return fail(Errno::Access);
    if (write)
        return Access::ReadWrite;
    if (execute)
        return Access::ReadExecute;
    return protection & kProtRead ? Access::Read : Access::None;
}

Placement placement_of(u64 flags) {
    if (flags & kMapFixedNoReplace)
        return Placement::FixedNoReplace;
    return flags & kMapFixed ? Placement::Fixed : Placement::Anywhere;
}

/// Whether nobody may write the file through a new mapping [man 2 fcntl, F_SEAL_WRITE, F_SEAL_FUTURE_WRITE].
bool sealed_against_writing(OpenFile& open) {
    fs::Node* const node = open.file->node();
    const fs::RegularNode* const regular = node ? node->as_regular() : nullptr;
    return regular && regular->seals() & (fs::kSealWrite | fs::kSealFutureWrite);
}

/// Fills in what a mapping of a file needs. Errors: BadF, Access, NoDev, Overflow, OpNotSupp, Perm (sealed).
Result<void> add_file(Caller& caller, MapRequest& request, u64 flags, int descriptor) {
    const auto open = TRY(caller.files->get(descriptor));
    if ((flags & kMapTypeMask) == kMapSharedValidate && flags & ~kMapKnown)
        return fail(Errno::NotSup);
    if (!checked_add(request.offset, request.length))
        return fail(Errno::Overflow);
    const bool shared = request.sharing == Sharing::Shared;
    if (!open->readable() || (shared && request.access == Access::ReadWrite && !open->writable()))
        return fail(Errno::Access);
    const bool sealed = shared && sealed_against_writing(*open);
    if (sealed && request.access == Access::ReadWrite)
        return fail(Errno::Perm);
    request.object = TRY(open->file->memory());
    request.kind = AreaKind::Image;
    request.limit = open->writable() && !sealed ? Access::ReadWrite : Access::Read;
    return {};
}

/// The page-aligned range that mlock(2) means by any address and length. Errno::NoMem if it wraps.
struct Range {
    u64 start, length;
};
Result<Range> whole_pages(u64 address, u64 length) {
    const u64 start = align_down(address, kPageSize);
    const auto end = checked_add(address, length);
    if (!end || *end > kUserTop)
        return fail(Errno::NoMem);
    return Range{start, align_up(*end, kPageSize) - start};
}

Result<u64> lock_range(Caller& caller, u64 address, u64 length, bool populate) {
    const Range range = TRY(whole_pages(address, length));
    TRY(caller.space->check_mapped(range.start, range.length));
    if (populate)
        TRY(caller.space->populate(range.start, range.length));
    return 0;
}

} // namespace

Result<u64> sys_mmap(Caller& caller, u64 address, u64 length, u64 protection, u64 flags, int descriptor, u64 offset) {
    if (length == 0 || !is_aligned(offset, kPageSize))
        return fail(Errno::Inval);
    const u64 type = flags & kMapTypeMask;
    const bool anonymous = flags & kMapAnonymous, shared = type != kMapPrivate;
    if (type != kMapShared && type != kMapPrivate && (type != kMapSharedValidate || anonymous))
        return fail(Errno::Inval);
    if (length > kUserTop || flags & kMapHugeTlb) // there are no huge pages to be had
        return fail(Errno::NoMem);
    MapRequest request {
        .hint = address, .length = align_up(length, kPageSize), .access = TRY(access_of(protection))
        , .placement = placement_of(flags), .sharing = shared ? Sharing::Shared : Sharing::Private, .offset = offset,
          .below = flags & kMap32Bit ? k2GiB : ~u64 {
            0
        }
    };
    if (request.placement != Placement::Anywhere && is_aligned(address, kPageSize) && address < kMinUserAddress)
        return fail(Errno::Perm);
    if (!anonymous) {
        TRY(add_file(caller, request, flags, descriptor));
    } else if (shared) {
        request.object = TRY(make_anonymous_object(request.length));
        request.offset = 0;
    } else {
        request.offset = 0;
    }
    const u64 place = TRY(caller.space->map(request));
    if (flags & (kMapPopulate | kMapLocked))
        (void)caller.space->populate(place, request.length).has_value(); // what does not work out now will at the touch
    return place;
}

Result<u64> sys_munmap(Caller& caller, u64 address, u64 length) {
    if (address >= kFastcallSpace) {
        if (!syscall_hooks().fastcall_unmap)
            return fail(Errno::Inval);
        TRY(syscall_hooks().fastcall_unmap(caller, address, length));
        return 0;
    }
    TRY(caller.space->unmap(address, length));
    return 0;
}

/// PROT_GROWSDOWN and PROT_GROWSUP are for areas that grow, which there are none of.
Result<u64> sys_mprotect(Caller& caller, u64 address, u64 length, u64 protection) {
    if (!is_aligned(address, kPageSize) || protection & ~(kProtRead | kProtWrite | kProtExecute | kProtSemaphore))
        return fail(Errno::Inval);
    const Access access = TRY(access_of(protection));
    TRY(caller.space->protect(address, length, access));
    return 0;
}

Result<u64> sys_brk(Caller& caller, u64 address) { return caller.space->set_break(address); }

Result<u64> sys_madvise(Caller& caller, u64 address, u64 length, int advice) {
    TRY(caller.space->advise(address, length, advice));
    return 0;
}

Result<u64> sys_mremap(Caller& caller, u64 address, u64 old_length, u64 new_length, u64 flags, u64 target) {
    return caller.space->remap(address, old_length, new_length, flags, target);
}

/// Every write to a shared mapping is in its object at once: there is nothing to be written back.
Result<u64> sys_msync(Caller& caller, u64 address, u64 length, int flags) {
    constexpr int kAsync = 1, kInvalidate = 2, kSync = 4;
    if (flags & ~(kAsync | kInvalidate | kSync) || (flags & kAsync && flags & kSync) || !is_aligned(address, kPageSize))
        return fail(Errno::Inval);
    TRY(caller.space->check_mapped(address, length));
    return 0;
}

Result<u64> sys_mincore(Caller& caller, u64 address, u64 length, UserPtr<u8> pages) {
    if (!is_aligned(address, kPageSize))
        return fail(Errno::Inval);
    const auto rounded = checked_align_up(length, kPageSize);
    if (!rounded || !range_fits(address, *rounded, kUserTop))
        return fail(Errno::NoMem);
    const u64 count = *rounded / kPageSize;
    TRY(check_user_range(pages.address(), count));
    u8 piece[256];
    for (u64 done = 0; done < count;) {
        const u64 now = count - done < sizeof piece ? count - done : sizeof piece;
        TRY(caller.space->residency(address + done * kPageSize, {piece, now}));
        TRY(copy_to_user_bytes(pages.address() + done, piece, now));
        done += now;
    }
    return 0;
}

// There is no swap, so that a page that is there stays: locking is bringing in, and unlocking, or locking all there is
// to come, is nothing. RLIMIT_MEMLOCK bounds what swapping could otherwise take: it is kept and told, not enforced.
Result<u64> sys_mlock(Caller& caller, u64 address, u64 length) { return lock_range(caller, address, length, true); }

Result<u64> sys_mlock2(Caller& caller, u64 address, u64 length, u32 flags) {
    constexpr u32 kOnFault = 1;
    if (flags & ~kOnFault)
        return fail(Errno::Inval);
    return lock_range(caller, address, length, !(flags & kOnFault));
}

Result<u64> sys_munlock(Caller& caller, u64 address, u64 length) { return lock_range(caller, address, length, false); }

Result<u64> sys_mlockall(Caller&, int flags) {
    constexpr int kCurrent = 1, kFuture = 2, kOnFault = 4;
    if (flags & ~(kCurrent | kFuture | kOnFault) || !(flags & (kCurrent | kFuture)))
        return fail(Errno::Inval);
    return 0;
}

Result<u64> sys_munlockall(Caller&) { return 0; }

} // namespace tollgate
