// Changing what a file is besides its content and names: mode, owner, times, size; and asking about its file system.
#include "cpu/clock.h"
#include "fs/permission.h"
#include "fs/tmpfs.h"
#include "syscall/handlers.h"
#include "syscall/path_argument.h"
#include "task/signal.h"

namespace tollgate {
namespace {

constexpr u32 kUnchanged = ~u32{0}; // chown(2)
constexpr int kSigFileSize = 25;    // SIGXFSZ

/// The node behind a descriptor that is open for more than its path. Errno::BadF; Inval for files without a node.
Result<Ref<fs::Node>> node_of(Caller& caller, int descriptor) {
    const BorrowedFile open = TRY(caller.files->borrow(descriptor));
    if (open->flags() & kOpenPath)
        return fail(Errno::BadF);
    if (!open->file->node())
        return fail(Errno::Inval);
    return Ref<fs::Node>(*open->file->node());
}

Result<u64> change_mode(const Caller& caller, fs::Node& node, u32 mode) {
    if (!fs::owns(&caller, node))
        return fail(Errno::Perm);
    if (!fs::is_root(&caller) && !caller.process->credentials.in_group(node.group()))
        mode &= ~fs::kModeSetGroup;
    node.set_permissions(mode & fs::kModePermissions);
    return 0;
}

Result<u64> change_owner(const Caller& caller, fs::Node& node, u32 user, u32 group) {
    if (!fs::is_root(&caller)) {
        const bool same_user = user == kUnchanged || user == node.user();
        const bool own_group =
            group == kUnchanged || group == node.group() || caller.process->credentials.in_group(group);
        if (!fs::owns(&caller, node) || !same_user || !own_group)
            return fail(Errno::Perm);
    }
    node.set_owner(user == kUnchanged ? node.user() : user, group == kUnchanged ? node.group() : group);
    if (node.type() != kModeDirectory) // a new owner does not get the old one's rights
        node.set_permissions(node.mode() & ~(fs::kModeSetUser | (node.mode() & 010 ? fs::kModeSetGroup : 0)));
    node.stamp(fs::Stamp::Change);
    return 0;
}

/// Two times as utimensat(2) takes them.
struct NewTimes {
    bool now = true; ///< both are the present: asks for less
    Timespec access{}, modify{};
};
constexpr i64 kNow = 0x3fffffff, kOmit = 0x3ffffffe, kSecond = 1'000'000'000;

u64 pick(const Timespec& time, u64 old, u64 now) {
    if (time.nanoseconds == kOmit)
        return old;
    if (time.nanoseconds == kNow)
        return now;
    if (time.seconds < 0)
        return 0;
    return static_cast<u64>(time.seconds * kSecond + time.nanoseconds);
}

Result<u64> change_times(const Caller& caller, fs::Node& node, const NewTimes& times) {
    const Timespec &access = times.access, &modify = times.modify;
    if (access.nanoseconds == kOmit && modify.nanoseconds == kOmit)
        return 0;
    const bool now = times.now || (access.nanoseconds == kNow && modify.nanoseconds == kNow);
    if (!fs::owns(&caller, node)) {
        if (!now)
            return fail(Errno::Perm);
        if (!fs::may(&caller, node, fs::kMayWrite))
            return fail(Errno::Access);
    }
    const u64 present = clock_realtime_ns();
    if (now)
        node.set_times(present, present);
    else
        node.set_times(pick(access, node.access_time(), present), pick(modify, node.modify_time(), present));
    return 0;
}

Result<NewTimes> read_times(UserPtr<const Timespec> from) {
    NewTimes times;
    if (from.address() == 0)
        return times;
    times.now = false;
    times.access = TRY(copy_from_user(from));
    times.modify = TRY(copy_from_user(from.offset(1)));
    for (const Timespec& time : {times.access, times.modify})
        if (time.nanoseconds != kNow && time.nanoseconds != kOmit &&
            (time.nanoseconds < 0 || time.nanoseconds >= kSecond))
            return fail(Errno::Inval);
    return times;
}

Result<NewTimes> read_microtimes(UserPtr<const Timeval> from) {
    NewTimes times;
    if (from.address() == 0)
        return times;
    times.now = false;
    const Timeval access = TRY(copy_from_user(from))
    , modify = TRY(copy_from_user(from.offset(1)));
    for (const Timeval& time : {access, modify})
        if (time.microseconds < 0 || time.microseconds >= 1'000'000)
            return fail(Errno::Inval);
    times.access = {access.seconds, access.microseconds * 1000};
    times.modify = {modify.seconds, modify.microseconds * 1000};
    return times;
}

/// RLIMIT_FSIZE. Errno::FBig, and its signal.
Result<void> check_size_limit(Caller& caller, u64 size) {
    if (size <= caller.process->limits[Limit::FileSize])
        return {};
    static_cast<void>(task::send_signal(*caller.owner, task::kernel_signal(kSigFileSize)).has_value());
    return fail(Errno::FBig);
}

} // namespace

Result<u64> sys_fchmodat(Caller& caller, int directory, UserPtr<const char> path, u32 mode) {
    return change_mode(caller, *TRY(node_at(caller, directory, path, 0)), mode);
}
Result<u64> sys_chmod(Caller& caller, UserPtr<const char> path, u32 mode) {
    return sys_fchmodat(caller, kAtCurrentDirectory, path, mode);
}
Result<u64> sys_fchmod(Caller& caller, int descriptor, u32 mode) {
    return change_mode(caller, *TRY(node_of(caller, descriptor)), mode);
}

Result<u64> sys_fchownat(Caller& caller, int directory, UserPtr<const char> path, u32 user, u32 group, u32 flags) {
    if (flags & ~(kAtKeepLink | kAtEmptyPath))
        return fail(Errno::Inval);
    return change_owner(caller, *TRY(node_at(caller, directory, path, flags)), user, group);
}
Result<u64> sys_chown(Caller& caller, UserPtr<const char> path, u32 user, u32 group) {
    return sys_fchownat(caller, kAtCurrentDirectory, path, user, group, 0);
}
Result<u64> sys_lchown(Caller& caller, UserPtr<const char> path, u32 user, u32 group) {
    return sys_fchownat(caller, kAtCurrentDirectory, path, user, group, kAtKeepLink);
}
Result<u64> sys_fchown(Caller& caller, int descriptor, u32 user, u32 group) {
    return change_owner(caller, *TRY(node_of(caller, descriptor)), user, group);
}

Result<u64> sys_utimensat(Caller& caller, int directory, UserPtr<const char> path, UserPtr<const Timespec> times,
                          u32 flags) {
    if (flags & ~(kAtKeepLink | kAtEmptyPath))
        return fail(Errno::Inval);
    const NewTimes wanted = TRY(read_times(times));
    if (path.address() == 0) { // futimens(3)
        if (directory == kAtCurrentDirectory)
            return fail(Errno::Fault);
        if (flags != 0)
            return fail(Errno::Inval);
        return change_times(caller, *TRY(node_of(caller, directory)), wanted);
    }
    return change_times(caller, *TRY(node_at(caller, directory, path, flags)), wanted);
}

Result<u64> sys_futimesat(Caller& caller, int directory, UserPtr<const char> path, UserPtr<const Timeval> times) {
    const NewTimes wanted = TRY(read_microtimes(times));
    if (path.address() == 0)
        return change_times(caller, *TRY(node_of(caller, directory)), wanted);
    return change_times(caller, *TRY(node_at(caller, directory, path, 0)), wanted);
}
Result<u64> sys_utimes(Caller& caller, UserPtr<const char> path, UserPtr<const Timeval> times) {
    const NewTimes wanted = TRY(read_microtimes(times));
    return change_times(caller, *TRY(node_at(caller, kAtCurrentDirectory, path, 0)), wanted);
}
Result<u64> sys_utime(Caller& caller, UserPtr<const char> path, UserPtr<const i64> times) {
    NewTimes wanted;
    if (times.address() != 0) {
        wanted.now = false;
        wanted.access.seconds = TRY(copy_from_user(times));
        wanted.modify.seconds = TRY(copy_from_user(times.offset(1)));
    }
    return change_times(caller, *TRY(node_at(caller, kAtCurrentDirectory, path, 0)), wanted);
}

Result<u64> sys_truncate(Caller& caller, UserPtr<const char> path, i64 size) {
    if (size < 0)
        return fail(Errno::Inval);
    const auto node = TRY(node_at(caller, kAtCurrentDirectory, path, 0));
    if (node->type() == kModeDirectory)
        return fail(Errno::IsDir);
    if (node->type() != kModeRegular)
        return fail(Errno::Inval);
    if (!fs::may(&caller, *node, fs::kMayWrite))
        return fail(Errno::Access);
    TRY(check_size_limit(caller, static_cast<u64>(size)));
    TRY(node->truncate(static_cast<u64>(size)));
    return 0;
}

Result<u64> sys_ftruncate(Caller& caller, int descriptor, i64 size) {
    if (size < 0)
        return fail(Errno::Inval);
    const BorrowedFile open = TRY(caller.files->borrow(descriptor));
    if (open->flags() & kOpenPath)
        return fail(Errno::BadF);
    if (!open->writable())
        return fail(Errno::Inval);
    TRY(check_size_limit(caller, static_cast<u64>(size)));
    TRY(open->file->truncate(static_cast<u64>(size)));
    return 0;
}

Result<u64> sys_fallocate(Caller& caller, int descriptor, u32 mode, i64 offset, i64 length) {
    const BorrowedFile open = TRY(caller.files->borrow(descriptor));
    if (offset < 0 || length <= 0)
        return fail(Errno::Inval);
    if (!open->writable() || open->flags() & kOpenPath)
        return fail(Errno::BadF);
    fs::Node* const node = open->file->node();
    if (!node || !node->as_regular()) {
        const bool pipe = (TRY(open->file->status()).mode & fs::kModeTypeMask) == fs::kModeFifo;
        return fail(pipe ? Errno::SPipe : Errno::NoDev);
    }
    TRY(check_size_limit(caller, static_cast<u64>(offset) + static_cast<u64>(length)));
    TRY(node->as_regular()->allocate(mode, static_cast<u64>(offset), static_cast<u64>(length)));
    return 0;
}

Result<u64> sys_statfs(Caller& caller, UserPtr<const char> path, UserPtr<FileSystemStatus> to) {
    const auto node = TRY(node_at(caller, kAtCurrentDirectory, path, 0));
    TRY(copy_to_user(to, FileSystemStatus(node->file_system())));
    return 0;
}

Result<u64> sys_fstatfs(Caller& caller, int descriptor, UserPtr<FileSystemStatus> to) {
    const BorrowedFile open = TRY(caller.files->borrow(descriptor));
    const fs::Node* const node = open->file->node();
    const fs::FileSystem& file_system = node ? node->file_system() : fs::kUnnamed;
    TRY(copy_to_user(to, FileSystemStatus(file_system)));
    return 0;
}

} // namespace tollgate
