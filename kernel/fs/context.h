// The file layer's half of FsContext: a process's root and current directory. Both change under the tree's lock, so
// that a path walk, which holds it, reads them without counting.
#pragma once

#include "fs/directory.h"
#include "task/fs_context.h"

namespace tollgate::fs {

class Context final : public FsContext {
public:
    Context(Ref<Directory> root, Ref<Directory> current) : root_(std::move(root)), current_(std::move(current)) {}

    Result<Ref<FsContext>> clone() override;
    Ref<Directory> root() EXCLUDES(tree_lock);
    Ref<Directory> current() EXCLUDES(tree_lock);
    void set_root(Ref<Directory> root) EXCLUDES(tree_lock);
    void set_current(Ref<Directory> current) EXCLUDES(tree_lock);

    Directory& root_locked() REQUIRES(tree_lock) { return *root_; }
    Directory& current_locked() REQUIRES(tree_lock) { return *current_; }

    /// The context a call acts in.
    static Context& of(const Caller& caller);

private:
    Ref<Directory> root_ GUARDED_BY(tree_lock), current_ GUARDED_BY(tree_lock);
};

} // namespace tollgate::fs
