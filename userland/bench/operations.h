// The list of what is measured, in the order of the report. To add an operation: a file op_NAME.cpp beside this one,
// written once for all gates (operation.h says how), its name in CMakeLists.txt, and its two lines here.
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

inline void add_all_operations(Suite& suite) {
    add_null(suite);
    add_getppid(suite);
    add_copy64(suite);
    add_write_null(suite);
    add_clock_gettime(suite);
    add_fastcalls(suite);
    add_pread(suite);
    add_pipe(suite);
}

} // namespace tollgate::bench
