// clone(2) in all its shapes: threads, copies of a process, and children that borrow or share their parent's memory.
// clone_flags.cpp has checked that the flags make sense.
#include "cpu/user_bases.h"
#include "task/process_table.h"

namespace tollgate::task {

namespace {

/// What the child returns to user code with: its parent's registers, but rax = 0 and, if given, another stack. A system
/// call saves neither rcx nor r11, which SYSRET gives these values.
TrapFrame child_frame(const TrapFrame& parent, u64 stack) {
    TrapFrame frame = parent;
    frame.rax = 0;
    frame.rcx = frame.rip;
    frame.r11 = frame.rflags;
    if (stack != 0)
        frame.rsp = stack;
    return frame;
}

/// The FPU and segment bases of the calling thread, which are live in the CPU.
void inherit_registers(Thread& child, const CloneArguments& arguments) {
    copy_live_fpu(child);
    InterruptGuard guard;
    child.fs_base = arguments.flags & kCloneSetTls ? arguments.tls : read_user_fs_base();
    child.user_gs_base = read_user_gs_base();
    child.selectors = read_user_selectors();
}

/// Linux does not report that this word cannot be written, and neither do we.
void store_id(u64 address, i32 id) {
    const auto stored = copy_to_user(UserPtr<i32>{address}, id);
    static_cast<void>(stored.has_value());
}

/// CLONE_CLEAR_SIGHAND: what the parent handles the child does by default; what it ignores stays ignored.
void clear_handlers(Process& child) {
    Guard guard{child.signals.lock};
    for (SignalAction& action : child.signals.actions)
        if (action.handler != kActionIgnore)
            action = {};
}

Result<Ref<AddressSpace>> child_space(const Caller& caller, u64 flags) {
    if (flags & kCloneVm)
        return caller.process->space();
    return caller.space->fork();
}

Result<Ref<Process>> make_child(Caller& caller, const CloneArguments& arguments) {
    const u64 flags = arguments.flags;
    Ref<Process> parent{*caller.process};
    if (flags & kCloneParent) {
        parent = process_table.find(parent->parent_id());
        if (!parent) // init has none whose child it could be
            return fail(Errno::Inval);
    }
    TRY(process_table.check_room(*caller.process));
    Process::Holdings holdings{{}, caller.process->files(), caller.process->fs()};
    if (!(flags & kCloneFiles))
        holdings.files = TRY(holdings.files->clone());
    if (!(flags & kCloneFs))
        holdings.fs = TRY(holdings.fs->clone());
    holdings.space = TRY(child_space(caller, flags));
    Ref<Process> child =
        TRY(Process::create(caller.process->name(), caller.process, parent.get(), std::move(holdings)));
    child->exit_signal = arguments.exit_signal;
    if (flags & kCloneParent)
        child->exit_signal = caller.process->exit_signal;
    if (flags & kCloneClearSigHand)
        clear_handlers(*child);
    if (flags & kCloneVfork)
        TaskAccess::begin_vfork(*child);
    return child;
}

Result<void> start_child(Caller& caller, Ref<Process> process, i32 id, const CloneArguments& arguments) {
    const bool is_thread = process.get() == caller.process;
    const TrapFrame frame = child_frame(caller.thread->user_frame(), arguments.stack);
    Ref<UserThread> child = TRY(make_thread(std::move(process), frame, id));
    inherit_registers(*child->thread, arguments);
    inherit_signals(*child, *caller.owner, is_thread ? Inherit::Thread : Inherit::Process);
    child->name = caller.owner->name;
    if (arguments.flags & kCloneChildClearTid)
        child->clear_child_tid = arguments.child_tid;
    if (arguments.flags & kCloneChildSetTid)
        child->set_child_tid = arguments.child_tid;
    if (const u64 cpus = sched::affinity(*caller.thread); cpus != ~u64{0})
        TRY(sched::set_affinity(*child->thread, cpus));
    // Before the child, which may share the memory, can look.
    if (arguments.flags & kCloneParentSetTid)
        store_id(arguments.parent_tid, id);
    return process_table.start(std::move(child));
}

} // namespace

Result<i32> clone(Caller& caller, const CloneArguments& arguments) {
    TRY(check_clone(arguments));
    ASSERT(caller.thread == &sched::current());
    if (arguments.flags & kCloneThread) {
        TRY(process_table.check_room(*caller.process));
        const i32 id = process_table.allocate_id();
        TRY(start_child(caller, Ref<Process>(*caller.process), id, arguments));
        return id;
    }
    const Ref<Process> child = TRY(make_child(caller, arguments));
    if (const auto started = start_child(caller, child, child->id(), arguments); !started) {
        process_table.forget(*child);
        return fail(started.error());
    }
    if (arguments.flags & kCloneVfork)
        TRY(TaskAccess::wait_for_vfork(*child));
    return child->id();
}

} // namespace tollgate::task
