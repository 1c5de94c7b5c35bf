// From an exception of user code to its signal, with the siginfo that Linux gives it [arch/x86 of man 2 sigaction;
// asm-generic/siginfo.h].
#include "cpu/x86.h"
#include "debug/panic.h"
#include "task/signal_internal.h"

namespace tollgate::task {

namespace {

constexpr i32 kIllegalOperand = 2; // ILL_ILLOPN
constexpr i32 kDivide = 1, kFloatDivide = 3, kFloatOverflow = 4, kFloatUnderflow = 5, kFloatInexact = 6,
              kFloatInvalid = 7;                                    // FPE_*
constexpr i32 kNotMapped = 1, kNoAccess = 2;                        // SEGV_*
constexpr i32 kMisaligned = 1, kNoSuchAddress = 2;                  // BUS_*
constexpr i32 kBreakpoint = 1, kTrace = 2, kHardwareBreakpoint = 4; // TRAP_*
constexpr u64 kDebugStep = 1 << 14, kDebugBreakpoints = 0xf;        // DR6 [SDM vol 3, 17.2.3]

/// Of pending and unmasked floating-point exceptions, in the order of the six bits that x87 and SSE share [SDM vol 1,
/// 8.1.3, 10.2.3]; the most telling one.
i32 float_code(u32 raised) {
    if (raised & 0x01)
        return kFloatInvalid;
    if (raised & 0x04)
        return kFloatDivide;
    if (raised & 0x08)
        return kFloatOverflow;
    if (raised & 0x12)
        return kFloatUnderflow; // denormal operands too
    return raised & 0x20 ? kFloatInexact : 0;
}

/// The user's x87 words: nothing in the kernel has touched them.
u32 x87_raised() {
    u16 status, control;
    asm volatile("fnstsw %0\n\tfnstcw %1" : "=m"(status), "=m"(control));
    return status & ~control & 0x3fu;
}

u32 sse_raised() {
    u32 mxcsr;
    asm volatile("stmxcsr %0" : "=m"(mxcsr));
    return mxcsr & ~(mxcsr >> 7) & 0x3f;
}

SignalInfo fault_signal(int signal, i32 code, u64 address) {
    SignalInfo info{};
    info.signal = signal;
    info.code = code;
    info.fault.address = address;
    return info;
}

SignalInfo page_fault_signal(FaultOutcome outcome, u64 address) {
    switch (outcome) {
    case FaultOutcome::NoAccess:
        return fault_signal(kSigSegv, kNoAccess, address);
    case FaultOutcome::BusError:
        return fault_signal(kSigBus, kNoSuchAddress, address);
    default:
        return fault_signal(kSigSegv, kNotMapped, address);
    }
}

SignalInfo signal_of(const TrapFrame& frame, u64 address, FaultOutcome outcome) {
    switch (frame.vector) {
    case kVectorDe:
        return fault_signal(kSigFpe, kDivide, frame.rip);
    case kVectorMf:
        return fault_signal(kSigFpe, float_code(x87_raised()), frame.rip);
    case kVectorXm:
        return fault_signal(kSigFpe, float_code(sse_raised()), frame.rip);
    case kVectorDb:
        return fault_signal(kSigTrap,
                            frame.error & kDebugStep          ? kTrace
                            : frame.error & kDebugBreakpoints ? kHardwareBreakpoint
                                                              : kBreakpoint,
                            frame.rip);
    case kVectorBp:
        return kernel_signal(kSigTrap); // as on Linux, which says nothing more about INT3
    case kVectorUd:
        return fault_signal(kSigIll, kIllegalOperand, frame.rip);
    case kVectorNp:
    case kVectorSs:
        return kernel_signal(kSigBus);
    case kVectorAc:
        return fault_signal(kSigBus, kMisaligned, 0);
    case kVectorPf:
        return page_fault_signal(outcome, address);
    default:
        return kernel_signal(kSigSegv);
    }
}

} // namespace

void raise_exception(TrapFrame& frame, u64 address, FaultOutcome outcome) {
    UserThread& self = *current_user_thread();
    const char* const why = exception_name(frame.vector);
    if (frame.vector == kVectorPf && outcome == FaultOutcome::OutOfMemory)
        user_fault(frame, kSigKill, "out of memory", address); // no handler could run either
    const SignalInfo info = signal_of(frame, address, outcome);
    self.signals.fault_vector = frame.vector;
    self.signals.fault_error = frame.vector == kVectorDb ? 0 : frame.error;
    if (frame.vector == kVectorPf) {
        self.signals.fault_address = address;
        if (address >= kUserTop)
            self.signals.fault_error |=
                kPfPresent; // whether the kernel has a page there is its own affair [threats L9]
    }
    force_signal(self, info, frame, why, address);
    frame.vector = kVectorNone;
}

} // namespace tollgate::task
