// Guards that a test build can be told to leave out (kernel option mutant=NAME), so that the guard's test can be seen
// to fail. In the ordinary kernel mutant() is a constant false and costs nothing.
#pragma once

#include "lib/string_view.h"

namespace tollgate {

enum class Mutant : u8 {
    None,
    SysretRip,        ///< the fast path lets any RIP through (patched out: GUARD_SYSRET_RIP)
    SysretFlags,      ///< the fast path lets any RFLAGS through (GUARD_SYSRET_FLAGS)
    ReturnRip,        ///< the slow path does not check RIP
    SigreturnRip,     ///< sigreturn takes any RIP
    SigreturnFlags,   ///< sigreturn takes any RFLAGS
    SigreturnFpu,     ///< sigreturn takes any FPU image
    Cld,              ///< DF is not cleared on the way in through the IDT (GUARD_CLD)
    Clac,             ///< AC is not cleared on the way in through the IDT (GUARD_ENTRY_CLAC)
    FastcallIndex,    ///< the fastcall index is not clamped (GUARD_FASTCALL_INDEX)
    Fmask,            ///< SYSCALL masks nothing
    UserRange,        ///< user copies do not check that the range is below kUserTop
    FlexscDoubleRead, ///< the worker reads number and arguments from the page again after checking them
    FlexscStatus,     ///< the worker acts on any status but Free
    FlexscAba,        ///< an entry whose call still waits may be executed again
    FlexscSpace,      ///< a worker executes without the submitter's address space
    FlexscLeave,      ///< a thread that leaves does not wait for its calls
    FlexscIndex,      ///< a page's number and argument count are not checked against their bounds
    FlexscFlood,      ///< a worker stays with one process's pages as long as they have work
    FlexscYield,      ///< a worker waits its turn among the ordinary threads of its core
    FlexscStop,       ///< no guard: workers stop answering after their first calls, for the watchdog's test
    WritableCode,     ///< mmap and ELF segments may be writable and executable
    StackGuard,       ///< kernel stacks have no guard page
    Smap,             ///< SMAP stays off
    Smep,             ///< SMEP stays off
    SysretTop,        ///< user mappings may end at 1 << 47
    FlexscRoutes,     ///< a page may call what only a trap may
    ClearFrames,      ///< new user pages hold what somebody left there
    TextWritable,     ///< the kernel's text stays writable
    Fixup,            ///< a fault in a user copy is not survived
    Int80Gate,        ///< every vector can be raised by `int n`
    FpuSwitch,        ///< vector registers are not switched
    FastcallFault,    ///< a fault in a fastcall is taken for one in the kernel
    FastcallUser,     ///< the fastcall space is user code's too
    FastcallWindow,   ///< a fault anywhere in a fastcall is taken for one in its user copy
    FastcallStack,    ///< whoever points into the fastcall stack as a fastcall faults is taken for one that has used it
    FastcallBarrier,  ///< a fastcall's pages go without waiting for those who are in it
    FastcallWatchdog, ///< a fastcall that does not end is left alone
    FastcallFork,     ///< a child inherits the pages that fastcalls share with user code
    ParanoidGs,       ///< an NMI leaves the kernel's GS base behind (GUARD_PARANOID_GS)
    Umip,             ///< UMIP stays off
    ProcessLimit,     ///< RLIMIT_NPROC is not looked at
    CowCopy,          ///< a write to a page that two processes share since fork() does not copy it
    Shootdown,        ///< other CPUs keep what they remember of pages that are taken away
    TextBusy,         ///< a file that is executed may be written to
    TimerTurn,        ///< a timer that is armed again while timers are fired is fired in the same round
    Permission,       ///< permission bits of files hold nobody back
    CloseOnExec,      ///< execve leaves all descriptors open
    Seals,            ///< sealed files can be changed
    SealMapped,       ///< a file is sealed against writing though a mapping may write it
    FccmpSize,        ///< call 443 copies more than a slot holds
    FccmpVectors,     ///< call 444 leaves its own values in vector registers (GUARD_VECTORS)
};

#ifdef TOLLGATE_TESTS
extern constinit Mutant active_mutant;
inline bool mutant(Mutant which) { return active_mutant == which; }
/// By its option's name; Mutant::None if there is no such mutant.
Mutant mutant_by_name(StringView name);
#else
constexpr bool mutant(Mutant) { return false; }
#endif

} // namespace tollgate
