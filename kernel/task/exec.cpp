// Programs start: spawn() for the first one, exec() for all others. The new space is complete before the old one is
// touched.
#include "cpu/user_bases.h"
#include "task/loader.h"
#include "task/process_table.h"

namespace tollgate::task {

namespace {

StringView base_name(StringView path) {
    const auto slash = path.rfind('/');
    return slash ? path.substr(*slash + 1) : path;
}

void set_names(Process& process, StringView path) {
    process.name_.clear();
    process.name_.write(base_name(path));
    process.executable_.clear();
    process.executable_.write(path);
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

/// From here on there is no way back: the thread moves into the new space and the old one loses a user.
void change_program(Caller& caller, Program program, StringView path) {
    Process& process = *caller.process;
    if (const auto exiting = TaskAccess::hooks().process_exiting)
        exiting(process);
    caller.space = program.space.get();
    caller.thread->set_space(program.space);
    TaskAccess::exchange_space(process, std::move(program.space)).reset();
    caller.files->close_on_exec();
    process_table.become_leader(*caller.owner);
    TaskAccess::mark_executed(process);
    caller.owner->clear_child_tid = 0;
    set_names(process, path);
    process.start_stack.store(program.stack_pointer, kRelaxed);
    reset_signals_for_exec(*caller.owner);
    reset_registers(*caller.thread);
    caller.thread->user_frame() = first_frame(program.entry, program.stack_pointer);
    TaskAccess::end_vfork(process);
    cpu_request_work(kWorkFullReturn); // last: nothing between here and the return gives up the core
}

} // namespace

Result<Ref<Process>> spawn(Ref<File> file, StringView path, std::span<const StringView> arguments,
                           std::span<const StringView> environment, Ref<FileTable> files) {
    ExecStrings strings;
    for (const StringView text : arguments)
        TRY(strings.add_argument(text));
    for (const StringView text : environment)
        TRY(strings.add_environment(text));
    Program program = TRY(load_program(*file, path, strings));
    Ref<Process> process = TRY(Process::create(base_name(path), nullptr, std::move(program.space), std::move(files)));
    set_names(*process, path);
    process->start_stack.store(program.stack_pointer, kRelaxed);
    auto thread = make_thread(process, first_frame(program.entry, program.stack_pointer), process->id());
    auto started = thread ? process_table.start(std::move(*thread)) : Result<void>{fail(thread.error())};
    if (!started) {
        process_table.forget(*process);
        return fail(started.error());
    }
    return process;
}

Result<void> exec(Caller& caller, Ref<File> file, StringView path, const ExecStrings& strings) {
    ASSERT(caller.thread == &sched::current());
    Program program = TRY(load_program(*file, path, strings));
    TRY(process_table.stop_others(*caller.owner));
    change_program(caller, std::move(program), path);
    return {};
}

} // namespace tollgate::task
