// The stack that a program finds at its start: argc, argv, envp, the auxiliary vector, and the strings they point to
// [x86-64 psABI 3.4.1; man 3 getauxval].
#pragma once

#include "task/exec_strings.h"

namespace tollgate {
class AddressSpace;
}

namespace tollgate::task {

/// One unmapped page lies above the stack; below it, a guard that user calls cannot take away.
inline constexpr u64 kStackSize = 8 << 20;
inline constexpr u64 kStackTop = kUserTop - kPageSize;
inline constexpr u64 kStackBottom = kStackTop - kStackSize;
inline constexpr u64 kStackGuard = kStackBottom - 64 * 1024;

struct StackContents {
    StringView path;     ///< AT_EXECFN
    u64 entry;           ///< AT_ENTRY
    u64 program_headers; ///< AT_PHDR, or 0
    u64 program_header_count;
    u64 vdso; ///< AT_SYSINFO_EHDR, or 0
};

/// Maps the stack and fills it. The initial stack pointer, or NoMem.
Result<u64> build_stack(AddressSpace& space, const ExecStrings& strings, const StackContents& contents);

} // namespace tollgate::task
