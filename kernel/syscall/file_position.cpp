// Moving the position of an open file, and copying between two files inside the kernel.
#include "fs/tmpfs.h"
#include "lib/unique_ptr.h"
#include "syscall/handlers.h"

namespace tollgate {
namespace {

// [linux/fs.h] SEEK_*; 0 is from the start
constexpr u32 kFromPosition = 1, kFromEnd = 2, kToData = 3, kToHole = 4;

/// SEEK_DATA and SEEK_HOLE. Errno::Nxio beyond the end, and for data where there is none any more.
Result<u64> seek_data(OpenFile& open, i64 offset, u32 origin) {
    fs::Node* const node = open.file->node();
    fs::RegularNode* const file = node ? node->as_regular() : nullptr;
    const u64 size = node ? node->size() : 0;
    if (offset < 0 || static_cast<u64>(offset) >= size)
        return fail(Errno::Nxio);
    const u64 from = static_cast<u64>(offset);
    const fs::FilePages* const content = file ? file->content_now() : nullptr;
    if (!content)
        return origin == kToData ? from : size;
    const u64 found = origin == kToData ? content->next_data(from) : content->next_hole(from);
    if (origin == kToData && found >= size)
        return fail(Errno::Nxio);
    return found;
}

struct Page {
    Page() {}
    u8 bytes[kPageSize];
};

/// Moves up to `size` bytes from one file to another through a page of the kernel's; what got there counts.
Result<u64> copy(OpenFile& from, u64& from_offset, OpenFile& to, u64& to_offset, u64 size) {
    const auto page = TRY(make_owned<Page>());
    u64 done = 0;
    while (done < size) {
        const u64 part = size - done < kPageSize ? size - done : kPageSize;
        IoBuffer in = IoBuffer::of_kernel(page->bytes, part);
        const Result<u64> got = from.file->read(in, from_offset, from.flags());
        if (!got && done == 0)
            return fail(got.error());
        if (!got || *got == 0)
            break;
        IoBuffer out = IoBuffer::of_kernel(page->bytes, *got);
        const Result<u64> put = to.file->write(out, to_offset, to.flags());
        if (!put && done == 0)
            return fail(put.error());
        if (!put)
            break;
        done += *put;
        from_offset += *put;
        to_offset += *put;
        if (*put < *got)
            break;
    }
    return done;
}

} // namespace

Result<u64> sys_lseek(Caller& caller, int descriptor, i64 offset, u32 origin) {
    const BorrowedFile open = TRY(caller.files->borrow(descriptor));
    if (open->flags() & kOpenPath)
        return fail(Errno::BadF);
    if (origin > kToHole)
        return fail(Errno::Inval);
    if (!open->seekable) {
        constexpr u64 kMemoryDevices = 1; // /dev/null and its like are where one wants them to be
        const FileStatus status = TRY(open->file->status());
        if ((status.mode & fs::kModeTypeMask) == kModeCharacter && status.special_device >> 8 == kMemoryDevices)
            return 0;
        return fail(Errno::SPipe);
    }
    MutexGuard guard{open->position_lock};
    i64 base = 0;
    if (origin == kFromPosition)
        base = static_cast<i64>(open->position.load(kRelaxed));
    else if (origin == kFromEnd)
        base = TRY(open->file->status())
    .size;
    i64 position = 0;
    if (origin >= kToData)
        position = static_cast<i64>(TRY(seek_data(*open, offset, origin)));
    else if (__builtin_add_overflow(base, offset, &position))
        return fail(Errno::Overflow);
    if (position < 0)
        return fail(Errno::Inval);
    open->position.store(static_cast<u64>(position), kRelaxed);
    return static_cast<u64>(position);
}

Result<u64> sys_copy_file_range(Caller& caller, int from_descriptor, UserPtr<i64> from_offset, int to_descriptor,
                                UserPtr<i64> to_offset, u64 size, u32 flags) {
    const BorrowedFile from = TRY(caller.files->borrow(from_descriptor));
    const BorrowedFile to = TRY(caller.files->borrow(to_descriptor));
    if (flags != 0)
        return fail(Errno::Inval);
    if (!from->readable() || !to->writable() || (to->flags() & kOpenAppend))
        return fail(Errno::BadF);
    fs::Node* const from_node = from->file->node();
    fs::Node* const to_node = to->file->node();
    for (const fs::Node* const node : {from_node, to_node}) {
        if (node && node->type() == kModeDirectory)
            return fail(Errno::IsDir);
        if (!node || node->type() != kModeRegular)
            return fail(Errno::Inval);
    }
    const auto offset_of = [](OpenFile& open, UserPtr<i64> user) -> Result<u64> {
        if (user.address() == 0)
            return open.position.load(kRelaxed);
        const i64 offset = TRY(copy_from_user(UserPtr<const i64>(user.address())));
        return offset < 0 ? fail(Errno::Inval) : Result<u64>(static_cast<u64>(offset));
    };
    u64 source = TRY(offset_of(*from, from_offset))
    , target = TRY(offset_of(*to, to_offset));
    if (size > (u64{1} << 40))
        size = u64{1} << 40;
    if (from_node == to_node && source < target + size && target < source + size)
        return fail(Errno::Inval); // the ranges overlap
    const u64 done = TRY(copy(*from, source, *to, target, size));
    if (from_offset.address() != 0)
        TRY(copy_to_user(from_offset, static_cast<i64>(source)));
    else
        from->position.store(source, kRelaxed);
    if (to_offset.address() != 0)
        TRY(copy_to_user(to_offset, static_cast<i64>(target)));
    else
        to->position.store(target, kRelaxed);
    return done;
}

} // namespace tollgate
