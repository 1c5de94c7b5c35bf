// The test instrument of api/probe.h, in test kernels only: does to the calling thread, or to the kernel, what a test
// wants to see survived or reported.
#include "api/probe.h"

#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "debug/log.h"
#include "gate/fastcall/abuse.h"
#include "lib/memory.h"
#include "mem/fail_alloc.h"
#include "syscall/handlers.h"
#include "task/process.h"

namespace tollgate {
namespace {

using api::Probe;
using api::ProbeCounter;

u64 sum(u64 CpuCounters::*counter) {
    u64 total = 0;
    for (unsigned n = 0; n < cpu_count(); ++n)
        total += cpu_by_number(n).counters.*counter;
    return total;
}

Result<u64> read_counter(u64 which) {
    switch (static_cast<ProbeCounter>(which)) {
    case ProbeCounter::ReturnSysret:
        return sum(&CpuCounters::return_sysret);
    case ProbeCounter::ReturnIret:
        return sum(&CpuCounters::return_iret);
    case ProbeCounter::ReturnKilled:
        return sum(&CpuCounters::return_killed);
    case ProbeCounter::CallsNative:
        return sum(&CpuCounters::return_sysret) + sum(&CpuCounters::native_slow);
    case ProbeCounter::CallsInt80:
        return sum(&CpuCounters::calls_int80);
    case ProbeCounter::CallsFlexsc:
        return sum(&CpuCounters::calls_flexsc);
    case ProbeCounter::Nmis:
        return sum(&CpuCounters::nmis);
    case ProbeCounter::FastcallFaults:
        return sum(&CpuCounters::fastcall_faults);
    case ProbeCounter::SigreturnRefused:
        return sum(&CpuCounters::sigreturn_refused);
    }
    return fail(Errno::Inval);
}

// One page of stack a level, touched at both ends; the result keeps the compiler from making a loop of it.
[[gnu::noinline]] u64 touch_stack(u64 bytes) {
    volatile u8 page[1024];
    page[0] = static_cast<u8>(bytes);
    page[sizeof page - 1] = 1;
    return bytes <= sizeof page ? page[0] : touch_stack(bytes - sizeof page) + page[sizeof page - 1];
}

bool string_copy_works() {
    char text[64];
    for (unsigned i = 0; i < sizeof text; ++i)
        text[i] = static_cast<char>(i);
    memmove(text + 8, text, 48);
    for (unsigned i = 0; i < 48; ++i)
        if (text[i + 8] != static_cast<char>(i))
            return false;
    // The instruction that DF would turn round; memmove itself does not use it.
    u64 from[4] = {1, 2, 3, 4}, to[4] = {};
    const void* source = from;
    void* target = to;
    u64 count = 4;
    asm volatile("rep movsq" : "+S"(source), "+D"(target), "+c"(count)::"memory");
    return to[0] == 1 && to[3] == 4;
}

// 0xA5 from just below this function's frame down to the guard: what a later handler fails to initialise shows [threats
// L7].
[[gnu::noinline]] void poison_stack(Thread& thread) {
    const u64 bottom = thread.stack().top().value() - kKernelStackSize;
    volatile u8* at = reinterpret_cast<volatile u8*>(reinterpret_cast<u64>(__builtin_frame_address(0)) - 256);
    while (reinterpret_cast<u64>(at) > bottom)
        *--at = 0xa5;
}

} // namespace

Result<u64> sys_probe(Caller& caller, u64 operation, u64 a, u64 b) {
    TrapFrame& frame = caller.thread->user_frame();
    switch (static_cast<Probe>(operation)) {
    // The frame is edited behind the back of the return path, as another thread or a debugger could: no work flag is
    // set.
    case Probe::SetReturnRip:
        frame.rip = a;
        return u64{0};
    case Probe::SetReturnFlags:
        frame.rflags = a;
        return u64{0};
    case Probe::SetReturnCs:
        frame.cs = a;
        cpu_request_work(kWorkFullReturn);
        return u64{0};
    case Probe::SetReturnSs:
        frame.ss = a;
        cpu_request_work(kWorkFullReturn);
        return u64{0};
    case Probe::SetReturnRsp:
        frame.rsp = a;
        return u64{0};
    case Probe::ReadFlags:
        return x86::read_flags();
    case Probe::ReadUserNoStac:
        return u64{*reinterpret_cast<volatile u8*>(a)};
    case Probe::ExecUser:
        reinterpret_cast<void (*)()>(a)();
        return u64{0};
    case Probe::OverflowStack:
        return touch_stack(1 << 20);
    case Probe::StackTouch:
        return a > kKernelStackSize / 2 ? Result<u64>(fail(Errno::Inval)) : (touch_stack(a), u64{0});
    case Probe::WriteKernelText:
        *reinterpret_cast<volatile u8*>(reinterpret_cast<u64>(&sys_probe)) = 0xcc;
        return u64{0};
    case Probe::NullDereference: {
        u64 value;
        asm volatile("movq 8, %0" : "=r"(value));
        return value;
    }
    case Probe::CheckPageTables:
        return u64{caller.space->audit()};
    case Probe::StringCopy:
        return u64{!string_copy_works()};
    case Probe::ReadCounter:
        return read_counter(a);
    case Probe::PoisonStack:
        poison_stack(*caller.thread);
        return u64{0};
    case Probe::FreeFrames:
        return frames::free_count();
    case Probe::RaiseNmi:
        if (a >= cpu_count())
            return fail(Errno::Inval);
        apic::send_nmi(cpu_by_number(static_cast<unsigned>(a)).apic_id);
        return u64{0};
    case Probe::FastcallAbuse:
        return fastcall::register_abuse(*caller.process, a);
    case Probe::FastcallCallbacks:
        return fastcall::abuse_callbacks();
    case Probe::FailAllocation:
        return fail_alloc::arm(a, b == 0 ? fail_alloc::Failing::Once : fail_alloc::Failing::FromThenOn);
    case Probe::UserExecutable:
        return u64{caller.space->user_executable(a)};
    }
    return fail(Errno::Inval);
}

} // namespace tollgate
