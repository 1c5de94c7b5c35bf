// Memory of the calling process. Nothing is ever writable and executable at once, and what the kernel placed itself
// (FlexSC pages, fastcall data) is out of reach: the address space refuses it.
#include "cpu/layout.h"
#include "lib/mutants.h"
#include "syscall/handlers.h"

namespace tollgate {
namespace {

// [asm-generic/mman-common.h, asm-generic/mman.h]
constexpr u64 kProtRead = 1, kProtWrite = 2, kProtExecute = 4;
constexpr u64 kMapShared = 1, kMapPrivate = 2, kMapTypeMask = 0xf, kMapFixed = 0x10, kMapAnonymous = 0x20,
              kMapStack = 0x20000;
constexpr u64 kMapFixedNoReplace = 0x100000;

/// Errors: Access for W and X together, Inval for bits that mean nothing here.
Result<Access> access_of(u64 protection) {
    if (protection & ~(kProtRead | kProtWrite | kProtExecute))
        return fail(Errno::Inval);
    const bool write = protection & kProtWrite, execute = protection & kProtExecute;
    if (write && execute && !mutant(Mutant::WritableCode))
        return fail(Errno::Access);
    if (write)
        return Access::ReadWrite;
    if (execute)
        return Access::ReadExecute;
    return protection ? Access::Read : Access::None;
}

AddressSpace::Placement placement_of(u64 flags) {
    if (flags & kMapFixedNoReplace)
        return AddressSpace::Placement::FixedNoReplace;
    return flags & kMapFixed ? AddressSpace::Placement::Fixed : AddressSpace::Placement::Anywhere;
}

/// Reads a file into memory that is mapped and writable; what lies beyond its end stays zero.
Result<void> fill(File& file, u64 address, u64 length, u64 offset) {
    IoBuffer buffer(address, length);
    while (buffer.size() > 0) {
        const u64 done = TRY(file.read(buffer, offset, kOpenReadOnly));
        if (done == 0)
            break;
        offset += done;
    }
    return {};
}

/// A private mapping of a file is a copy of it made now: later writes to the file do not show.
Result<u64> map_file(Caller& caller, u64 address, u64 length, Access access, u64 flags, int descriptor, u64 offset) {
    constexpr u32 kTypeMask = 0170000;
    const auto open = TRY(caller.files->get(descriptor));
    if (!open->readable())
        return fail(Errno::Access);
    if ((TRY(open->file->status()).mode & kTypeMask) != kModeRegular)
        return fail(Errno::NoDev);
    if ((flags & kMapTypeMask) != kMapPrivate)
        return fail(Errno::NoDev); // writes would have to reach the file
    const u64 place =
        TRY(caller.space->map_anonymous(address, length, Access::ReadWrite, AreaKind::Image, placement_of(flags)));
    auto result = fill(*open->file, place, length, offset);
    if (result && access != Access::ReadWrite)
        result = caller.space->protect(place, align_up(length, kPageSize), access);
    if (!result) {
        (void)caller.space->unmap(place, align_up(length, kPageSize));
        return fail(result.error());
    }
    return place;
}

} // namespace

Result<u64> sys_mmap(Caller& caller, u64 address, u64 length, u64 protection, u64 flags, int descriptor, u64 offset) {
    if (length == 0 || !is_aligned(offset, kPageSize))
        return fail(Errno::Inval);
    if (length > kUserTop)
        return fail(Errno::NoMem);
    const u64 type = flags & kMapTypeMask;
    if (type != kMapShared && type != kMapPrivate)
        return fail(Errno::Inval);
    if (!(flags & (kMapFixed | kMapFixedNoReplace)))
        address = align_down(address, kPageSize);
    const Access access = TRY(access_of(protection));
    if (!(flags & kMapAnonymous))
        return map_file(caller, address, length, access, flags, descriptor, offset);
    // Shared anonymous memory can be shared only by forking, which does not exist yet: until then private memory is the
    // same.
    const AreaKind kind = flags & kMapStack ? AreaKind::Stack : AreaKind::Anonymous;
    return caller.space->map_anonymous(address, length, access, kind, placement_of(flags));
}

Result<u64> sys_munmap(Caller& caller, u64 address, u64 length) {
    if (address >= kFastcallSpace) {
        if (!syscall_hooks().fastcall_unmap)
            return fail(Errno::Inval);
        TRY(syscall_hooks().fastcall_unmap(caller, address, length));
        return 0;
    }
    if (length == 0)
        return fail(Errno::Inval);
    TRY(caller.space->unmap(address, length));
    return 0;
}

Result<u64> sys_mprotect(Caller& caller, u64 address, u64 length, u64 protection) {
    if (!is_aligned(address, kPageSize))
        return fail(Errno::Inval);
    const Access access = TRY(access_of(protection));
    if (length == 0)
        return 0;
    if (length > kUserTop)
        return fail(Errno::NoMem);
    TRY(caller.space->protect(address, align_up(length, kPageSize), access));
    return 0;
}

Result<u64> sys_brk(Caller& caller, u64 address) { return caller.space->set_break(address); }

/// Advice that only concerns speed is taken and not followed. DONTNEED would have to make the pages zero again: it is
/// refused until the address space can drop pages (malloc and the thread library do without).
Result<u64> sys_madvise(Caller&, u64 address, u64 length, int advice) {
    constexpr int kNormal = 0, kWillNeed = 3, kFree = 8, kHugePage = 14, kDoDump = 17;
    if (!is_aligned(address, kPageSize) || length > kUserTop || address > kUserTop - length)
        return fail(Errno::Inval);
    const bool harmless =
        (advice >= kNormal && advice <= kWillNeed) || advice == kFree || (advice >= kHugePage && advice <= kDoDump);
    if (!harmless)
        return fail(Errno::Inval);
    return 0;
}

} // namespace tollgate
