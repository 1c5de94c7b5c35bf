// The cheapest calls, and the clock.
#include <ctime>
#include <sys/syscall.h>
#include <unistd.h>

#include "userland/bench/calls/operation.h"

namespace tollgate::calls {
namespace {

timespec now;

// Nothing at all: the call, the return, and the loop around them.
[[gnu::naked, gnu::noipa]] long empty_call() { asm("ret"); }
long empty_is_right() { return 0; }

[[gnu::noipa]] long clock_gettime_vdso() { return clock_gettime(CLOCK_MONOTONIC, &now); }
[[gnu::noipa]] long clock_gettime_sys() { return Native::call(SYS_clock_gettime, CLOCK_MONOTONIC, &now); }

// A number that no kernel knows. ENOSYS is its success.
[[gnu::noipa]] long enosys() { return Native::call(500); }
long enosys_is_right() { return enosys() == -ENOSYS ? 0 : -EPROTO; }

[[gnu::noipa]] long getppid_sys() { return Native::call(SYS_getppid); }
[[gnu::noipa]] long sched_yield_sys() { return Native::call(SYS_sched_yield); }

constexpr Operation kOperations[] = {
    {"empty_call", 0, 1000, empty_is_right, repeat<empty_call>},
    operation<clock_gettime_vdso>("clock_gettime_vdso", 40, 1000),
    operation<clock_gettime_sys>("clock_gettime_sys", 120, 1000),
    {"enosys", 70, 1000, enosys_is_right, repeat<enosys>},
    operation<getppid_sys>("getppid", 80, 1000),
    operation<sched_yield_sys>("sched_yield", 200, 500),
};

} // namespace

std::span<const Operation> time_operations() { return kOperations; }

} // namespace tollgate::calls
