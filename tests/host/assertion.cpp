// assertion_failed() for programs on the host: says what and where, and aborts, so that death tests and fuzzers see it.
#include "lib/assert.h"

#include <cstdio>
#include <cstdlib>

void tollgate::assertion_failed(const char* expression, SourceLocation where) {
    std::fprintf(stderr, "%s:%u: assertion failed: %s\n", where.file_name(), static_cast<unsigned>(where.line()),
                 expression);
    std::abort();
}
