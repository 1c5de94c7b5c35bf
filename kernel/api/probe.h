// The test instrument: system call 4100 of the kernel built with tests. It does to the calling thread what only a
// debugger, a broken driver or a bug would do, so that ring-3 tests can attack the return paths and faults from a known
// state.
#pragma once

#include <cstdint>

namespace tollgate::api {

/// probe(operation, a, b). Unknown operations return -EINVAL.
enum class Probe : std::uint64_t {
    SetReturnRip = 1,     ///< a: the RIP that this call returns to
    SetReturnFlags = 2,   ///< a: the RFLAGS that this call returns with (the kernel keeps only what user code may set)
    SetReturnCs = 3,      ///< a: the CS of the saved frame; the kernel pins it
    SetReturnSs = 4,      ///< a: the SS of the saved frame; the kernel pins it
    SetReturnRsp = 5,     ///< a: the RSP that this call returns with
    ReadFlags = 10,       ///< returns RFLAGS as the handler runs
    ReadUserNoStac = 11,  ///< a: user address, read without stac; with SMAP the kernel must fault (panic)
    ExecUser = 12,        ///< a: user address, jumped to in ring 0; with SMEP the kernel must fault (panic)
    OverflowStack = 13,   ///< recurses until the guard page (panic)
    WriteKernelText = 14, ///< writes to its own text (panic)
    NullDereference = 15, ///< reads address 8 in the kernel (panic)
    CheckPageTables = 16, ///< walks the caller's page tables (M1); number of violations
    StringCopy = 17,      ///< runs an overlapping kernel memmove; 0 if it was right (E1: DF)
    ReadCounter = 18,     ///< a: a ProbeCounter; its value summed over all CPUs
    PoisonStack = 19,     ///< fills the unused part of the caller's kernel stack with 0xA5 (L7)
    FreeFrames = 20,      ///< number of free page frames
    RaiseNmi = 21,        ///< sends an NMI to the CPU with number a
    FastcallAbuse = 22,   ///< registers a fastcall that does what none may; its index; a: a FastcallAbuse
    UserExecutable = 23,  ///< a: 1 if the address is mapped executable for user code
    StackTouch = 24,      ///< recurses a bytes deep and returns; 0
    FailAllocation = 25, ///< a: the calling thread's allocation of kernel memory with this number from now on fails (0:
                         ///< none does); how many it has made since it last asked (X2); b: 1 if all after it fail too
    FastcallCallbacks = 26, ///< of those registrations: calls of unmap, times 2^32, plus calls of free
};

/// kernel/gate/fastcall/abuse_test.S
enum class FastcallAbuse : std::uint64_t {
    Read, ///< (p): reads a word of user memory
    ReadOnStack,
    ReadUndeclared, ///< the same, and a fault in it is not expected
    Undefined,
    Breakpoint,
    Divide,
    NonCanonical,
    Loop, ///< for ever
    Spin, ///< (n): n times, then gives kSpinResult
    Recurse,
    Wild,
    LeaveAc,
    LeaveDf,
    LeaveNt,
    LeaveRsp,
    LeaveRcx, ///< (p): to return there
    LeaveR11,
    LeaveGs,
    Linger, ///< (n): as Spin, but it reads its private page at the end
};
inline constexpr long kSpinResult = 0x5ca1ab1e;

enum class ProbeCounter : std::uint64_t {
    ReturnSysret = 1,
    ReturnIret = 2,
    ReturnKilled = 3, ///< frames refused on the way to user code
    CallsNative = 4,
    CallsInt80 = 5,
    CallsFlexsc = 6,
    Nmis = 7,
    FastcallFaults = 8,
    SigreturnRefused = 9, ///< frames that rt_sigreturn did not take
};

} // namespace tollgate::api
