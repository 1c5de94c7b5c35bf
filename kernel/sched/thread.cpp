// Making threads.
#include "sched/thread.h"

#include "cpu/cpu.h"
#include "sched/scheduler.h"

namespace tollgate {

extern "C" void thread_start();

Result<Ref<Thread>> Thread::create(const char* name, void (*entry)(void*), void* argument) {
    Ref<Thread> thread = TRY(make_ref<Thread>(name, TRY(KernelStack::allocate())));
    // What switch_context pops: r15, r14, r13, r12, rbp, rbx, return address. The frame's place above stays free.
    u64* stack = reinterpret_cast<u64*>(thread->stack_.top().value() - sizeof(TrapFrame)) - 7;
    stack[2] = reinterpret_cast<u64>(argument);
    stack[3] = reinterpret_cast<u64>(entry);
    stack[6] = reinterpret_cast<u64>(&thread_start);
    thread->saved_rsp_ = reinterpret_cast<u64>(stack);
    return thread;
}

void Thread::set_space(Ref<AddressSpace> space) {
    InterruptGuard interrupts;
    std::swap(space_, space);
    if (this != &sched::current())
        return;
    if (space_)
        space_->load();
    else
        AddressSpace::load_kernel_only();
} // the old space goes here, when no CPU uses it for this thread any more

} // namespace tollgate
