// Copying and changing a process's root and current directory.
#include "fs/context.h"

#include "fs/vfs.h"
#include "task/process.h"

namespace tollgate::fs {

Context& Context::of(const Caller& caller) { return static_cast<Context&>(*caller.fs); }

Result<Ref<FsContext>> Context::clone() {
    Ref<Context> copy = TRY(make_ref<Context>(root(), current()));
    copy->umask.store(umask.load(kRelaxed), kRelaxed);
    return Ref<FsContext>(std::move(copy));
}

Ref<Directory> Context::root() {
    Guard guard{tree_lock};
    return root_;
}

Ref<Directory> Context::current() {
    Guard guard{tree_lock};
    return current_;
}

// The old directory is dropped by the parameter, after the lock.
void Context::set_root(Ref<Directory> root) {
    Guard guard{tree_lock};
    Ref<Directory> old = std::move(root_);
    root_ = std::move(root);
    root = std::move(old);
}

void Context::set_current(Ref<Directory> current) {
    Guard guard{tree_lock};
    Ref<Directory> old = std::move(current_);
    current_ = std::move(current);
    current = std::move(old);
}

Result<Ref<FsContext>> make_first_context() {
    const Ref<Directory> root = root_directory();
    return Ref<FsContext>(TRY(make_ref<Context>(root, root)));
}

} // namespace tollgate::fs
