// Making, removing and moving names.
#include "fs/permission.h"
#include "fs/special.h"
#include "syscall/handlers.h"
#include "syscall/path_argument.h"

namespace tollgate {

Result<u64> sys_mkdirat(Caller& caller, int directory, UserPtr<const char> path, u32 mode) {
    PathAt at;
    TRY(at.read(caller, directory, path));
    auto made = TRY(make_ref<fs::Directory>(fs::kTmpfs, mode & (0777 | fs::kModeSticky)));
    TRY(fs::add_node(&caller, at.node(), at.view(), std::move(made)));
    return 0;
}

Result<u64> sys_mkdir(Caller& caller, UserPtr<const char> path, u32 mode) {
    return sys_mkdirat(caller, kAtCurrentDirectory, path, mode);
}

Result<u64> sys_mknodat(Caller& caller, int directory, UserPtr<const char> path, u32 mode, u32 device) {
    const u32 permissions = mode & fs::kModePermissions;
    const u32 major = device >> 8 & 0xfff, minor = (device & 0xff) | (device >> 12 & 0xfff00);
    PathAt at;
    TRY(at.read(caller, directory, path));
    Ref<fs::Node> node;
    switch (mode & fs::kModeTypeMask) {
    case 0:
    case kModeRegular:
        node = TRY(fs::make_regular_file(permissions));
        break;
    case fs::kModeFifo:
        node = TRY(make_ref<fs::FifoNode>(permissions));
        break;
    case fs::kModeSocket:
        node = TRY(make_ref<fs::DeadSocketNode>(permissions));
        break;
    case kModeCharacter:
    case fs::kModeBlock:
        if (!caller.process->credentials.privileged())
            return fail(Errno::Perm);
        node = TRY(make_ref<fs::NumberedDevice>((mode & fs::kModeTypeMask) | permissions, major, minor));
        break;
    case kModeDirectory:
        return fail(Errno::Perm);
    default:
        return fail(Errno::Inval);
    }
    TRY(fs::add_node(&caller, at.node(), at.view(), std::move(node)));
    return 0;
}

Result<u64> sys_mknod(Caller& caller, UserPtr<const char> path, u32 mode, u32 device) {
    return sys_mknodat(caller, kAtCurrentDirectory, path, mode, device);
}

Result<u64> sys_symlinkat(Caller& caller, UserPtr<const char> target, int directory, UserPtr<const char> path) {
    PathArgument text;
    TRY(text.read(target));
    if (text.view().empty())
        return fail(Errno::NoEnt);
    PathAt at;
    TRY(at.read(caller, directory, path));
    TRY(fs::add_node(&caller, at.node(), at.view(), TRY(make_ref<fs::Link>(TRY(fs::LinkText::make(text.view()))))));
    return 0;
}

Result<u64> sys_symlink(Caller& caller, UserPtr<const char> target, UserPtr<const char> path) {
    return sys_symlinkat(caller, target, kAtCurrentDirectory, path);
}

Result<u64> sys_linkat(Caller& caller, int from_directory, UserPtr<const char> from, int to_directory,
                       UserPtr<const char> to, u32 flags) {
    if (flags & ~(kAtFollowLink | kAtEmptyPath))
        return fail(Errno::Inval);
    auto node =
        TRY(node_at(caller, from_directory, from, (flags & kAtFollowLink ? 0 : kAtKeepLink) | (flags & kAtEmptyPath)));
    PathAt at;
    TRY(at.read(caller, to_directory, to));
    TRY(fs::link(&caller, std::move(node), at.node(), at.view()));
    return 0;
}

Result<u64> sys_link(Caller& caller, UserPtr<const char> from, UserPtr<const char> to) {
    return sys_linkat(caller, kAtCurrentDirectory, from, kAtCurrentDirectory, to, 0);
}

Result<u64> sys_unlinkat(Caller& caller, int directory, UserPtr<const char> path, u32 flags) {
    if (flags & ~kAtRemoveDirectory)
        return fail(Errno::Inval);
    PathAt at;
    TRY(at.read(caller, directory, path));
    TRY((flags & kAtRemoveDirectory ? fs::remove_directory : fs::unlink)(&caller, at.node(), at.view()));
    return 0;
}

Result<u64> sys_unlink(Caller& caller, UserPtr<const char> path) {
    return sys_unlinkat(caller, kAtCurrentDirectory, path, 0);
}

Result<u64> sys_rmdir(Caller& caller, UserPtr<const char> path) {
    return sys_unlinkat(caller, kAtCurrentDirectory, path, kAtRemoveDirectory);
}

Result<u64> sys_renameat2(Caller& caller, int from_directory, UserPtr<const char> from, int to_directory,
                          UserPtr<const char> to, u32 flags) {
    PathAt old, fresh;
    TRY(old.read(caller, from_directory, from));
    TRY(fresh.read(caller, to_directory, to));
    TRY(fs::rename(&caller, old.node(), old.view(), fresh.node(), fresh.view(), flags));
    return 0;
}

Result<u64> sys_renameat(Caller& caller, int from_directory, UserPtr<const char> from, int to_directory,
                         UserPtr<const char> to) {
    return sys_renameat2(caller, from_directory, from, to_directory, to, 0);
}

Result<u64> sys_rename(Caller& caller, UserPtr<const char> from, UserPtr<const char> to) {
    return sys_renameat2(caller, kAtCurrentDirectory, from, kAtCurrentDirectory, to, 0);
}

/// The tree is of one piece: /proc, /sys and /dev are there already, and nothing else can be mounted.
Result<u64> sys_mount(Caller& caller, u64 /*source*/, UserPtr<const char> target, UserPtr<const char> type, u64, u64) {
    if (!caller.process->credentials.privileged())
        return fail(Errno::Perm);
    TRY(node_at(caller, kAtCurrentDirectory, target, 0));
    char name[16];
    const StringView kind = TRY(copy_string_from_user(name, type));
    for (const fs::FileSystem& known : {fs::kTmpfs, fs::kDevfs, fs::kProcfs, fs::kSysfs})
        if (kind == known.type)
            return fail(Errno::Busy);
    return fail(Errno::NoDev);
}

Result<u64> sys_umount2(Caller& caller, UserPtr<const char> target, int) {
    if (!caller.process->credentials.privileged())
        return fail(Errno::Perm);
    TRY(node_at(caller, kAtCurrentDirectory, target, 0));
    return fail(Errno::Inval);
}

Result<u64> sys_pivot_root(Caller& caller, UserPtr<const char>, UserPtr<const char>) {
    return fail(caller.process->credentials.privileged() ? Errno::Inval : Errno::Perm);
}

} // namespace tollgate
