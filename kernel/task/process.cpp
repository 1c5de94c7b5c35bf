// Processes as objects: making them, what they hold, and waiting for children.
#include "task/process.h"

#include "task/process_table.h"

namespace tollgate {

namespace {

/// Callbacks of the layers above; task/ may not include them. Written once at boot.
constinit task::Hooks life_cycle_hooks{};

} // namespace

Result<Ref<Process>> Process::create(StringView name, Process* parent, Ref<AddressSpace> space, Ref<FileTable> files) {
    Ref<Process> process = TRY(make_ref<Process>());
    process->id_ = process_table.allocate_id();
    process->name_.write(name);
    process->parent_id_.store(parent ? parent->id() : 0, kRelaxed);
    {
        Guard guard{process->lock_};
        process->space_ = std::move(space);
        process->files_ = std::move(files);
    }
    process_table.insert(*process);
    return process;
}

Ref<AddressSpace> Process::space() const {
    Guard guard{lock_};
    return space_;
}

Ref<FileTable> Process::files() const {
    Guard guard{lock_};
    return files_;
}

Ref<AddressSpace> TaskAccess::exchange_space(Process& process, Ref<AddressSpace> space) {
    Guard guard{process.lock_};
    std::swap(process.space_, space);
    return space;
}

void TaskAccess::drop_files(Process& process) {
    Ref<FileTable> old;
    Guard guard{process.lock_};
    std::swap(process.files_, old);
}

Result<void> TaskAccess::wait_for_child_event(Process& process, u32 seen) {
    return process.children_.wait_while([&] { return process.child_events_.load(kAcquire) == seen; });
}

void TaskAccess::end_vfork(Process& child) {
    child.vfork_done_.store(true, kRelease);
    child.vfork_.wake_all();
}

Result<void> TaskAccess::wait_for_vfork(Process& child) {
    return child.vfork_.wait_while([&] { return !child.vfork_done_.load(kAcquire); }, kNoDeadline, 0,
                                   WaitMode::Killable);
}

const task::Hooks& TaskAccess::hooks() { return life_cycle_hooks; }

namespace task {

void set_hooks(const Hooks& hooks) { life_cycle_hooks = hooks; }

Ref<Process> find(i32 id) { return process_table.find(id); }
Ref<Process> next_process(i32 after) { return process_table.next_after(after); }
int wait_for_init() { return process_table.wait_for_init(); }

Result<Waited> wait_for_child(Caller& caller, i32 id, int options) {
    // [man 2 wait] WUNTRACED, WCONTINUED and the clone bits change nothing here: no process stops, and every child
    // counts.
    constexpr int kUntraced = 2, kContinued = 8;
    constexpr u32 kNoThread = 1u << 29, kAll = 1u << 30, kClone = 1u << 31;
    constexpr u32 kKnown = u32{kWaitNoHang | kUntraced | kContinued} | kNoThread | kAll | kClone;
    if (static_cast<u32>(options) & ~kKnown)
        return fail(Errno::Inval);
    if (id < -1)
        return fail(Errno::Child); // process groups: there is one, and it has no number
    if (id == 0)
        id = -1;
    Process& parent = *caller.process;
    for (;;) {
        const u32 seen = TaskAccess::child_events(parent);
        bool has_children = false;
        const Ref<Process> ended = process_table.take_ended_child(parent, id, has_children);
        if (ended)
            return Waited{ended->id(), ProcessTable::exit_status(*ended)};
        if (!has_children)
            return fail(Errno::Child);
        if (options & kWaitNoHang)
            return Waited{0, 0};
        TRY(TaskAccess::wait_for_child_event(parent, seen));
    }
}

} // namespace task
} // namespace tollgate
