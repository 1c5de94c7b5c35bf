// Process groups and sessions [POSIX.1-2017, 3.296, 3.343]: what setpgid, setsid and job control ask of the table.
#include "task/process_table.h"

namespace tollgate {

// The session lives in the table while a process is in it. `process` has a reference to it, which keeps the memory.
void ProcessTable::enter_session_locked(Process& process) {
    const Ref<Session> session = process.session();
    process.session_id_.store(session->id, kRelaxed);
    if (session->members_++ == 0)
        sessions_.insert(*session);
}

void ProcessTable::leave_session_locked(Process& process) {
    const Ref<Session> session = process.session();
    if (--session->members_ == 0)
        sessions_.remove(*session);
}

Result<i32> ProcessTable::start_session(Process& process, Ref<Session> session) {
    Guard guard{lock_};
    if (by_group_.find(process.id_))
        return fail(Errno::Perm);
    leave_session_locked(process);
    {
        Guard inner{process.lock_};
        std::swap(process.session_, session); // the old one goes with the parameter, after the lock
    }
    enter_session_locked(process);
    by_group_.remove(process);
    process.group_id_.store(process.id_, kRelaxed);
    by_group_.insert(process);
    return process.id_;
}

Result<void> ProcessTable::set_group(Process& caller, i32 id, i32 group) {
    if (group < 0)
        return fail(Errno::Inval);
    if (id == 0)
        id = caller.id_;
    if (group == 0)
        group = id;
    Guard guard{lock_};
    Process* const process = by_id_.find(id);
    if (!process || (process != &caller && process->parent_ != &caller) || process->zombie_)
        return fail(Errno::Srch);
    if (process != &caller && process->session_id() != caller.session_id())
        return fail(Errno::Perm);
    if (process != &caller && process->has_executed_.load(kRelaxed))
        return fail(Errno::Access);
    if (process->session_id() == process->id_)
        return fail(Errno::Perm);
    if (group != id) {
        const Process* member = by_group_.find(group);
        if (!member || member->session_id() != process->session_id())
            return fail(Errno::Perm);
    }
    by_group_.remove(*process);
    process->group_id_.store(group, kRelaxed);
    by_group_.insert(*process);
    return {};
}

Ref<Session> ProcessTable::find_session(i32 id) {
    Guard guard{lock_};
    Session* const session = sessions_.find(id);
    return session ? Ref<Session>(*session) : Ref<Session>();
}

bool ProcessTable::session_has_group(i32 session, i32 group) {
    Guard guard{lock_};
    const Process* const member = by_group_.find(group); // all members are in one session
    return member && member->session_id() == session;
}

// Whether no member has a parent in another group of the session. `leaving` no longer counts, as a member or as a
// parent.
bool ProcessTable::orphaned_locked(i32 group, const Process* leaving) {
    for (const Process* member = by_group_.find(group); member; member = by_group_.find_next(*member)) {
        const Process* const parent = member->parent_;
        if (member == leaving || member->zombie_ || !parent || parent == leaving || parent->id_ == task::kInitId)
            continue;
        if (parent->group_id() != group && parent->session_id() == member->session_id())
            return false;
    }
    return true;
}

bool ProcessTable::group_is_orphaned(i32 group) {
    Guard guard{lock_};
    return orphaned_locked(group, nullptr);
}

unsigned ProcessTable::for_each_in_group(i32 group, void (*f)(void*, Process&), void* context) {
    Guard guard{lock_};
    unsigned count = 0;
    for (Process* member = by_group_.find(group); member; member = by_group_.find_next(*member)) {
        if (member->zombie_)
            continue;
        ++count;
        f(context, *member);
    }
    return count;
}

namespace task {

Result<i32> start_session(Process& process) {
    return process_table.start_session(process, TRY(make_ref<Session>(process.id())));
}
Result<void> set_group(Process& caller, i32 id, i32 group) { return process_table.set_group(caller, id, group); }
Ref<Session> find_session(i32 id) { return process_table.find_session(id); }
bool session_has_group(i32 session, i32 group) { return process_table.session_has_group(session, group); }
bool group_is_orphaned(i32 group) { return process_table.group_is_orphaned(group); }
unsigned for_each_in_group_erased(i32 group, void (*f)(void*, Process&), void* context) {
    return process_table.for_each_in_group(group, f, context);
}

} // namespace task
} // namespace tollgate
