// A path argument of a system call, copied in whole: short ones onto the stack, longer ones onto the heap, since
// PATH_MAX is a quarter of a kernel stack; and the directory that a relative path starts at.
#pragma once

#include "fs/vfs.h"
#include "lib/unique_ptr.h"
#include "syscall/abi.h"
#include "task/process.h"

namespace tollgate {

class PathArgument {
public:
    PathArgument() {} // few_ stays as it is: nothing looks at it before read()
    PathArgument(const PathArgument&) = delete;
    PathArgument& operator=(const PathArgument&) = delete;

    /// Errors: Fault, NameTooLong, NoMem.
    Result<void> read(UserPtr<const char> from) {
        const auto few = copy_string_from_user(few_, from);
        if (few) {
            view_ = *few;
            return {};
        }
        if (few.error() != Errno::NameTooLong)
            return fail(few.error());
        text_ = TRY(make_owned<Text>());
        view_ =
            TRY(copy_string_from_user(text_->characters, from)); // all of it once more: the user may have changed it
        return {};
    }
    StringView view() const { return view_; }

private:
    struct Text {
        Text() {}
        char characters[fs::kMaxPath];
    };
    char few_[256];
    Owned<Text> text_;
    StringView view_;
};

/// Where a lookup relative to a directory descriptor starts: keeps the directory alive.
class StartDirectory {
public:
    /// Null stands for the current directory. An absolute path does not look at the descriptor. Errors: BadF, NotDir.
    static Result<StartDirectory> of(Caller& caller, int descriptor, StringView path) {
        StartDirectory start;
        if (descriptor == kAtCurrentDirectory || fs::is_absolute(path))
            return start;
        start.file_ = TRY(caller.files->get(descriptor));
        if (!path.empty() && (!start.node() || !start.node()->as_directory()))
            return fail(Errno::NotDir);
        return start;
    }
    fs::Node* node() const { return file_ ? file_->file->node() : nullptr; }

private:
    Ref<OpenFile> file_;
};

/// A path and where it starts, for the calls with a directory descriptor.
struct PathAt {
    PathArgument path;
    StartDirectory start;
    Result<void> read(Caller& caller, int directory, UserPtr<const char> from) {
        TRY(path.read(from));
        start = TRY(StartDirectory::of(caller, directory, path.view()));
        return {};
    }
    StringView view() const { return path.view(); }
    fs::Node* node() const { return start.node(); }
};

/// The node that (directory, path, flags) of an ...at() call means: with kAtEmptyPath and an empty path the
/// descriptor's own. Errors: those of a walk; BadF.
Result<Ref<fs::Node>> node_at(Caller& caller, int directory, UserPtr<const char> path, u32 flags);

} // namespace tollgate
