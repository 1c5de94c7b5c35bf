// The list of what is measured, in the order of the report. To add an operation: a file op_NAME.cpp beside this one,
// written once for all gates (operation.h says how), its name in CMakeLists.txt, its line here and in operations.cpp.
#pragma once

namespace tollgate::bench {

class Suite;

void add_null(Suite& suite);
void add_getppid(Suite& suite);
void add_copy64(Suite& suite);
void add_write_null(Suite& suite);
void add_clock_gettime(Suite& suite);
void add_fastcalls(Suite& suite);
void add_pread(Suite& suite);
void add_pipe(Suite& suite);

/// All that this program measures: of /bin/bench what stands above, of /bin/spma22 what spma22/spma22.h lists.
void add_all_operations(Suite& suite);

} // namespace tollgate::bench
