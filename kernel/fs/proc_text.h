// Texts of /proc: what each file says. Formats are Linux' to the blank, since programs parse them [man 5 proc]. None
// shows a kernel address [threats L9], but where the fastcall space is, which is the same in every process.
#pragma once

#include "lib/format.h"
#include "task/process.h"

namespace tollgate::fs {

class Directory;

/// Whose file it is: /proc/PID, or /proc/PID/task/TID.
struct Subject {
    Ref<Process> process;
    i32 thread = 0; ///< 0: the process as a whole
};
/// Errors end the open(2): Errno::Srch for a process that has gone.
using SubjectWriter = Result<void> (*)(const Subject& subject, Sink& to);

// proc_process.cpp
Result<void> write_process_stat(const Subject& subject, Sink& to);
Result<void> write_process_statm(const Subject& subject, Sink& to);
Result<void> write_process_status(const Subject& subject, Sink& to);
Result<void> write_process_limits(const Subject& subject, Sink& to);
Result<void> write_process_comm(const Subject& subject, Sink& to);
Result<void> write_process_io(const Subject& subject, Sink& to);
Result<void> write_zero(const Subject& subject, Sink& to);
Result<void> write_zero_line(const Subject& subject, Sink& to);
Result<void> write_mounts_of(const Subject& subject, Sink& to);
Result<void> write_mountinfo(const Subject& subject, Sink& to);
Result<void> write_cgroup(const Subject& subject, Sink& to);

// proc_memory.cpp
Result<void> write_process_maps(const Subject& subject, Sink& to);
Result<void> write_process_smaps(const Subject& subject, Sink& to);
Result<void> write_process_arguments(const Subject& subject, Sink& to);
Result<void> write_process_environment(const Subject& subject, Sink& to);
Result<void> write_process_auxv(const Subject& subject, Sink& to);

// proc_system.cpp, proc_tollgate.cpp
Result<void> add_system_files(StringView command_line);
Result<void> add_tollgate_files();
void write_mounts(Sink& to);
Result<void> add_sysfs_files();
// proc_reclaim.cpp
Result<void> add_reclaim_file(Directory& proc);

} // namespace tollgate::fs
