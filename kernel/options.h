// The kernel's options, read from the command line once. docs/options.md lists them for users.
#pragma once

#include "api/flexsc.h"
#include "cpu/patch.h"
#include "lib/cmdline.h"

namespace tollgate {

struct Options {
    StringView init = "/bin/bench";
    StringView init_arguments; ///< as written after " -- "
    StringView accel = "tcg";  ///< what the runner says it runs on: icount, tcg, kvm, bochs
    bool pti = false, mds = false, spectre = false, clear_registers = false;
    bool aslr = true;
    u64 flexsc_workers = 0;
    bool flexsc_shared = false, flexsc_mwait = false;
    u64 flexsc_spin_us = 50;
    api::FlexscPolicy flexsc_policy = api::FlexscPolicy::Own;
#ifdef TOLLGATE_TESTS
    bool fastcall_check = true;
#else
    bool fastcall_check = false;
#endif
    u64 fastcall_budget_ms = 500; ///< 0: no watchdog
    bool run_kernel_tests = false;
    PatchSet patches = 0; ///< what the mitigations and the CPU's features amount to
    StringView mutant = "none";
    bool spma22 = false; ///< what the published fastcall programs expect of their comparison kernels (api/spma22.h)
    u64 fail_alloc_every = 0; ///< kernel built with tests: every Nth allocation of a user thread fails
};

/// Needs cpu_detect(). Says what it does not know; panics on a value that makes no sense.
const Options& read_options(StringView command_line);

} // namespace tollgate
