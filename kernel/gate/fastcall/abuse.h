// Kernels with tests: the functions of abuse_test.S, for the test instrument (api/probe.h).
#pragma once

#include "gate/fastcall/provider.h"

namespace tollgate::fastcall {

/// Registers abuse `which` (an api::FastcallAbuse), its index.
/// Errno::Inval, and those of register_fastcall().
Result<u64> register_abuse(Process& process, u64 which);
/// How often the callbacks of those registrations were called: unmap in the upper half, free in the lower.
u64 abuse_callbacks();

} // namespace tollgate::fastcall
