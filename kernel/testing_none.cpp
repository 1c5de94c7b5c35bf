// The ordinary kernel has no tests in it.
#include "testing.h"

namespace tollgate {

bool run_kernel_tests() { return false; }

} // namespace tollgate
