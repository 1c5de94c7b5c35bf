// Programs start: spawn() for the first one, exec() for all others. The new space is complete before the old one is
// touched.
#include "cpu/user_bases.h"
#include "lib/unique_ptr.h"
#include "task/loader.h"
#include "task/process_table.h"
#include "task/process_timers.h"

namespace tollgate::task {

namespace {

StringView base_name(StringView path) {
    const auto slash = path.rfind('/');
    return slash ? path.substr(*slash + 1) : path;
}

/// What the process is from now on, for everybody who asks and for the file.
void set_identity(Process& process, UserThread& thread, StringView path, Program& program) {
    thread.name.clear();
    thread.name.write(base_name(path));
    process.name_.clear();
    process.name_.write(thread.name);
    process.executable_.clear();
    process.executable_.write(program.executable);
    TaskAccess::exchange_hold(process, std::move(program.hold)).reset();
}

/// Nothing of the old program's FPU, TLS or GS is left for the new one [threats L3].
void reset_registers(Thread& thread) {
    InterruptGuard guard;
    thread.fs_base = 0;
    thread.user_gs_base = 0;
    load_user_selectors({}); // before the bases, which it changes
    load_user_fs_base(0);
    load_user_gs_base(0);
    reset_live_fpu(thread);
}

/// A table that another process shares (CLONE_FILES) stays with that one [man 2 execve].
Result<Ref<FileTable>> own_files(const Process& process) {
    Ref<FileTable> files = process.files();
    constexpr u32 kOursAndTheProcess = 2;
    if (files->ref_count() > kOursAndTheProcess)
        return files->clone();
    return files;
}

void use_own_files(Caller& caller, Ref<FileTable> files) {
    caller.files = files.get();
    TaskAccess::exchange_files(*caller.process, std::move(files)).reset();
}

/// From here on there is no way back: the thread moves into the new space and the old one loses a user.
void change_program(Caller& caller, Program program, StringView path, Ref<FileTable> files) {
    Process& process = *caller.process;
    if (caller.owner->robust_list != 0)
        TaskAccess::hooks().release_robust_list(caller);
    if (caller.owner->flexsc_pages != nullptr)
        TaskAccess::hooks().withdraw_pages(*caller.owner);
    program.space->set_limits(process.limits[Limit::AddressSpace], process.limits[Limit::Data]);
    caller.space = program.space.get();
    caller.thread->set_space(program.space);
    TaskAccess::exchange_space(process, std::move(program.space)).reset();
    use_own_files(caller, std::move(files));
    caller.files->close_on_exec();
    process_table.become_leader(*caller.owner);
    TaskAccess::mark_executed(process);
    caller.owner->clear_child_tid = 0;
    set_identity(process, *caller.owner, path, program);
    process.exit_signal = kSigChild;
    process.start_stack.store(program.stack_pointer, kRelaxed);
    reset_signals_for_exec(*caller.owner);
    ProcessTimers::drop(process, ProcessTimers::Leave::Program);
    reset_registers(*caller.thread);
    caller.thread->user_frame() = first_frame(program.entry, program.stack_pointer);
    TaskAccess::end_vfork(process);
    cpu_request_work(kWorkFullReturn); // last: nothing between here and the return gives up the core
}

} // namespace

Result<Ref<Process>> spawn(StringView path, std::span<const StringView> arguments,
                           std::span<const StringView> environment, Ref<FileTable> files) {
    const Owned<ExecStrings> strings = TRY(make_owned<ExecStrings>());
    for (const StringView text : arguments)
        TRY(strings->add_argument(text));
    for (const StringView text : environment)
        TRY(strings->add_environment(text));
    Ref<File> file = TRY(TaskAccess::hooks().open_program(nullptr, path));
    Program program = TRY(load_program({std::move(file), path, nullptr, nullptr}, *strings));
    Process::Holdings holdings {
        std::move(program.space), std::move(files), TRY(TaskAccess::hooks().first_fs_context())
    };
    Ref<Process> process = TRY(Process::create(base_name(path), nullptr, nullptr, std::move(holdings)));
    process->start_stack.store(program.stack_pointer, kRelaxed);
    auto thread = make_thread(process, first_frame(program.entry, program.stack_pointer), process->id());
    if (thread)
        set_identity(*process, **thread, path, program);
    auto started = thread ? process_table.start(std::move(*thread)) : Result<void>{fail(thread.error())};
    if (!started) {
        process_table.forget(*process);
        return fail(started.error());
    }
    return process;
}

Result<void> exec(Caller& caller, Ref<File> file, StringView path, ExecStrings& strings) {
    ASSERT(caller.thread == &sched::current());
    Program program = TRY(load_program({std::move(file), path, &caller, caller.process}, strings));
    Ref<FileTable> files = TRY(own_files(*caller.process));
    TRY(process_table.stop_others(*caller.owner));
    change_program(caller, std::move(program), path, std::move(files));
    return {};
}

} // namespace tollgate::task
