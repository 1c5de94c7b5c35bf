// A path argument of a system call: copied in whole, onto the heap, since PATH_MAX is a quarter of a kernel stack.
#pragma once

#include "fs/vfs.h"
#include "lib/unique_ptr.h"
#include "syscall/abi.h"
#include "task/process.h"

namespace tollgate {

class PathArgument {
public:
    /// Errors: Fault, NameTooLong, NoMem.
    static Result<PathArgument> read(UserPtr<const char> from) {
        PathArgument path;
        path.text_ = TRY(make_owned<Text>());
        path.view_ = TRY(copy_string_from_user(path.text_->characters, from));
        return path;
    }
    StringView view() const { return view_; }

private:
    struct Text {
        char characters[fs::kMaxPath];
    };
    Owned<Text> text_;
    StringView view_;
};

/// Where a lookup relative to a directory descriptor starts: keeps the directory alive.
class StartDirectory {
public:
    /// kAtCurrentDirectory is the root. An absolute path does not look at the descriptor. Errors: BadF, NotDir.
    static Result<StartDirectory> of(Caller& caller, int descriptor, StringView path) {
        StartDirectory start;
        if (descriptor == kAtCurrentDirectory || fs::is_absolute(path))
            return start;
        start.file_ = TRY(caller.files->get(descriptor));
        if (!start.node() || !start.node()->as_directory())
            return fail(Errno::NotDir);
        return start;
    }
    fs::Node* node() const { return file_ ? file_->file->node() : nullptr; }

private:
    Ref<OpenFile> file_;
};

} // namespace tollgate
