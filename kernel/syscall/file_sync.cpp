// Calls that are advice, or about storage that does not exist here: they look at their arguments and find all done.
#include "fs/node.h"
#include "syscall/handlers.h"

namespace tollgate {

Result<u64> sys_fsync(Caller& caller, int descriptor) {
    const BorrowedFile open = TRY(caller.files->borrow(descriptor));
    if (open->flags() & kOpenPath)
        return fail(Errno::BadF);
    const fs::Node* const node = open->file->node();
    if (!node || (node->type() != kModeRegular && node->type() != kModeDirectory))
        return fail(Errno::Inval);
    return 0;
}
Result<u64> sys_fdatasync(Caller& caller, int descriptor) { return sys_fsync(caller, descriptor); }
Result<u64> sys_sync(Caller&) { return 0; }
Result<u64> sys_syncfs(Caller& caller, int descriptor) {
    TRY(caller.files->borrow(descriptor));
    return 0;
}
Result<u64> sys_sync_file_range(Caller& caller, int descriptor, i64 offset, i64 length, u32 flags) {
    if (offset < 0 || length < 0 || flags > 7)
        return fail(Errno::Inval);
    const u32 type = TRY(TRY(caller.files->borrow(descriptor))->file->status())
    .mode& fs::kModeTypeMask;
    if (type != kModeRegular && type != kModeDirectory)
        return fail(Errno::SPipe);
    return sys_fsync(caller, descriptor);
}

Result<u64> sys_fadvise64(Caller& caller, int descriptor, i64 /*offset*/, i64 length, int advice) {
    constexpr int kLastAdvice = 5; // POSIX_FADV_NOREUSE
    const BorrowedFile open = TRY(caller.files->borrow(descriptor));
    if (open->flags() & kOpenPath)
        return fail(Errno::BadF);
    if ((TRY(open->file->status()).mode & fs::kModeTypeMask) == fs::kModeFifo)
        return fail(Errno::SPipe);
    if (length < 0 || advice < 0 || advice > kLastAdvice)
        return fail(Errno::Inval);
    return 0;
}

Result<u64> sys_readahead(Caller& caller, int descriptor, i64 /*offset*/, u64 /*count*/) {
    const BorrowedFile open = TRY(caller.files->borrow(descriptor));
    if (!open->readable() || open->flags() & kOpenPath)
        return fail(Errno::BadF);
    const fs::Node* const node = open->file->node();
    return node && node->type() == kModeRegular ? Result<u64>(0) : fail(Errno::Inval);
}

} // namespace tollgate
