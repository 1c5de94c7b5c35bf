// Processes and threads: who they are, how they begin and end.
#include "syscall/handlers.h"

namespace tollgate {

Result<u64> sys_getpid(Caller& caller) { return static_cast<u64>(caller.process->id()); }
Result<u64> sys_gettid(Caller& caller) { return static_cast<u64>(caller.thread_id); }

Result<u64> sys_clone(Caller& caller, u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls) {
    return static_cast<u64>(TRY(task::clone(caller, task::clone_arguments(flags, stack, parent_tid, child_tid, tls))));
}

/// The struct may be longer than ours if all that we do not know is zero [man 2 clone].
Result<u64> sys_clone3(Caller& caller, u64 arguments, u64 size) {
    if (size > kPageSize)
        return fail(Errno::TooBig);
    if (size < task::kClone3FirstSize)
        return fail(Errno::Inval);
    task::Clone3Arguments given{};
    const u64 known = size < sizeof given ? size : sizeof given;
    TRY(copy_from_user_bytes(&given, arguments, known));
    for (u64 at = known; at < size;) {
        u8 piece[64];
        const u64 part = size - at < sizeof piece ? size - at : sizeof piece;
        TRY(copy_from_user_bytes(piece, arguments + at, part));
        for (u64 i = 0; i < part; ++i)
            if (piece[i] != 0)
                return fail(Errno::TooBig);
        at += part;
    }
    return static_cast<u64>(TRY(task::clone(caller, TRY(task::clone_arguments(given)))));
}

Result<u64> sys_fork(Caller& caller) { return static_cast<u64>(TRY(task::clone(caller, task::kForkArguments))); }
Result<u64> sys_vfork(Caller& caller) { return static_cast<u64>(TRY(task::clone(caller, task::kVforkArguments))); }

Result<u64> sys_exit(Caller& caller, int code) { task::exit_thread(caller, code); }
Result<u64> sys_exit_group(Caller& caller, int code) { task::exit_process(caller, task::exited(code)); }

Result<u64> sys_set_tid_address(Caller& caller, u64 address) {
    caller.owner->clear_child_tid = address;
    return static_cast<u64>(caller.thread_id);
}

} // namespace tollgate
