// Names and descriptors: opening, asking about files, and the table of descriptors.
#include "syscall/handlers.h"
#include "syscall/path_argument.h"

namespace tollgate {
namespace {

constexpr u32 kMayExecute = 1, kMayWrite = 2, kMayRead = 4; // access(2)
constexpr u32 kOwnerExecute = 0111;

Result<Ref<fs::Node>> node_at(Caller& caller, int directory, StringView path, fs::LastLink last_link) {
    const auto start = TRY(StartDirectory::of(caller, directory, path));
    return fs::lookup(&caller, start.node(), path, last_link);
}

} // namespace

Result<u64> sys_openat(Caller& caller, int directory, UserPtr<const char> path, u32 flags, u32 mode) {
    if ((flags & kOpenAccessMask) == kOpenAccessMask)
        return fail(Errno::Inval);
    const auto text = TRY(PathArgument::read(path));
    const auto start = TRY(StartDirectory::of(caller, directory, text.view()));
    auto open = TRY(fs::open(&caller, start.node(), text.view(), flags, mode));
    return static_cast<u64>(TRY(caller.files->add(std::move(open), flags & kOpenCloseOnExec)));
}

Result<u64> sys_open(Caller& caller, UserPtr<const char> path, u32 flags, u32 mode) {
    return sys_openat(caller, kAtCurrentDirectory, path, flags, mode);
}

Result<u64> sys_close(Caller& caller, int descriptor) {
    TRY(caller.files->close(descriptor));
    return 0;
}

Result<u64> sys_fstat(Caller& caller, int descriptor, UserPtr<FileStatus> to) {
    const auto open = TRY(caller.files->get(descriptor));
    TRY(copy_to_user(to, TRY(open->file->status())));
    return 0;
}

Result<u64> sys_newfstatat(Caller& caller, int directory, UserPtr<const char> path, UserPtr<FileStatus> to, u32 flags) {
    if (flags & ~(kAtKeepLink | kAtNoAutomount | kAtEmptyPath))
        return fail(Errno::Inval);
    const auto text = TRY(PathArgument::read(path));
    if (text.view().empty() && (flags & kAtEmptyPath) && directory != kAtCurrentDirectory)
        return sys_fstat(caller, directory, to);
    const StringView name = text.view().empty() && (flags & kAtEmptyPath) ? StringView("/") : text.view();
    const auto node =
        TRY(node_at(caller, directory, name, flags & kAtKeepLink ? fs::LastLink::Keep : fs::LastLink::Follow));
    TRY(copy_to_user(to, node->status()));
    return 0;
}

Result<u64> sys_stat(Caller& caller, UserPtr<const char> path, UserPtr<FileStatus> to) {
    return sys_newfstatat(caller, kAtCurrentDirectory, path, to, 0);
}

Result<u64> sys_lstat(Caller& caller, UserPtr<const char> path, UserPtr<FileStatus> to) {
    return sys_newfstatat(caller, kAtCurrentDirectory, path, to, kAtKeepLink);
}

/// All programs run as root, who may read and write whatever the mode says, and execute what anybody may.
Result<u64> sys_faccessat(Caller& caller, int directory, UserPtr<const char> path, u32 mode) {
    if (mode & ~(kMayExecute | kMayWrite | kMayRead))
        return fail(Errno::Inval);
    const auto text = TRY(PathArgument::read(path));
    const auto node = TRY(node_at(caller, directory, text.view(), fs::LastLink::Follow));
    if ((mode & kMayExecute) && !(node->status().mode & kOwnerExecute))
        return fail(Errno::Access);
    return 0;
}

Result<u64> sys_access(Caller& caller, UserPtr<const char> path, u32 mode) {
    return sys_faccessat(caller, kAtCurrentDirectory, path, mode);
}

Result<u64> sys_readlinkat(Caller& caller, int directory, UserPtr<const char> path, u64 buffer, i32 size) {
    if (size <= 0)
        return fail(Errno::Inval);
    const auto text = TRY(PathArgument::read(path));
    const auto node = TRY(node_at(caller, directory, text.view(), fs::LastLink::Keep));
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

/// The root is everybody's current directory.
Result<u64> sys_getcwd(Caller&, u64 buffer, u64 size) {
    constexpr char kRoot[] = "/";
    if (size < sizeof kRoot)
        return fail(Errno::Range);
    TRY(copy_to_user_bytes(buffer, kRoot, sizeof kRoot));
    return sizeof kRoot;
}

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

Result<u64> sys_fcntl(Caller& caller, int descriptor, u32 command, u64 argument) {
    // [asm-generic/fcntl.h]
    constexpr u32 kDuplicate = 0, kGetDescriptorFlags = 1, kSetDescriptorFlags = 2, kGetFlags = 3, kSetFlags = 4;
    constexpr u32 kDuplicateCloseOnExec = 1030;
    constexpr u64 kDescriptorCloseOnExec = 1;
    constexpr u32 kOnlyForOpen = kOpenCreate | kOpenExclusive | kOpenTruncate | kOpenCloseOnExec;
    constexpr u32 kSettable = kOpenAppend | kOpenNonBlock;
    const auto open = TRY(caller.files->get(descriptor));
    switch (command) {
    case kDuplicate:
    case kDuplicateCloseOnExec:
        if (argument >= FileTable::kSize)
            return fail(Errno::Inval);
        return static_cast<u64>(
            TRY(caller.files->add(open, command == kDuplicateCloseOnExec, static_cast<int>(argument))));
    case kGetDescriptorFlags:
        return TRY(caller.files->closes_on_exec(descriptor))
        ? kDescriptorCloseOnExec : 0;
    case kSetDescriptorFlags:
        TRY(caller.files->set_close_on_exec(descriptor, argument & kDescriptorCloseOnExec));
        return 0;
    case kGetFlags:
        return open->flags() & ~kOnlyForOpen;
    case kSetFlags:
        open->set_flags((open->flags() & ~kSettable) | (static_cast<u32>(argument) & kSettable));
        return 0;
    default:
        return open->file->command(command, argument);
    }
}

} // namespace tollgate
