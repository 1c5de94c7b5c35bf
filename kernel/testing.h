// The kernel's own tests (option test=kernel): every *_test.cpp that was linked in, reported as KTAP on the console.
#pragma once

namespace tollgate {

/// True if every test passed. False in a kernel without tests.
bool run_kernel_tests();

} // namespace tollgate
