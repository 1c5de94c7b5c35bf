// The end of threads and processes. Every user thread, whatever ends it, comes through end_thread() on its own kernel
// stack: the memory of a process goes with its last thread, and that thread's own kernel stack after the scheduler's
// last switch away from it.
#include "debug/log.h"
#include "task/process_table.h"
#include "task/process_timers.h"

namespace tollgate::task {

namespace {

/// Tells whoever joins this thread (CLONE_CHILD_CLEARTID). A bad address is the program's own loss.
void clear_child_tid(UserThread& thread) {
    const u64 address = thread.clear_child_tid;
    if (address == 0)
        return;
    if (!copy_to_user(UserPtr<i32>{address}, i32{0}))
        return;
    if (const auto wake = TaskAccess::hooks().wake_futex)
        wake(thread.caller, address);
}

/// Takes the CPU's and the scheduler's thread away from the identity that is about to be freed.
void detach_identity(Thread& thread) {
    InterruptGuard guard;
    thread.caller = nullptr;
    this_cpu().caller = nullptr;
}

/// The session's leader goes: its terminal is free, and says so to those who use it.
void end_session(Process& process) {
    const Ref<Session> session = process.session();
    const Ref<Terminal> terminal = session->terminal();
    if (!terminal)
        return;
    session->set_terminal({});
    terminal->session_ended();
}

/// Everything of the process that its last thread has to give back, in the order of who uses what.
void dismantle(Process& process, Thread& thread) {
    if (process.id() == process.session_id())
        end_session(process);
    TaskAccess::add_thread_usage(process, {.max_resident = process.usage().max_resident});
    ProcessTimers::drop(process, ProcessTimers::Leave::Process);
    TaskAccess::drop_files(process);
    thread.set_space({});
    TaskAccess::exchange_space(process, {}).reset();
    TaskAccess::exchange_hold(process, {}).reset();
    TaskAccess::end_vfork(process);
}

/// All but the last switch, in a function of its own so that its references are dropped.
void leave_process(UserThread& thread, int status) {
    const Ref<UserThread> own_count = Ref<UserThread>::adopt(&thread);
    Thread& self = *thread.thread;
    ASSERT(&self == &sched::current());
    if (thread.flexsc_pages != nullptr)
        TaskAccess::hooks().withdraw_pages(thread);
    if (thread.robust_list != 0)
        TaskAccess::hooks().release_robust_list(thread.caller);
    clear_child_tid(thread);
    if (process_table.leave(thread, status)) {
        dismantle(*thread.process, self);
        detach_identity(self);
        process_table.retire(thread);
    } else {
        self.set_space({});
        detach_identity(self);
    }
}

[[noreturn]] void end_thread(UserThread& thread, int status) {
    leave_process(thread, status);
    sched::exit_current();
}

} // namespace

void exit_thread(Caller& caller, int code) { end_thread(*caller.owner, exited(code)); }

void exit_process(Caller& caller, int wait_status) {
    process_table.end(*caller.process, wait_status, caller.owner);
    end_thread(*caller.owner, wait_status);
}

void kill_process(Process& process, int wait_status) { process_table.end(process, wait_status); }

void end_killed_thread() {
    UserThread* const thread = current_user_thread();
    ASSERT(thread != nullptr);
    end_thread(*thread, killed_status(*thread->process));
}

namespace {

/// An address for the log: those of the kernel stay hidden [threats L9].
struct ShownAddress {
    u64 value;
    void format(Sink& sink) const {
        if (value < kUserTop)
            format_to(sink, "{:#x}", value);
        else
            sink.write(is_canonical(value) && value >> 63 ? "(kernel)" : "(beyond user space)");
    }
};

} // namespace

void user_fault(const TrapFrame& frame, int signal, const char* why, u64 address) {
    UserThread* const thread = current_user_thread();
    ASSERT(thread != nullptr);
    const Process& process = *thread->process;
    log("{}[{}] killed: {} at rip={} address={}", process.name(), process.id(), why, ShownAddress{frame.rip},
        ShownAddress{address});
    exit_process(thread->caller, killed_by(signal));
}

} // namespace tollgate::task
