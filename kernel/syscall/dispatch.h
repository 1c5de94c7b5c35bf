// From a system call's number to its handler, for every gate alike. A gate brings the caller's identity and a pointer
// to six arguments (the saved registers, or those of a FlexSC entry, which are read once each) and gets back what user
// code sees: a value or -errno.
#pragma once

#include "api/numbers.h"
#include "lib/types.h"

namespace tollgate {

struct Caller;

/// The gates a call may come through: a set, since table.def names several.
enum class Route : u8 { Trap = 1, Page = 2 };

/// A handler with its types erased: reads as many of the six arguments as it has, each once, returns a value or -errno.
using SyscallEntry = i64 (*)(Caller&, const u64* arguments);

/// Numbers 0 .. 511 are Linux' and index the table directly; the own range (4096 ..) follows.
inline constexpr u64 kLinuxNumbers = 512;
inline constexpr u64 kOwnNumbers = api::kSysOwnEnd - api::kSysOwnFirst;

struct SyscallTable {
    SyscallEntry entries[kLinuxNumbers + kOwnNumbers];
};

/// What SYSCALL and int 0x80 may call, and what a syscall page may.
extern "C" const SyscallTable trap_table, page_table;

/// What native/entry.S calls, by the same index: trap_table's handlers, with assembly in front of those that need the
/// whole TrapFrame, and in place of those that do not exist; for numbers beyond the table, one entry more.
struct NativeTable {
    SyscallEntry entries[kLinuxNumbers + kOwnNumbers + 1];
};
extern "C" const NativeTable native_table;

/// -ENOSYS, and one log line the first time each number is seen.
extern "C" i64 syscall_unknown(u64 number);

/// The table's answer for any number at all. What the bound's own comparison leaves in the carry flag makes the mask,
/// so that a mispredicted branch cannot load a pointer from beyond the table (Spectre v1) [threats S10, S11].
[[gnu::always_inline]] inline i64 syscall_dispatch(Caller& caller, u64 number, const u64* arguments,
                                                   const SyscallTable& table) {
    u64 index = number, mask;
    asm goto("cmpq %[bound], %[index]\n\tjae %l[own]\n\tsbbq %[mask], %[mask]\n\tandq %[mask], %[index]"
             : [index] "+r"(index), [mask] "=&r"(mask)
             : [bound] "i"(kLinuxNumbers)
             : "cc"
             : own);
    return table.entries[index](caller, arguments);
own:
    index = number - api::kSysOwnFirst;
    asm goto("cmpq %[bound], %[index]\n\tjae %l[unknown]\n\tsbbq %[mask], %[mask]\n\tandq %[mask], %[index]"
             : [index] "+r"(index), [mask] "=&r"(mask)
             : [bound] "i"(kOwnNumbers)
             : "cc"
             : unknown);
    return table.entries[kLinuxNumbers + index](caller, arguments);
unknown:
    return syscall_unknown(number);
}

} // namespace tollgate
