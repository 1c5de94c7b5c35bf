// Called by trap.S with a TrapFrame; interrupts are off throughout.
#include "cpu/traps.h"

#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "cpu/interrupts.h"
#include "cpu/layout.h"
#include "cpu/tlb.h"
#include "cpu/user_copy.h"
#include "lib/address.h"
#include "lib/mutants.h"

#include <initializer_list>

namespace tollgate {
namespace {

constinit TrapHandlers handlers{};
extern "C" const u8 user_iretq[], native_sysretq[], fastcall_dispatch[];

void handle_interrupt(u64 vector, TrapOrigin origin) {
    Cpu& cpu = this_cpu();
    ++cpu.counters.interrupts;
    switch (vector) {
    case kVectorTimer:
        apic::end_of_interrupt();
        handlers.timer(origin);
        return;
    case kVectorReschedule:
        apic::end_of_interrupt();
        handlers.reschedule();
        return;
    case kVectorTlb:
        apic::end_of_interrupt();
        tlb_service();
        return;
    default:
        if (run_vector(vector)) { // acknowledged after the device is quiet, or a level-triggered one would come again
            apic::end_of_interrupt();
            return;
        }
        // 8259 leftovers and whatever a broken device raises: counted, acknowledged only if the APIC delivered it as an
        // interrupt
        ++cpu.counters.spurious;
        if (vector != kVectorSpurious)
            apic::end_of_interrupt();
    }
}

} // namespace

void set_trap_handlers(const TrapHandlers& new_handlers) { handlers = new_handlers; }

extern "C" void trap_from_user(TrapFrame* frame) {
    if (frame->vector >= 32)
        return handle_interrupt(frame->vector, TrapOrigin::User);
    const u64 address = frame->vector == kVectorPf ? x86::read_cr2() : 0;
    if (frame->vector == kVectorDb) // which has no error code: its place tells the handler why
        asm volatile("mov %%dr6, %0\n\tmov %1, %%dr6"
                     : "=&r"(frame->error)
                     : "r"(0xffff0ff0ull)); // sticky [SDM vol 3, 17.2.3]
    // P = 1 without U: a supervisor access by an instruction of ring 3 (TCG's IRET does that); no mapping would help.
    const bool resolvable = address < kUserTop && (frame->error & (kPfPresent | kPfUser)) != kPfPresent;
    if (frame->vector == kVectorPf && resolvable && handlers.user_page_fault(address, frame->error))
        return;
    handlers.user_exception(*frame, address);
}

extern "C" void trap_from_kernel(TrapFrame* frame) {
    if (frame->vector >= 32)
        return handle_interrupt(frame->vector, TrapOrigin::Kernel);
    const u64 address = frame->vector == kVectorPf ? x86::read_cr2() : 0;
    const u64 fixup = mutant(Mutant::Fixup) ? 0 : find_fixup(frame->rip);
    if (fixup != 0 && (frame->vector == kVectorPf || frame->vector == kVectorGp)) {
        // #GP: a non-canonical address, which the range check lets through only in a mutant
        if (frame->vector == kVectorPf && address < kUserTop && handlers.user_page_fault(address, frame->error))
            return;
        frame->rip = fixup;
        return;
    }
    handlers.kernel_exception(*frame, address);
}

/// Where the frame of a kernel fault goes: below what was interrupted, if that is a usable stack. A stack that has run
/// into its guard page is not: the fault is handled (a panic) on the fault stack itself.
extern "C" u64 fault_home(TrapFrame* frame) {
    const u64 target = (frame->rsp - sizeof(TrapFrame)) & ~u64{15};
    const bool on_stack =
        frame->rsp > kKernelSpace && (handlers.is_stack == nullptr || handlers.is_stack(target - 2048));
    return on_stack ? target : reinterpret_cast<u64>(frame);
}

namespace {

/// The instruction that should have returned to user code faulted instead: a frame that no check has caught. On the
/// entry stack (IRET) or in the registers (SYSRET) is where it wanted to go; the process ends there, not the kernel
/// (CVE-2014-9322) [threats I6, I7].
void fault_in_return(TrapFrame& frame) {
    if (frame.rip == reinterpret_cast<u64>(user_iretq)) {
        const u64* target = reinterpret_cast<const u64*>(frame.rsp);
        frame.rip = target[0];
        frame.rflags = target[2];
        frame.rsp = target[3];
    } else {
        frame.rip = frame.rcx;
        frame.rflags = frame.r11;
    }
    ++this_cpu().counters.return_killed;
    handlers.user_exception(frame, 0);
}

} // namespace

/// A fault at CPL 0 with the user's GS and CR3 (both already exchanged, the frame moved): inside a fastcall, or at the
/// very instruction that returns to user code or jumps to a fastcall.
extern "C" void trap_in_user_state(TrapFrame* frame) {
    const u64 address = frame->vector == kVectorPf ? x86::read_cr2() : 0;
    if (mutant(Mutant::FastcallFault))
        return handlers.kernel_exception(*frame, address);
    for (const u8* const leaving : {user_iretq, native_sysretq, fastcall_dispatch})
        if (frame->rip == reinterpret_cast<u64>(leaving))
            return fault_in_return(*frame);
    ++this_cpu().counters.fastcall_faults;
    cpu_request_work(kWorkFullReturn); // the frame is checked like any edited one [threats C12]
    handlers.fastcall_fault(*frame, address);
}

/// NMI, #DF, #MC and kernel-mode #DB, on their own stacks. No lock may be taken here and nothing may fault.
extern "C" void trap_paranoid(TrapFrame* frame) {
    switch (frame->vector) {
    case kVectorNmi:
        ++this_cpu().counters.nmis;
        if (cpus_stopped.load(kAcquire) && !this_cpu().in_panic)
            x86::halt_forever(); // another CPU panics
        if (handlers.nmi)
            handlers.nmi(*frame);
        return;
    case kVectorDb:
        // A data breakpoint that hit in the kernel, or MOV SS followed by SYSCALL (CVE-2018-8897): disarm and go on.
        asm volatile("mov %0, %%dr7" ::"r"(0x400ull));
        asm volatile("mov %0, %%dr6" ::"r"(0xffff0ff0ull));
        return;
    default:
        handlers.kernel_exception(*frame, 0);
    }
}

} // namespace tollgate
