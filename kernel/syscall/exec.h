// Opening what is to be executed, for execve(2), script interpreters and init.
#pragma once

#include "task/file.h"

namespace tollgate {

struct Caller;

/// A regular file that the caller may execute. Errors: Access, and those of open(2).
Result<Ref<File>> open_program(const Caller* caller, StringView path);
/// Its absolute path; false if it has no name.
bool write_program_path(const Caller* caller, File& file, Sink& to);

} // namespace tollgate
