// Waiting for children [man 2 waitid]: finding one that has something to report, taking it out of the table, sleeping
// until there is one.
#include "task/process_table.h"

namespace tollgate {

namespace {

bool matches(const Process& child, const WaitFor& what) {
    switch (what.who) {
    case WaitFor::Who::Id:
        if (child.id() != what.id)
            return false;
        break;
    case WaitFor::Who::Group:
        if (child.group_id() != what.id)
            return false;
        break;
    case WaitFor::Who::Any:
        break;
    }
    return what.any_exit_signal || (child.exit_signal != task::kSigChild) == what.clones_only;
}

} // namespace

// What the child has to report: its wait status, or -1.
int ProcessTable::report_locked(Process& child, const WaitFor& what) {
    if (child.zombie_)
        return what.exited ? child.exit_status_ : -1;
    if (!what.stopped && !what.continued)
        return -1;
    const task::Report report = what.take ? task::Report::Take : task::Report::Look;
    const int status = task::job_status(child, what.stopped, what.continued, report);
    return status != 0 ? status : -1;
}

ProcessTable::Found ProcessTable::find_child(Process& parent, const WaitFor& what, bool& has_children) {
    Guard guard{lock_};
    has_children = false;
    Process* only = what.who == WaitFor::Who::Id ? by_id_.find(what.id) : nullptr;
    if (what.who == WaitFor::Who::Id && (!only || only->parent_ != &parent))
        return {};
    for (Process* child = only ? only : parent.children_list_.front(); child;
         child = only ? nullptr : parent.children_list_.next(*child)) {
        if (!matches(*child, what))
            continue;
        has_children = true;
        const int status = report_locked(*child, what);
        if (status < 0)
            continue;
        if (!child->zombie_ || !what.take)
            return {Ref<Process>(*child), status};
        take_out_locked(*child);
        return {Ref<Process>::adopt(child), status};
    }
    return {};
}

namespace task {

Result<Waited> wait_for_child(Caller& caller, const WaitFor& what) {
    Process& parent = *caller.process;
    bool interrupted = false;
    for (;;) {
        const u32 seen = TaskAccess::child_events(parent);
        bool has_children = false;
        const ProcessTable::Found found = process_table.find_child(parent, what, has_children);
        if (found.child) {
            Usage usage = found.child->usage();
            usage += found.child->children_usage();
            if (what.take && found.child->is_zombie())
                TaskAccess::add_children_usage(parent, usage);
            return Waited{found.child->id(), found.status, found.child->credentials.user.real.load(kRelaxed), usage};
        }
        if (!has_children)
            return fail(Errno::Child);
        if (what.may_not_wait)
            return Waited{};
        if (const auto woken = TaskAccess::wait_for_child_event(parent, seen); !woken) {
            // SIGCHLD is sent before the wake: one more look, behind the table's lock, finds the child that it tells
            // of.
            if (interrupted)
                return fail(woken.error());
            interrupted = true;
        }
    }
}

} // namespace task
} // namespace tollgate
