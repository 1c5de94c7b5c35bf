#include "fs/job_control.h"

#include "fs/tty.h"

namespace tollgate::fs {
namespace {

bool is_held_back(const Caller& caller, int signal) {
    if (caller.owner->signals.mask.load(kRelaxed) & signal_bit(signal))
        return true;
    ProcessSignals& signals = caller.process->signals;
    Guard guard{signals.lock};
    return signals.actions[signal - 1].handler == kActionIgnore;
}

} // namespace

Caller* running_caller() { return sched::current().caller; }

Worker worker_of(const Caller& caller) {
    const Process& process = *caller.process;
    return {.session = process.session_id(),
            .group = process.group_id(),
            .leads_session = process.session_id() == process.id(),
            .is_root = process.credentials.privileged(),
            .ignores_input_stop = is_held_back(caller, kSigTtin),
            .ignores_output_stop = is_held_back(caller, kSigTtou)};
}

void signal_group(i32 group, int signal) {
    if (group > 0)
        (void)task::send_signal_to_group(group, task::kernel_signal(signal)); // nobody left is no matter
}

void signal_process(i32 id, int signal) {
    if (const Ref<Process> process = task::find(id))
        (void)task::send_signal(*process, task::kernel_signal(signal));
}

bool is_orphaned(i32 group) { return task::group_is_orphaned(group); }

bool has_group(i32 session, i32 group) {
    return session == 0 ? task::for_each_in_group(group, [](Process&) {}) > 0 : task::session_has_group(session, group);
}

Ref<Tty> terminal_of(const Caller& caller) {
    const Ref<Session> session = caller.process->session();
    const Ref<Terminal> terminal = session ? session->terminal() : Ref<Terminal>();
    return terminal ? Ref<Tty>(static_cast<Tty&>(*terminal)) : Ref<Tty>(); // all terminals are of this layer
}

void set_terminal(i32 session, Ref<Tty> tty) {
    if (const Ref<Session> found = task::find_session(session))
        found->set_terminal(std::move(tty));
}

} // namespace tollgate::fs
