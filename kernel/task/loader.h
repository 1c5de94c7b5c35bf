// From a file to an address space that is ready to run: scripts lead to their interpreter, ELF files are mapped with
// theirs, a stack is made, and where to begin is told.
#pragma once

#include "mem/address_space.h"
#include "task/exec_strings.h"
#include "task/file.h"
#include "task/limits.h"

namespace tollgate {
class Process;
struct Caller;
} // namespace tollgate

namespace tollgate::task {

struct Program {
    Ref<AddressSpace> space;
    u64 entry = 0;
    u64 stack_pointer = 0;
    FixedString<256> executable; ///< the file that was mapped: a script's interpreter
    Ref<ProgramHold> hold;       ///< on that file
};

struct ProgramRequest {
    Ref<File> file;
    StringView path;        ///< AT_EXECFN, and a script's name for its interpreter
    const Caller* caller;   ///< null for init
    const Process* process; ///< whose identity and limits the program gets; null for init
};

/// Leaves in `strings` what the program gets. Errors: NoExec (nothing that we run), NoMem, TooBig, Loop (scripts of
/// scripts), TxtBsy (open for writing), and those of opening an interpreter.
Result<Program> load_program(const ProgramRequest& request, ExecStrings& strings);

} // namespace tollgate::task
