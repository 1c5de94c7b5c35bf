// Threads that run user code: how one is made, and its first steps in the kernel.
#include "cpu/fpu.h"
#include "cpu/segments.h"
#include "cpu/user_return.h"
#include "cpu/x86.h"
#include "lib/memory.h"
#include "task/process_table.h"

namespace tollgate::task {

namespace {

/// The entry function of every user thread; its registers wait at the top of its kernel stack.
void enter_user_code(void*) {
    Thread& self = sched::current();
    if (self.is_killed())
        end_killed_thread();
    UserThread& identity = *self.caller->owner;
    if (const u64 address = identity.set_child_tid) {
        x86::sti(); // the copy may fault and sleep, as in a system call; a bad address is the program's own loss
        const auto stored = copy_to_user(UserPtr<i32>{address}, self.caller->thread_id);
        static_cast<void>(stored.has_value());
    }
    enter_user_mode(self.user_frame());
}

} // namespace

TrapFrame first_frame(u64 entry, u64 stack_pointer) {
    TrapFrame frame{};
    frame.rip = entry;
    frame.cs = kUserCode;
    frame.rflags = x86::kFlagIf | x86::kFlagFixed;
    frame.rsp = stack_pointer;
    frame.ss = kUserData;
    return frame;
}

void copy_live_fpu(Thread& to) { fpu_save(to.fpu.data()); }

void reset_live_fpu(Thread& self) {
    InterruptGuard guard;                     // a switch away would save over the area between the two
    static_assert(kFpuAreaSize <= kPageSize); // a frame of its own
    clear_page(self.fpu.data());
    fpu_initial_state(self.fpu.data());
    fpu_restore(self.fpu.data());
}

Result<Ref<UserThread>> make_thread(Ref<Process> process, const TrapFrame& frame, i32 id) {
    if (frame.rip >= kUserTop || frame.rsp >= kUserTop)
        return fail(Errno::Inval);
    Ref<UserThread> made = TRY(make_ref<UserThread>());
    made->thread = TRY(Thread::create("user", enter_user_code, nullptr));
    Thread& thread = *made->thread;
    const Ref<AddressSpace> space = process->space();
    const Ref<FileTable> files = process->files();
    made->caller = {process.get(), &thread, space.get(), files.get(), id, made.get()};
    files->add_user();
    made->caller.fs = process->fs().get(); // which the process keeps until it ends
    made->process = std::move(process);
    thread.caller = &made->caller;
    thread.user_frame() = frame;
    thread.fpu = TRY(Frame::allocate());
    fpu_initial_state(thread.fpu.data());
    thread.set_space(space);
    return made;
}

UserThread* current_user_thread() {
    Caller* const caller = sched::current().caller;
    return caller ? caller->owner : nullptr;
}

} // namespace tollgate::task
