// execve and execveat: what is executed, and with which strings. task/exec.cpp does the rest.
#include "syscall/exec.h"

#include "syscall/handlers.h"
#include "syscall/path_argument.h"

namespace tollgate {
namespace {

/// [man 2 execve] an argument list may take a quarter of the stack, and is never refused below 128 KiB.
Result<Owned<ExecStrings>> read_strings(const Caller& caller, UserPtr<const u64> arguments,
                                        UserPtr<const u64> environment) {
    constexpr u64 kAlways = 128 << 10;
    const u64 quarter = caller.process->limits[Limit::Stack] / 4;
    Owned<ExecStrings> strings = TRY(make_owned<ExecStrings>(quarter < kAlways ? kAlways : quarter));
    TRY(strings->read_arguments(arguments));
    TRY(strings->read_environment(environment));
    return strings;
}

Result<Ref<File>> executable(const OpenFile& open) {
    constexpr u32 kAnyExecute = 0111, kType = 0170000;
    const FileStatus status = TRY(open.file->status());
    if ((status.mode & kType) != kModeRegular || !(status.mode & kAnyExecute))
        return fail(Errno::Access);
    return open.file;
}

/// What scripts and AT_EXECFN see of a file that a descriptor stands for.
struct DescriptorPath {
    FixedString<280> text;
    DescriptorPath(int descriptor, StringView rest) {
        format_to(text, "/dev/fd/{}", descriptor);
        if (!rest.empty())
            format_to(text, "/{}", rest);
    }
};

} // namespace

Result<Ref<File>> open_program(const Caller* caller, StringView path) {
    return executable(*TRY(fs::open(caller, nullptr, path, kOpenReadOnly)));
}

bool write_program_path(const Caller* caller, File& file, Sink& to) {
    if (!file.node())
        return false;
    char text[256];
    const auto path = fs::path_of(caller, *file.node(), text);
    if (!path)
        return false;
    to.write(*path);
    return true;
}

Result<u64> sys_execve(Caller& caller, UserPtr<const char> path, UserPtr<const u64> arguments,
                       UserPtr<const u64> environment) {
    PathArgument text;
    TRY(text.read(path));
    Ref<File> file = TRY(open_program(&caller, text.view()));
    const auto strings = TRY(read_strings(caller, arguments, environment));
    TRY(task::exec(caller, std::move(file), text.view(), *strings));
    return 0;
}

Result<u64> sys_execveat(Caller& caller, int directory, UserPtr<const char> path, UserPtr<const u64> arguments,
                         UserPtr<const u64> environment, u32 flags) {
    if (flags & ~(kAtEmptyPath | kAtKeepLink))
        return fail(Errno::Inval);
    PathArgument text;
    TRY(text.read(path));
    Ref<File> file;
    if (text.view().empty() && (flags & kAtEmptyPath)) {
        file = TRY(executable(*TRY(caller.files->get(directory))));
    } else {
        const auto start = TRY(StartDirectory::of(caller, directory, text.view()));
        const u32 keep_link = flags & kAtKeepLink ? kOpenNoFollow : 0;
        file = TRY(executable(*TRY(fs::open(&caller, start.node(), text.view(), kOpenReadOnly | keep_link))));
    }
    const auto strings = TRY(read_strings(caller, arguments, environment));
    const bool plain = directory == kAtCurrentDirectory || fs::is_absolute(text.view());
    const auto shown = TRY(make_owned<DescriptorPath>(directory, text.view()));
    TRY(task::exec(caller, std::move(file), plain ? text.view() : shown->text.view(), *strings));
    return 0;
}

} // namespace tollgate
