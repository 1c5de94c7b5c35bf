#include "gate/fastcall/fault.h"

#include "cpu/fastcall_cpu.h"
#include "debug/log.h"
#include "debug/panic.h"
#include "gate/fastcall/space.h"
#include "gate/fastcall/text.h"
#include "lib/mutants.h"
#include "task/process.h"

namespace tollgate::fastcall {
namespace {

extern "C" const u8 fastcall_overrun[], fastcall_bad_exit[];

u64 stack_top() { return kFastcallStacks + (this_cpu().number + 1) * kFastcallStackStride; }

/// The signal that the same exception would bring user code [task/signal_fault.cpp].
int signal_of(u64 vector) {
    switch (vector) {
    case kVectorDe:
    case kVectorMf:
    case kVectorXm:
        return task::kSigFpe;
    case kVectorUd:
        return task::kSigIll;
    case kVectorBp:
    case kVectorDb:
        return task::kSigTrap;
    case kVectorNp:
    case kVectorSs:
    case kVectorAc:
        return task::kSigBus;
    default:
        return task::kSigSegv;
    }
}

/// What fastcall_checked_exit has found.
const char* bad_state(const FastcallCpu& call) {
    if (call.exit_gs_base != call.gs_base)
        return "it leaves with another GS base";
    if (call.exit_rsp != call.rsp)
        return "it leaves with another RSP";
    if (call.exit_rcx != call.rcx)
        return "it leaves with another RCX, where SYSRET goes";
    if (call.exit_r11 != call.r11)
        return "it leaves with another R11, SYSRET's RFLAGS";
    if (call.exit_flags & x86::kFlagAc)
        return "it leaves with AC set, so that SMAP is off";
    if (call.exit_flags & x86::kFlagDf)
        return "it leaves with DF set";
    if (call.exit_flags & x86::kFlagIf)
        return "it leaves with interrupts on";
    return "it leaves with NT or IOPL set";
}

/// -EFAULT, if that is what it means.
bool fix_up(TrapFrame& frame, const Located& place) {
    const bool copies = frame.vector == kVectorPf || frame.vector == kVectorGp || frame.vector == kVectorSs;
    if (!copies || place.function == nullptr)
        return false;
    const Window* const window = window_at(place.function->start + place.offset);
    if (window == nullptr && !mutant(Mutant::FastcallWindow))
        return false;
    if (mutant(Mutant::FastcallStack) ? (frame.rsp - kFastcallStacks) / kFastcallStackStride == this_cpu().number
                                      : window != nullptr && window->on_stack != 0)
        frame.rsp = *reinterpret_cast<const u64*>(stack_top() - 8); // TAKE_STACK has put the user's there
    return true;
}

} // namespace

void handle_fault(TrapFrame& frame, u64 address) {
    FastcallCpu& own = fastcall_cpu(this_cpu());
    AddressSpace& space = *sched::current().space();
    const bool overrun = frame.rip == reinterpret_cast<u64>(fastcall_overrun);
    const bool bad_exit = frame.rip == reinterpret_cast<u64>(fastcall_bad_exit);
    const Located place =
        bad_exit ? locate_slot(space, own.index) : locate(space, overrun ? own.overrun_rip : frame.rip);
    const u64 vector = frame.vector;
    const bool fixed = !overrun && !bad_exit && fix_up(frame, place);
    // RCX and R11 are where SYSRET would have gone, unless the function has damaged them: the frame is checked like any
    // edited one [threats C12].
    frame.rip = bad_exit ? own.rcx : frame.rcx;
    frame.rflags = bad_exit ? own.r11 : frame.r11;
    frame.rax = static_cast<u64>(-14); // -EFAULT
    frame.vector = kVectorNone;
    if (place.function)
        (fixed     ? place.function->faults
         : overrun ? place.function->overruns
                   : place.function->kills)
            .fetch_add(1, kRelaxed);
    if (fixed)
        return;
    const char* why = exception_name(vector);
    int signal = signal_of(vector);
    if (overrun) {
        why = "it ran for longer than fastcall.budget_ms";
        signal = task::kSigKill;
    } else if (bad_exit) {
        why = bad_state(own);
        signal = task::kSigKill;
    } else if (address != 0 && address - (stack_top() - kFastcallStackStride) < kPageSize) {
        why = "its stack has overflowed";
    }
    if (place.function)
        log("fastcall {}, slot {} of process {}, vector {} at +{:#x}: {}", place.function->name, place.slot,
            sched::current().caller->process->id(), vector, place.offset, why);
    else
        log("fastcall of process {}, vector {} outside of its function: {}", sched::current().caller->process->id(),
            vector, why);
    task::user_fault(frame, signal, why, address);
}

} // namespace tollgate::fastcall
