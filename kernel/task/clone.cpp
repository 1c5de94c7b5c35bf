// clone(2) in its two useful shapes: a thread of the same process, and vfork's child, which borrows the space until it
// execs or ends.
#include "cpu/user_bases.h"
#include "task/process_table.h"

namespace tollgate::task {

namespace {

constexpr u64 kExitSignalMask = 0xff;
constexpr u64 kThreadNeeds = kCloneVm | kCloneFs | kCloneFiles | kCloneSigHand | kCloneThread;
constexpr u64 kOptions = kCloneSetTls | kCloneParentSetTid | kCloneChildClearTid | kCloneChildSetTid | kCloneDetached;

enum class Kind : u8 { Thread, Vfork };

Result<Kind> kind_of(u64 flags) {
    const u64 shape = flags & ~kOptions;
    if ((shape & ~(kCloneSysVSem | kExitSignalMask)) == kThreadNeeds)
        return Kind::Thread;
    if (shape == (kCloneVm | kCloneVfork | u64{kSigChild}))
        return Kind::Vfork;
    return fail(Errno::NoSys);
}

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

/// Linux does not report that these words cannot be written, and neither do we.
void store_id(u64 address, i32 id) {
    const auto stored = copy_to_user(UserPtr<i32>{address}, id);
    static_cast<void>(stored.has_value());
}

Result<Ref<Process>> make_vfork_child(Process& parent) {
    const Ref<FileTable> files = parent.files();
    Ref<Process> child = TRY(Process::create(parent.name(), &parent, parent.space(), TRY(files->clone())));
    TaskAccess::begin_vfork(*child);
    return child;
}

Result<void> start_child(Caller& caller, Ref<Process> process, i32 id, const CloneArguments& arguments) {
    const TrapFrame frame = child_frame(caller.thread->user_frame(), arguments.stack);
    Ref<UserThread> child = TRY(make_thread(std::move(process), frame, id));
    inherit_registers(*child->thread, arguments);
    inherit_signals(*child, *caller.owner, child->process.get() == caller.process ? Inherit::Thread : Inherit::Process);
    if (arguments.flags & kCloneChildClearTid)
        child->clear_child_tid = arguments.child_tid;
    if (const u64 cpus = sched::affinity(*caller.thread); cpus != ~u64{0})
        TRY(sched::set_affinity(*child->thread, cpus));
    // Both words lie in the one space, and are written before the child can look.
    if (arguments.flags & kCloneParentSetTid)
        store_id(arguments.parent_tid, id);
    if (arguments.flags & kCloneChildSetTid)
        store_id(arguments.child_tid, id);
    return process_table.start(std::move(child));
}

} // namespace

Result<i32> clone(Caller& caller, const CloneArguments& arguments) {
    const Kind kind = TRY(kind_of(arguments.flags));
    ASSERT(caller.thread == &sched::current());
    if (arguments.stack >= kUserTop)
        return fail(Errno::Inval);
    if (arguments.flags & kCloneSetTls && arguments.tls >= kUserTop)
        return fail(Errno::Perm);

    if (kind == Kind::Thread) {
        const i32 id = process_table.allocate_id();
        TRY(start_child(caller, Ref<Process>(*caller.process), id, arguments));
        return id;
    }
    const Ref<Process> child = TRY(make_vfork_child(*caller.process));
    if (const auto started = start_child(caller, child, child->id(), arguments); !started) {
        process_table.forget(*child);
        return fail(started.error());
    }
    TRY(TaskAccess::wait_for_vfork(*child));
    return child->id();
}

} // namespace tollgate::task
