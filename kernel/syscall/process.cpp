// Processes and threads: who they are, how they begin and end.
#include "fs/vfs.h"
#include "syscall/handlers.h"
#include "syscall/path_argument.h"

namespace tollgate {

Result<u64> sys_getpid(Caller& caller) { return static_cast<u64>(caller.process->id()); }
Result<u64> sys_gettid(Caller& caller) { return static_cast<u64>(caller.thread_id); }

// There is one user, root.
Result<u64> sys_getuid(Caller&) { return 0; }
Result<u64> sys_geteuid(Caller&) { return 0; }
Result<u64> sys_getgid(Caller&) { return 0; }
Result<u64> sys_getegid(Caller&) { return 0; }

Result<u64> sys_clone(Caller& caller, u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls) {
    return static_cast<u64>(TRY(task::clone(caller, {flags, stack, parent_tid, child_tid, tls})));
}

/// glibc asks for it first and goes on with clone: no line in the log.
Result<u64> sys_clone3(Caller&) { return fail(Errno::NoSys); }

/// Refused by clone() until address spaces can be copied.
Result<u64> sys_fork(Caller& caller) { return sys_clone(caller, u64{task::kSigChild}, 0, 0, 0, 0); }

Result<u64> sys_vfork(Caller& caller) { return static_cast<u64>(TRY(task::clone(caller, task::kVforkArguments))); }

Result<u64> sys_execve(Caller& caller, UserPtr<const char> path, UserPtr<const u64> arguments,
                       UserPtr<const u64> environment) {
    constexpr u32 kAnyExecute = 0111;
    const auto text = TRY(PathArgument::read(path));
    const auto open = TRY(fs::open(&caller, nullptr, text.view(), kOpenReadOnly));
    const FileStatus status = TRY(open->file->status());
    if ((status.mode & kModeDirectory) || !(status.mode & kAnyExecute))
        return fail(Errno::Access);
    ExecStrings strings;
    TRY(strings.read_arguments(arguments));
    TRY(strings.read_environment(environment));
    TRY(task::exec(caller, open->file, text.view(), strings));
    return 0;
}

Result<u64> sys_exit(Caller& caller, int code) { task::exit_thread(caller, code); }
Result<u64> sys_exit_group(Caller& caller, int code) { task::exit_process(caller, task::exited(code)); }

Result<u64> sys_set_tid_address(Caller& caller, u64 address) {
    caller.owner->clear_child_tid = address;
    return static_cast<u64>(caller.thread_id);
}

/// Taken and not used: a thread that dies with a robust lock held leaves it held.
Result<u64> sys_set_robust_list(Caller&, u64 /*head*/, u64 size) {
    constexpr u64 kHeadSize = 24;
    if (size != kHeadSize)
        return fail(Errno::Inval);
    return 0;
}

/// Every program asks for it as it starts and does without: no line in the log.
Result<u64> sys_rseq(Caller&) { return fail(Errno::NoSys); }

} // namespace tollgate
