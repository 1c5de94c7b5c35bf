// What entry.S calls, and the registers that make SYSCALL land there [SDM vol 2, SYSCALL; vol 3, 5.8.8].
#include "gate/native/native.h"

#include "cpu/cpu.h"
#include "cpu/segments.h"
#include "cpu/trap_frame.h"
#include "lib/mutants.h"
#include "syscall/dispatch.h"

namespace tollgate {

extern "C" void native_entry();
extern "C" void native_compat_entry();

void native_initialise_cpu() {
    // Cleared on entry: IF (no interrupt on the user's stack), DF, AC (SMAP), TF and RF (no single step in the kernel),
    // NT, IOPL [threats E1-E4].
    constexpr u64 kMask =
        x86::kFlagTf | x86::kFlagIf | x86::kFlagDf | x86::kFlagIopl | x86::kFlagNt | x86::kFlagRf | x86::kFlagAc;
    constexpr u64 kSyscallEnable = 1;
    x86::wrmsr(x86::kMsrStar, kStarValue);
    x86::wrmsr(x86::kMsrLstar, reinterpret_cast<u64>(native_entry));
    x86::wrmsr(x86::kMsrCstar, reinterpret_cast<u64>(native_compat_entry));
    x86::wrmsr(x86::kMsrFmask, mutant(Mutant::Fmask) ? x86::kFlagIf : kMask);
    x86::wrmsr(x86::kMsrSysenterCs, 0); // SYSENTER is #GP [SDM vol 2, SYSENTER]
    x86::wrmsr(x86::kMsrEfer, x86::rdmsr(x86::kMsrEfer) | kSyscallEnable);
}

} // namespace tollgate
