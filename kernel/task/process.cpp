// Processes as objects: making them, and what they hold.
#include "task/process.h"

#include "cpu/clock.h"
#include "task/process_table.h"

namespace tollgate {

namespace {

/// Callbacks of the layers above; task/ may not include them. Written once at boot.
constinit task::Hooks life_cycle_hooks{};

} // namespace

Result<Ref<Process>> Process::create(StringView name, Process* creator, Process* parent, Holdings holdings) {
    Ref<Process> process = TRY(make_ref<Process>());
    process->id_ = process_table.allocate_id();
    process->name_.write(name);
    process->start_time_ns = clock_monotonic_ns();
    Ref<Session> session = creator ? creator->session() : TRY(make_ref<Session>(process->id_));
    {
        Guard guard{process->lock_};
        process->space_ = std::move(holdings.space);
        process->files_ = std::move(holdings.files);
        process->fs_ = std::move(holdings.fs);
        process->session_ = std::move(session);
    }
    if (creator)
        process->inherit(*creator);
    process_table.insert(*process, creator, parent);
    return process;
}

void Process::inherit(const Process& parent) {
    start_stack.store(parent.start_stack.load(kRelaxed), kRelaxed);
    executable_.clear();
    executable_.write(parent.executable_); // what is used of it: most of its 256 bytes are not
    program_hold_ = parent.program_hold_;
    credentials.copy_from(parent.credentials);
    limits.copy_from(parent.limits);
    personality.store(parent.personality.load(kRelaxed), kRelaxed);
    dumpable.store(parent.dumpable.load(kRelaxed), kRelaxed);
    no_new_privileges.store(parent.no_new_privileges.load(kRelaxed), kRelaxed);
    nice.store(parent.nice.load(kRelaxed), kRelaxed);
    task::copy_signal_actions(*this, parent);
}

Ref<Session> Process::session() const {
    Guard guard{lock_};
    return session_;
}

Usage Process::usage() const {
    Usage sum;
    {
        Guard guard{lock_};
        sum = ended_threads_;
        if (space_ && space_->resident_bytes() > sum.max_resident)
            sum.max_resident = space_->resident_bytes();
    }
    task::for_each_thread(const_cast<Process&>(*this),
                          [&sum](UserThread& thread) { sum += task::thread_usage(thread); });
    return sum;
}

Usage Process::children_usage() const {
    Guard guard{lock_};
    return children_usage_;
}

void TaskAccess::add_children_usage(Process& parent, const Usage& usage) {
    Guard guard{parent.lock_};
    parent.children_usage_ += usage;
}

void TaskAccess::add_thread_usage(Process& process, const Usage& usage) {
    Guard guard{process.lock_};
    process.ended_threads_ += usage;
}

Ref<AddressSpace> Process::space() const {
    Guard guard{lock_};
    return space_;
}

Ref<FileTable> Process::files() const {
    Guard guard{lock_};
    return files_;
}

Ref<FsContext> Process::fs() const {
    Guard guard{lock_};
    return fs_;
}

Ref<AddressSpace> TaskAccess::exchange_space(Process& process, Ref<AddressSpace> space) {
    Guard guard{process.lock_};
    std::swap(process.space_, space);
    return space;
}

Ref<ProgramHold> TaskAccess::exchange_hold(Process& process, Ref<ProgramHold> hold) {
    Guard guard{process.lock_};
    std::swap(process.program_hold_, hold);
    return hold;
}

Ref<FileTable> TaskAccess::exchange_files(Process& process, Ref<FileTable> files) {
    Guard guard{process.lock_};
    std::swap(process.files_, files);
    return files;
}

void TaskAccess::drop_files(Process& process) {
    Ref<FileTable> old;
    Ref<FsContext> old_context;
    Guard guard{process.lock_};
    std::swap(process.files_, old);
    std::swap(process.fs_, old_context);
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
Ref<UserThread> find_thread(i32 id) { return process_table.find_thread(id); }
Ref<Process> next_process(i32 after) { return process_table.next_after(after); }
int wait_for_init() { return process_table.wait_for_init(); }

unsigned thread_total() { return process_table.count(); }
/// The split into user and system time is by samples: the timer interrupts that have met the thread in each. Without
/// any, all of it is user time (docs/time.md). What others have run for it is system calls.
Usage thread_usage(const UserThread& thread) {
    const sched::CpuTime time = sched::cpu_time(*thread.thread);
    const u64 ns = clock_ticks_to_ns(time.ticks);
    const u64 samples = u64{time.user_samples} + time.kernel_samples;
    const u64 system = time.kernel_samples == 0 ? 0 : ns / samples * time.kernel_samples;
    return {.user_ns = ns - system, .system_ns = system + clock_ticks_to_ns(time.others_ticks)};
}
void for_each_process_erased(void (*f)(void*, Process&), void* context) { process_table.for_each(f, context); }
void for_each_thread_erased(Process& process, void (*f)(void*, UserThread&), void* context) {
    process_table.for_each_thread(process, f, context);
}

void child_changed(Process& process, const SignalInfo* info) { process_table.child_changed(process, info); }

} // namespace task
} // namespace tollgate
