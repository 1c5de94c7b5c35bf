// Process groups and sessions.
#include "syscall/handlers.h"

namespace tollgate {
namespace {

/// The process with that id, 0 being the caller. A zombie counts.
Result<Ref<Process>> process_by(const Caller& caller, int id) {
    if (id == 0)
        return Ref<Process>(*caller.process);
    Ref<Process> process = task::find(id);
    if (!process)
        return fail(Errno::Srch);
    return process;
}

} // namespace

Result<u64> sys_setpgid(Caller& caller, int id, int group) {
    TRY(task::set_group(*caller.process, id, group));
    return 0;
}
Result<u64> sys_getpgid(Caller& caller, int id) { return static_cast<u64>(TRY(process_by(caller, id))->group_id()); }
Result<u64> sys_getpgrp(Caller& caller) { return static_cast<u64>(caller.process->group_id()); }
Result<u64> sys_setsid(Caller& caller) { return static_cast<u64>(TRY(task::start_session(*caller.process))); }
Result<u64> sys_getsid(Caller& caller, int id) { return static_cast<u64>(TRY(process_by(caller, id))->session_id()); }

} // namespace tollgate
