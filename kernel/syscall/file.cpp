// Opening files, and asking about them by name or descriptor.
#include "fs/context.h"
#include "fs/permission.h"
#include "lib/memory.h"
#include "syscall/handlers.h"
#include "syscall/path_argument.h"

namespace tollgate {

Result<Ref<fs::Node>> node_at(Caller& caller, int directory, UserPtr<const char> path, u32 flags) {
    PathAt at;
    TRY(at.read(caller, directory, path));
    if (at.view().empty() && (flags & kAtEmptyPath)) {
        if (directory == kAtCurrentDirectory)
            return Ref<fs::Node>(fs::Context::of(caller).current());
        if (!at.node())
            return fail(Errno::BadF); // a file without a name
        return Ref<fs::Node>(*at.node());
    }
    return fs::lookup(&caller, at.node(), at.view(), flags & kAtKeepLink ? fs::LastLink::Keep : fs::LastLink::Follow);
}

namespace {

/// Installs an open file under the lowest descriptor.
Result<u64> install(Caller& caller, Ref<OpenFile> open, u32 flags) {
    return static_cast<u64>(TRY(caller.files->add(std::move(open), flags & kOpenCloseOnExec)));
}

} // namespace

Result<u64> sys_openat(Caller& caller, int directory, UserPtr<const char> path, u32 flags, u32 mode) {
    PathAt at;
    TRY(at.read(caller, directory, path));
    return install(caller, TRY(fs::open(&caller, at.node(), at.view(), flags, mode)), flags);
}

Result<u64> sys_open(Caller& caller, UserPtr<const char> path, u32 flags, u32 mode) {
    return sys_openat(caller, kAtCurrentDirectory, path, flags, mode);
}

Result<u64> sys_creat(Caller& caller, UserPtr<const char> path, u32 mode) {
    return sys_openat(caller, kAtCurrentDirectory, path, kOpenCreate | kOpenWriteOnly | kOpenTruncate, mode);
}

Result<u64> sys_openat2(Caller& caller, int directory, UserPtr<const char> path, UserPtr<const OpenHow> how, u64 size) {
    constexpr u64 kKnownFlags = 037777703; // all that open(2) knows; openat2 refuses the others
    if (size < sizeof(OpenHow))
        return fail(Errno::Inval);
    if (size > kPageSize)
        return fail(Errno::TooBig);
    const OpenHow request = TRY(copy_from_user(how));
    for (u64 at = sizeof request; at < size; ++at)
        if (TRY(copy_from_user(UserPtr<const u8>(how.address() + at))) != 0)
            return fail(Errno::TooBig); // newer than we are
    constexpr u64 kKnownResolve = fs::kResolveNoCrossing | fs::kResolveNoMagicLinks | fs::kResolveNoSymlinks |
                                  fs::kResolveBeneath | fs::kResolveInRoot | fs::kResolveCached;
    const bool creates = request.flags & kOpenCreate || (request.flags & kOpenTemporary) == kOpenTemporary;
    if (request.flags & ~kKnownFlags || request.resolve & ~kKnownResolve || request.mode & ~u64{07777})
        return fail(Errno::Inval);
    if ((!creates && request.mode != 0) ||
        (request.resolve & fs::kResolveBeneath && request.resolve & fs::kResolveInRoot))
        return fail(Errno::Inval);
    PathAt at;
    TRY(at.read(caller, directory, path));
    const u32 flags = static_cast<u32>(request.flags);
    return install(caller,
                   TRY(fs::open(&caller, at.node(), at.view(), flags, static_cast<u32>(request.mode),
                                static_cast<u32>(request.resolve))),
                   flags);
}

Result<u64> sys_close(Caller& caller, int descriptor) {
    TRY(caller.files->close(descriptor));
    return 0;
}

Result<u64> sys_fstat(Caller& caller, int descriptor, UserPtr<FileStatus> to) {
    const BorrowedFile open = TRY(caller.files->borrow(descriptor));
    const Result<FileStatus> status = open->file->status();
    if (!status) [[unlikely]]
        return fail(status.error());
    TRY(copy_to_user_bytes(to.address(), &*status, sizeof *status));
    return 0;
}

Result<u64> sys_newfstatat(Caller& caller, int directory, UserPtr<const char> path, UserPtr<FileStatus> to, u32 flags) {
    if (flags & ~(kAtKeepLink | kAtNoAutomount | kAtEmptyPath))
        return fail(Errno::Inval);
    if ((flags & kAtEmptyPath) && directory != kAtCurrentDirectory) {
        char first[1];
        const auto empty = copy_string_from_user(first, path);
        if (empty)
            return sys_fstat(caller, directory, to);
    }
    const auto node = TRY(node_at(caller, directory, path, flags));
    TRY(copy_to_user(to, node->status()));
    return 0;
}

Result<u64> sys_stat(Caller& caller, UserPtr<const char> path, UserPtr<FileStatus> to) {
    PathArgument text;
    TRY(text.read(path));
    const auto node = TRY(fs::lookup(&caller, nullptr, text.view()));
    TRY(copy_to_user(to, node->status()));
    return 0;
}

Result<u64> sys_lstat(Caller& caller, UserPtr<const char> path, UserPtr<FileStatus> to) {
    return sys_newfstatat(caller, kAtCurrentDirectory, path, to, kAtKeepLink);
}

Result<u64> sys_statx(Caller& caller, int directory, UserPtr<const char> path, u32 flags, u32 mask,
                      UserPtr<ExtendedStatus> to) {
    constexpr u32 kSyncKinds = 0x6000, kReserved = 0x80000000;
    if ((flags & ~(kAtKeepLink | kAtNoAutomount | kAtEmptyPath | kSyncKinds)) || (flags & kSyncKinds) == kSyncKinds ||
        (mask & kReserved))
        return fail(Errno::Inval);
    FileStatus status;
    char first[1];
    if ((flags & kAtEmptyPath) && directory != kAtCurrentDirectory && copy_string_from_user(first, path)) {
        status = TRY(TRY(caller.files->borrow(directory))->file->status());
    } else {
        status = TRY(node_at(caller, directory, path, flags))
        ->status();
    }
    TRY(copy_to_user(to, ExtendedStatus(status)));
    return 0;
}

Result<u64> sys_faccessat2(Caller& caller, int directory, UserPtr<const char> path, u32 mode, u32 flags) {
    if ((mode & ~(fs::kMayExecute | fs::kMayWrite | fs::kMayRead)) ||
        (flags & ~(kAtKeepLink | kAtEffective | kAtEmptyPath)))
        return fail(Errno::Inval);
    const auto node = TRY(node_at(caller, directory, path, flags));
    if (!(flags & kAtEffective ? fs::may(&caller, *node, mode) : fs::may_really(caller, *node, mode)))
        return fail(Errno::Access);
    return 0;
}

Result<u64> sys_faccessat(Caller& caller, int directory, UserPtr<const char> path, u32 mode) {
    return sys_faccessat2(caller, directory, path, mode, 0);
}

Result<u64> sys_access(Caller& caller, UserPtr<const char> path, u32 mode) {
    return sys_faccessat2(caller, kAtCurrentDirectory, path, mode, 0);
}

Result<u64> sys_readlinkat(Caller& caller, int directory, UserPtr<const char> path, u64 buffer, i32 size) {
    if (size <= 0)
        return fail(Errno::Inval);
    const auto node = TRY(node_at(caller, directory, path, kAtKeepLink | kAtEmptyPath));
    fs::Link* const link = node->as_link();
    if (!link)
        return fail(Errno::Inval);
    const Ref<fs::LinkText> target = TRY(link->text(&caller));
    const u64 whole = target->view().size();
    const u64 length = whole < static_cast<u64>(size) ? whole : static_cast<u64>(size);
    TRY(copy_to_user_bytes(buffer, target->view().data(), length));
    return length;
}

Result<u64> sys_readlink(Caller& caller, UserPtr<const char> path, u64 buffer, i32 size) {
    return sys_readlinkat(caller, kAtCurrentDirectory, path, buffer, size);
}

} // namespace tollgate
