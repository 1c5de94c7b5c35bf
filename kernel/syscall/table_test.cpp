// table.def against the numbers of the host's Linux headers and of api/numbers.h, and its own rules.
#ifndef TOLLGATE_KERNEL
#include "api/numbers.h"
#include "api/spma22.h"

#include "tests/harness/test.h"

#include <asm/unistd_64.h>

#ifndef TOLLGATE_TESTS
#define TOLLGATE_TESTS // the table with all of its lines
#endif

namespace tollgate {
namespace {

constexpr long __NR_flexsc_register = api::kSysFlexscRegister;
constexpr long __NR_flexsc_wait = api::kSysFlexscWait;
constexpr long __NR_copy64 = api::kSysCopy64;
constexpr long __NR_null = api::kSysNull;
constexpr long __NR_probe = api::kSysProbe;
constexpr long __NR_fccmp_array = api::kSysFccmpArray;
constexpr long __NR_fccmp_nt = api::kSysFccmpNt;
constexpr long __NR_syscall_bench = api::kSysSyscallBench;

struct Line {
    long number, expected;
    const char* name;
    unsigned routes;
};
constexpr unsigned Trap = 1, TrapAndPage = 3, Quick = 4;

constexpr Line kLines[] = {
#define SYSCALL(number, name, routes) {number, __NR_##name, #name, routes},
#include "syscall/table.def"
#undef SYSCALL
};

TEST(SyscallTable, NumbersAreThoseOfLinux) {
    for (const Line& line : kLines)
        EXPECT_EQ(line.number, line.expected) << line.name;
}

TEST(SyscallTable, NoNumberStandsTwice) {
    for (const Line& line : kLines)
        for (const Line& other : kLines)
            EXPECT_TRUE(&line == &other || line.number != other.number) << line.name;
}

// Threat F6: what acts on the calling thread must not come from a page, which another core may execute.
TEST(SyscallTable, ThreadCallsAreForTrapsAlone) {
    constexpr long kThreadCalls[] = {__NR_rt_sigprocmask,
                                     __NR_sigaltstack,
                                     __NR_clone,
                                     __NR_clone3,
                                     __NR_fork,
                                     __NR_vfork,
                                     __NR_execve,
                                     __NR_exit,
                                     __NR_exit_group,
                                     __NR_arch_prctl,
                                     __NR_prctl,
                                     __NR_set_tid_address,
                                     __NR_set_robust_list,
                                     __NR_rseq,
                                     __NR_sched_yield,
                                     __NR_sched_setaffinity,
                                     __NR_getcpu,
                                     __NR_restart_syscall,
                                     __NR_perf_event_open,
                                     __NR_syscall_bench,
                                     __NR_flexsc_register,
                                     __NR_flexsc_wait};
    for (const long number : kThreadCalls)
        for (const Line& line : kLines)
            EXPECT_TRUE(line.number != number || (line.routes & TrapAndPage) == Trap) << line.name;
}

} // namespace
} // namespace tollgate
#endif
