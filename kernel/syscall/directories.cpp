// The directories that a process stands in, and reading directories.
#include "fs/context.h"
#include "fs/permission.h"
#include "lib/unique_ptr.h"
#include "syscall/handlers.h"
#include "syscall/path_argument.h"

namespace tollgate {
namespace {

/// A node as a directory that the caller may stand in. Errors: NotDir, Access.
Result<Ref<fs::Directory>> standing(const Caller& caller, fs::Node* node) {
    if (!node || !node->as_directory())
        return fail(Errno::NotDir);
    if (!fs::may(&caller, *node, fs::kMayExecute))
        return fail(Errno::Access);
    return Ref<fs::Directory>(*node->as_directory());
}

} // namespace

Result<u64> sys_getcwd(Caller& caller, u64 buffer, u64 size) {
    struct Text {
        char characters[fs::kMaxPath];
    };
    const auto text = TRY(make_owned<Text>());
    const Ref<fs::Directory> current = fs::Context::of(caller).current();
    // One byte is left for the terminator.
    const StringView path = TRY(fs::path_of(&caller, *current, std::span(text->characters).first(fs::kMaxPath - 1)));
    text->characters[fs::kMaxPath - 1] = '\0';
    if (path.size() + 1 > size)
        return fail(Errno::Range);
    TRY(copy_to_user_bytes(buffer, path.data(), path.size() + 1));
    return path.size() + 1;
}

Result<u64> sys_chdir(Caller& caller, UserPtr<const char> path) {
    const auto node = TRY(node_at(caller, kAtCurrentDirectory, path, 0));
    fs::Context::of(caller).set_current(TRY(standing(caller, node.get())));
    return 0;
}

Result<u64> sys_fchdir(Caller& caller, int descriptor) {
    const BorrowedFile open = TRY(caller.files->borrow(descriptor));
    fs::Context::of(caller).set_current(TRY(standing(caller, open->file->node())));
    return 0;
}

Result<u64> sys_chroot(Caller& caller, UserPtr<const char> path) {
    const auto node = TRY(node_at(caller, kAtCurrentDirectory, path, 0));
    Ref<fs::Directory> root = TRY(standing(caller, node.get()));
    if (!caller.process->credentials.privileged())
        return fail(Errno::Perm);
    fs::Context::of(caller).set_root(std::move(root));
    return 0;
}

Result<u64> sys_umask(Caller& caller, u32 mask) { return caller.fs->umask.exchange(mask & 0777, kRelaxed); }

Result<u64> sys_getdents64(Caller& caller, int descriptor, u64 buffer, u32 size) {
    const BorrowedFile open = TRY(caller.files->borrow(descriptor));
    TRY(check_user_range(buffer, size));
    IoBuffer to(buffer, size);
    MutexGuard guard{open->position_lock};
    u64 position = open->position.load(kRelaxed);
    const u64 done = TRY(open->file->read_directory(&caller, to, position));
    open->position.store(position, kRelaxed);
    return done;
}

} // namespace tollgate
