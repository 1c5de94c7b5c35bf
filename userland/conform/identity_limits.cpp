// Limits, prctl, priorities, and what the machine says of itself.
#include <csignal>
#include <cstring>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "userland/conform/identity_tests.h"

namespace tollgate::conform {

void test_limits(Ktap& ktap) {
    int status = run([] {
        rlimit limit{}, same{};
        for (int which = 0; which < RLIM_NLIMITS; ++which)
            if (raw(SYS_getrlimit, which, &limit) != 0 || raw(SYS_prlimit64, 0, which, nullptr, &same) != 0 ||
                memcmp(&limit, &same, sizeof limit) != 0 || limit.rlim_cur > limit.rlim_max)
                return 1;
        limit = {100, 200};
        if (raw(SYS_setrlimit, RLIMIT_CORE, &limit) != 0 || raw(SYS_getrlimit, RLIMIT_CORE, &same) != 0 ||
            same.rlim_cur != 100 || same.rlim_max != 200)
            return 2;
        if (run([] {
                rlimit inherited{};
                return raw(SYS_getrlimit, RLIMIT_CORE, &inherited) == 0 && inherited.rlim_cur == 100 ? 0 : 1;
            }) != 0)
            return 3;
        limit = {300, 200};
        if (raw(SYS_setrlimit, RLIMIT_CORE, &limit) != -EINVAL)
            return 4;
        if (raw(SYS_getrlimit, 16, &limit) != -EINVAL || raw(SYS_setrlimit, 16, &limit) != -EINVAL ||
            raw(SYS_prlimit64, 0, 99, nullptr, nullptr) != -EINVAL)
            return 5;
        if (raw(SYS_getrlimit, RLIMIT_CORE, 8) != -EFAULT || raw(SYS_setrlimit, RLIMIT_CORE, 8) != -EFAULT)
            return 6;
        if (raw(SYS_setuid, kUser) != 0)
            return 7;
        limit = {50, 250};
        if (raw(SYS_setrlimit, RLIMIT_CORE, &limit) != -EPERM)
            return 8;
        limit = {150, 150};
        return raw(SYS_setrlimit, RLIMIT_CORE, &limit) == 0 ? 0 : 9;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("getrlimit, setrlimit: kept, inherited, bounded");

    const pid_t child = start(wait_for_signals);
    rlimit limit{11, 12}, old{};
    ktap.check(raw(SYS_prlimit64, child, RLIMIT_CORE, &limit, &old) == 0, "prlimit of a child");
    ktap.check(raw(SYS_prlimit64, child, RLIMIT_CORE, nullptr, &old) == 0 && old.rlim_cur == 11, "read back");
    ktap.check(raw(SYS_prlimit64, 1 << 21, RLIMIT_CORE, nullptr, &old) == -ESRCH, "ESRCH");
    status = run([&] {
        return raw(SYS_setuid, kUser) == 0 && raw(SYS_prlimit64, child, RLIMIT_CORE, nullptr, &old) == -EPERM ? 0 : 1;
    });
    ktap.check(exited(status, 0), "another user's: %#x", status);
    kill(child, SIGKILL);
    status_of(child);
    ktap.test("prlimit64 of others");

    status = run([] {
        const rlimit few{8, 8};
        if (setrlimit(RLIMIT_NPROC, &few) != 0 || raw(SYS_setresuid, kOther, kOther, kOther) != 0)
            return 1;
        pid_t children[64];
        int made = 0, error = 0;
        while (made < 64) {
            children[made] = fork();
            if (children[made] == 0)
                wait_for_signals();
            if (children[made] < 0) {
                error = errno;
                break;
            }
            ++made;
        }
        pthread_t thread;
        const int no_thread = pthread_create(
            &thread, nullptr, [](void*) -> void* { return nullptr; }, nullptr);
        for (int i = 0; i < made; ++i) {
            kill(children[i], SIGKILL);
            status_of(children[i]);
        }
        return made == 7 && error == EAGAIN && no_thread == EAGAIN ? 0 : made + 10;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("RLIMIT_NPROC: EAGAIN for processes and threads of a user");

    status = run([] {
        const rlimit few{10, 20};
        if (setrlimit(RLIMIT_NOFILE, &few) != 0)
            return 1;
        for (int i = 3; i < 64; ++i)
            close(i);
        int last = 2;
        for (int next; (next = dup(0)) >= 0;)
            last = next;
        return errno == EMFILE && last == 9 ? 0 : 2;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("RLIMIT_NOFILE: EMFILE");
}

namespace {

void* name_thread(void* name) {
    char own[16] = {};
    prctl(PR_SET_NAME, "thread");
    prctl(PR_GET_NAME, own);
    return strcmp(own, "thread") == 0 ? name : nullptr;
}

} // namespace

void test_prctl(Ktap& ktap) {
    char before[16] = {}, name[17] = {};
    prctl(PR_GET_NAME, before);
    ktap.check(prctl(PR_SET_NAME, "a name that is too long") == 0 && prctl(PR_GET_NAME, name) == 0 &&
                   strcmp(name, "a name that is ") == 0,
               "name %s", name);
    pthread_t thread;
    void* result = nullptr;
    pthread_create(&thread, nullptr, name_thread, name);
    pthread_join(thread, &result);
    ktap.check(result == name && prctl(PR_GET_NAME, name) == 0 && strcmp(name, "a name that is ") == 0,
               "threads share a name: %s", name);
    ktap.check(raw(SYS_prctl, PR_SET_NAME, 8) == -EFAULT && raw(SYS_prctl, PR_GET_NAME, 8) == -EFAULT, "EFAULT");
    prctl(PR_SET_NAME, before);
    ktap.test("prctl: names of threads");

    const int status = run([] {
        int value = -1;
        if (prctl(PR_SET_PDEATHSIG, SIGUSR1) != 0 || prctl(PR_GET_PDEATHSIG, &value) != 0 || value != SIGUSR1)
            return 1;
        if (raw(SYS_prctl, PR_SET_PDEATHSIG, 65) != -EINVAL)
            return 2;
        if (run([] {
                int inherited = -1;
                return prctl(PR_GET_PDEATHSIG, &inherited) == 0 && inherited == 0 ? 0 : 1;
            }) != 0)
            return 3;
        if (prctl(PR_GET_DUMPABLE) != 1 || prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_GET_DUMPABLE) != 0 ||
            raw(SYS_prctl, PR_SET_DUMPABLE, 3) != -EINVAL)
            return 4;
        if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) != -EINVAL)
            return 5;
        if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || prctl(PR_GET_CHILD_SUBREAPER, &value) != 0 || value != 1)
            return 6;
        return raw(SYS_prctl, 99999, 0, 0, 0, 0) == -EINVAL ? 0 : 7;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("prctl: death signal, dumpable, no_new_privs, subreaper");
}

void test_priorities(Ktap& ktap) {
    const int status = run([] {
        errno = 0;
        setpriority(PRIO_PROCESS, 0, 0);
        if (raw(SYS_getpriority, PRIO_PROCESS, 0) != 20 || setpriority(PRIO_PROCESS, 0, 5) != 0 ||
            raw(SYS_getpriority, PRIO_PROCESS, 0) != 15)
            return 1;
        if (run([] { return raw(SYS_getpriority, PRIO_PROCESS, 0) == 15 ? 0 : 1; }) != 0)
            return 2;
        if (setpriority(PRIO_PROCESS, 0, 100) != 0 || raw(SYS_getpriority, PRIO_PROCESS, getpid()) != 1)
            return 3;
        if (raw(SYS_getpriority, 9, 0) != -EINVAL || raw(SYS_setpriority, 9, 0, 0) != -EINVAL ||
            raw(SYS_getpriority, PRIO_PROCESS, 1 << 21) != -ESRCH)
            return 4;
        setpgid(0, 0);
        if (setpriority(PRIO_PGRP, 0, 3) != 0 || raw(SYS_getpriority, PRIO_PGRP, 0) != 17)
            return 5;
        const rlimit none{0, 0};
        setrlimit(RLIMIT_NICE, &none);
        return raw(SYS_setuid, kUser) == 0 && raw(SYS_setpriority, PRIO_PROCESS, 0, 1) == -EACCES ? 0 : 6;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("getpriority, setpriority");
}

void test_machine(Ktap& ktap) {
    utsname name{};
    ktap.check(uname(&name) == 0 && name.sysname[0] && name.nodename[0] && strcmp(name.machine, "x86_64") == 0,
               "machine %s", name.machine);
    ktap.check(name.release[0] >= '3' && name.release[0] <= '9', "release %s", name.release);
    ktap.check(raw(SYS_uname, 8) == -EFAULT, "EFAULT");
    ktap.check(raw(SYS_sethostname, "x", -1) == -EINVAL && raw(SYS_sethostname, "x", 65) == -EINVAL, "EINVAL");
    ktap.check(raw(SYS_setdomainname, "x", 65) == -EINVAL, "EINVAL");
    const int status =
        run([] { return raw(SYS_setuid, kUser) == 0 && raw(SYS_sethostname, "x", 1) == -EPERM ? 0 : 1; });
    ktap.check(exited(status, 0), "EPERM: %#x", status);
    ktap.test("uname, sethostname");

    struct sysinfo info {};
    ktap.check(sysinfo(&info) == 0 && info.totalram > 0 && info.freeram <= info.totalram && info.mem_unit > 0,
               "totalram %lu", info.totalram);
    ktap.check(info.procs > 0, "procs %u", info.procs);
    ktap.check(raw(SYS_sysinfo, 8) == -EFAULT, "EFAULT");
    ktap.test("sysinfo");

    const int persona = run([] {
        const long before = raw(SYS_personality, 0xffffffff);
        if (raw(SYS_personality, ADDR_NO_RANDOMIZE) != before)
            return 1;
        return run([] { return raw(SYS_personality, 0xffffffff) == ADDR_NO_RANDOMIZE ? 0 : 1; }) == 0 ? 0 : 2;
    });
    ktap.check(exited(persona, 0), "status %#x", persona);
    ktap.test("personality");

    const long commands = raw(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    ktap.check(commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED), "query: %ld", commands);
    ktap.check(raw(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0, "register");
    ktap.check(raw(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0, "private");
    ktap.check(raw(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0, "global");
    ktap.check(raw(SYS_membarrier, 1 << 20, 0, 0) == -EINVAL && raw(SYS_membarrier, 0, 8, 0) == -EINVAL, "EINVAL");
    ktap.test("membarrier");
}

} // namespace tollgate::conform
