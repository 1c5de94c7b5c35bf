// From an ELF file to an address space that is ready to run: its segments, its stack, where to begin.
#pragma once

#include "mem/address_space.h"
#include "task/exec_strings.h"
#include "task/file.h"

namespace tollgate::task {

struct Program {
    Ref<AddressSpace> space;
    u64 entry;
    u64 stack_pointer;
};

/// Static ET_EXEC and static-pie. Errors: NoExec (no ELF that we run), NoMem, and what File::content() says.
Result<Program> load_program(const File& file, StringView path, const ExecStrings& strings);

} // namespace tollgate::task
