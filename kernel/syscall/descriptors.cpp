// The table of descriptors: copies, flags, and locks that hang on open files.
#include "fs/tmpfs.h"
#include "syscall/handlers.h"

namespace tollgate {
namespace {

// [asm-generic/fcntl.h, linux/fcntl.h] commands of fcntl(2)
constexpr u32 kDuplicate = 0, kGetDescriptorFlags = 1, kSetDescriptorFlags = 2, kGetFlags = 3, kSetFlags = 4;
constexpr u32 kGetLock = 5, kSetLock = 6, kSetLockWait = 7, kSetOwner = 8, kGetOwner = 9, kSetSignal = 10,
              kGetSignal = 11;
constexpr u32 kOpenGetLock = 36, kOpenSetLock = 37, kOpenSetLockWait = 38;
constexpr u32 kDuplicateCloseOnExec = 1030, kSetPipeSize = 1031, kGetPipeSize = 1032, kAddSeals = 1033,
              kGetSeals = 1034;
constexpr u64 kDescriptorCloseOnExec = 1;

/// struct flock [asm-generic/fcntl.h].
struct LockArgument {
    i16 type, origin;
    i64 start, length;
    i32 process, pad;
};
static_assert(sizeof(LockArgument) == 32);
constexpr i16 kReadLock = 0, kWriteLock = 1, kUnlock = 2;

Result<fs::FileLocks*> locks_of(OpenFile& open) {
    fs::Node* const node = open.file->node();
    fs::FileLocks* const locks = node ? node->locks() : nullptr;
    if (!locks)
        return fail(Errno::NoLck);
    return locks;
}

/// The bytes that a lock is about [man 2 fcntl]: a length of 0 reaches to the end, a negative one back from the start.
Result<void> set_range(const LockArgument& argument, OpenFile& open, fs::FileLock& lock) {
    i64 base = 0;
    if (argument.origin == 1)
        base = static_cast<i64>(open.position.load(kRelaxed));
    else if (argument.origin == 2)
        base = TRY(open.file->status())
    .size;
    else if (argument.origin != 0) return fail(Errno::Inval);
    i64 start = 0, end = 0;
    if (__builtin_add_overflow(base, argument.start, &start) || __builtin_add_overflow(start, argument.length, &end))
        return fail(Errno::Overflow);
    if (argument.length < 0)
        std::swap(start, end);
    if (start < 0)
        return fail(Errno::Inval);
    lock.start = static_cast<u64>(start);
    lock.end = argument.length == 0 ? ~u64{0} : static_cast<u64>(end);
    return {};
}

Result<u64> lock_range(Caller& caller, OpenFile& open, u32 command, UserPtr<LockArgument> user) {
    LockArgument argument = TRY(copy_from_user(UserPtr<const LockArgument>(user.address())));
    const bool of_description = command >= kOpenGetLock;
    if (argument.type < kReadLock || argument.type > kUnlock || (of_description && argument.process != 0))
        return fail(Errno::Inval);
    fs::FileLock lock{fs::LockKind::Range,
                      argument.type == kWriteLock,
                      of_description ? static_cast<const void*>(&open) : caller.files,
                      of_description ? -1 : caller.process->id(),
                      0,
                      0,
                      {}};
    TRY(set_range(argument, open, lock));
    fs::FileLocks* const locks = TRY(locks_of(open));
    if (command == kGetLock || command == kOpenGetLock) {
        if (argument.type == kUnlock)
            return fail(Errno::Inval);
        fs::FileLock conflict{lock.kind, false, nullptr, 0, 0, 0, {}};
        if (!locks->find_conflict(lock, conflict)) {
            argument.type = kUnlock;
        } else {
            argument.type = conflict.exclusive ? kWriteLock : kReadLock;
            argument.origin = 0;
            argument.start = static_cast<i64>(conflict.start);
            argument.length = conflict.end == ~u64{0} ? 0 : static_cast<i64>(conflict.end - conflict.start);
            argument.process = conflict.process;
        }
        TRY(copy_to_user(user, argument));
        return 0;
    }
    if ((argument.type == kReadLock && !open.readable()) || (argument.type == kWriteLock && !open.writable()))
        return fail(Errno::BadF);
    const bool wait = command == kSetLockWait || command == kOpenSetLockWait;
    TRY(locks->set(lock, argument.type == kUnlock, wait));
    return 0;
}

Result<u64> seal(OpenFile& open, u32 command, u64 seals) {
    fs::Node* const node = open.file->node();
    fs::RegularNode* const file = node ? node->as_regular() : nullptr;
    if (!file)
        return open.file->command(command, seals);
    if (command == kGetSeals)
        return file->seals();
    constexpr u64 kKnown = fs::kSealSeal | fs::kSealShrink | fs::kSealGrow | fs::kSealWrite | fs::kSealFutureWrite;
    if (seals & ~kKnown)
        return fail(Errno::Inval);
    if (!open.writable())
        return fail(Errno::Perm);
    TRY(file->add_seals(static_cast<u32>(seals)));
    return 0;
}

Result<u64> set_flags(OpenFile& open, u64 flags) {
    constexpr u32 kMayChange = kOpenAppend | kOpenNonBlock | kOpenNoAccessTime | 020000; // and O_ASYNC
    constexpr u32 kOpenDirect = 040000;
    if (open.flags() & kOpenPath)
        return fail(Errno::BadF);
    if (flags & kOpenDirect)
        return fail(Errno::Inval);
    open.set_flags((open.flags() & ~kMayChange) | (static_cast<u32>(flags) & kMayChange));
    return 0;
}

} // namespace

Result<u64> sys_dup(Caller& caller, int descriptor) {
    return static_cast<u64>(TRY(caller.files->add(TRY(caller.files->get(descriptor)), false)));
}

Result<u64> sys_dup2(Caller& caller, int from, int to) {
    if (from == to) {
        TRY(caller.files->get(from));
        return static_cast<u64>(from);
    }
    return static_cast<u64>(TRY(caller.files->duplicate_to(from, to, false)));
}

Result<u64> sys_dup3(Caller& caller, int from, int to, u32 flags) {
    if (from == to || (flags & ~kOpenCloseOnExec))
        return fail(Errno::Inval);
    return static_cast<u64>(TRY(caller.files->duplicate_to(from, to, flags & kOpenCloseOnExec)));
}

Result<u64> sys_close_range(Caller& caller, u32 first, u32 last, u32 flags) {
    constexpr u32 kUnshare = 2, kCloseOnExec = 4; // [linux/close_range.h]
    if (first > last || (flags & ~(kUnshare | kCloseOnExec)))
        return fail(Errno::Inval);
    if ((flags & kUnshare) && caller.process->thread_count() > 1)
        return fail(Errno::NoMem); // a table for one thread alone is not to be had here
    caller.files->close_range(first, last, flags & kCloseOnExec);
    return 0;
}

Result<u64> sys_fcntl(Caller& caller, int descriptor, u32 command, u64 argument) {
    const BorrowedFile open = TRY(caller.files->borrow(descriptor));
    switch (command) {
    case kDuplicate:
    case kDuplicateCloseOnExec:
        if (argument > FileTable::kMaxSize)
            return fail(Errno::Inval);
        return static_cast<u64>(
            TRY(caller.files->add(open.share(), command == kDuplicateCloseOnExec, static_cast<int>(argument))));
    case kGetDescriptorFlags:
        return TRY(caller.files->closes_on_exec(descriptor))
        ? kDescriptorCloseOnExec : 0;
    case kSetDescriptorFlags:
        TRY(caller.files->set_close_on_exec(descriptor, argument & kDescriptorCloseOnExec));
        return 0;
    case kGetFlags:
        return open->flags();
    case kSetFlags:
        return set_flags(*open, argument);
    case kGetLock:
    case kSetLock:
    case kSetLockWait:
    case kOpenGetLock:
    case kOpenSetLock:
    case kOpenSetLockWait:
        if (open->flags() & kOpenPath)
            return fail(Errno::BadF);
        return lock_range(caller, *open, command, UserPtr<LockArgument>(argument));
    case kSetPipeSize:
    case kGetPipeSize:
        if (open->file->kind() != FileKind::Pipe)
            return fail(Errno::BadF);
        return open->file->command(command, argument);
    case kAddSeals:
    case kGetSeals:
        return seal(*open, command, argument);
    case kSetOwner:
    case kSetSignal:
    case kGetOwner:
    case kGetSignal:
        return 0; // nothing sends SIGIO
    default:
        return open->file->command(command, argument);
    }
}

Result<u64> sys_flock(Caller& caller, int descriptor, u32 operation) {
    constexpr u32 kShared = 1, kExclusive = 2, kNonBlock = 4, kUnlockAll = 8; // [asm-generic/fcntl.h] LOCK_*
    const BorrowedFile open = TRY(caller.files->borrow(descriptor));
    const u32 what = operation & ~kNonBlock;
    if (what != kShared && what != kExclusive && what != kUnlockAll)
        return fail(Errno::Inval);
    if (open->flags() & kOpenPath)
        return fail(Errno::BadF);
    const fs::FileLock lock{fs::LockKind::Flock, what == kExclusive, &*open, caller.process->id(), 0, ~u64{0}, {}};
    TRY(TRY(locks_of(*open))->set(lock, what == kUnlockAll, !(operation & kNonBlock)));
    return 0;
}

} // namespace tollgate
