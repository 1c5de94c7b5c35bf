#include "userland/bench/operations.h"

namespace tollgate::bench {

void add_all_operations(Suite& suite) {
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
