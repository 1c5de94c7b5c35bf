// The stack that a program finds at its start: argc, argv, envp, the auxiliary vector, and the strings they point to
// [x86-64 psABI 3.4.1; man 3 getauxval].
#pragma once

#include "task/exec_strings.h"
#include "task/layout_random.h"

namespace tollgate {
class AddressSpace;
}

namespace tollgate::task {

/// One unmapped page lies above the highest stack; below each, a guard that user calls cannot take away.
struct StackPlace {
    u64 guard, bottom, top;
    u64 pointer_offset; ///< how far the first bytes lie below the top
};
/// As large as RLIMIT_STACK says, within reason; `process` is null for init.
StackPlace place_stack(const Process* process, const LayoutOffsets& offsets);
/// Errno::NoMem.
Result<void> map_stack(AddressSpace& space, const StackPlace& place);

struct StackContents {
    StringView path;     ///< AT_EXECFN
    u64 entry;           ///< AT_ENTRY
    u64 program_headers; ///< AT_PHDR, or 0
    u64 program_header_count;
    u64 vdso;                 ///< AT_SYSINFO_EHDR, or 0
    u64 interpreter_base = 0; ///< AT_BASE
    const Process* process;   ///< AT_UID ...; null for root
};

/// Fills it. The initial stack pointer, or NoMem.
Result<u64> build_stack(AddressSpace& space, const StackPlace& place, const ExecStrings& strings,
                        const StackContents& contents);

} // namespace tollgate::task
