// Who a process is and what it may use: groups, sessions, users, capabilities, limits, prctl, priorities, the machine's
// name.
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "userland/conform/children.h"
#include "userland/lib/ktap.h"

namespace {

using namespace tollgate;
using namespace tollgate::conform;

constexpr uid_t kUser = 12345, kOther = 12346;
char self[256];

int wait_for_signals() {
    for (;;)
        pause();
}

// ---- groups and sessions ----

void test_groups(Ktap& ktap) {
    int status = run([] {
        const pid_t session = getsid(0);
        if (setpgid(0, 0) != 0 || getpgrp() != getpid() || getpgid(0) != getpid() || getpgid(getpid()) != getpid())
            return 1;
        return getsid(0) == session && raw(SYS_getpgrp) == getpid() ? 0 : 2;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("setpgid: a group of one's own");

    const pid_t first = start(wait_for_signals), second = start(wait_for_signals);
    ktap.check(setpgid(first, 0) == 0 && getpgid(first) == first, "a child: %d", errno);
    ktap.check(setpgid(second, first) == 0 && getpgid(second) == first, "a child into a group: %d", errno);
    ktap.check(kill(-first, SIGTERM) == 0, "kill: %d", errno);
    ktap.check(killed(status_of(first), SIGTERM) && killed(status_of(second), SIGTERM), "not both are dead");
    ktap.check(kill(-first, 0) == -1 && errno == ESRCH, "the group is still there");
    ktap.test("setpgid of children; kill of a group");

    const pid_t child = start(wait_for_signals);
    ktap.check(raw(SYS_setpgid, child, -1) == -EINVAL, "EINVAL");
    ktap.check(raw(SYS_setpgid, 1 << 21, 0) == -ESRCH, "ESRCH");
    ktap.check(raw(SYS_setpgid, getppid() == 0 ? 1 << 21 : getppid(), 0) == -ESRCH, "the parent");
    ktap.check(raw(SYS_setpgid, child, 1 << 21) == -EPERM, "no such group");
    ktap.check(raw(SYS_getpgid, 1 << 21) == -ESRCH && raw(SYS_getsid, 1 << 21) == -ESRCH, "getpgid, getsid: ESRCH");
    kill(child, SIGKILL);
    status_of(child);
    ktap.test("setpgid, getpgid, getsid: errors");

    const pid_t executed = start([&] {
        char* const arguments[] = {self, const_cast<char*>("wait"), nullptr};
        execv(self, arguments);
        return 1;
    });
    ktap.check(eventually([&] { return raw(SYS_setpgid, executed, executed) == -EACCES; }), "EACCES never comes");
    kill(executed, SIGKILL);
    status_of(executed);
    ktap.test("setpgid of a child that has called execve: EACCES");
}

void test_sessions(Ktap& ktap) {
    int status = run([] {
        const pid_t before = getsid(0);
        if (setsid() != getpid() || getsid(0) != getpid() || getpgrp() != getpid() || before == getpid())
            return 1;
        if (setsid() != -1 || errno != EPERM)
            return 2;
        if (setpgid(0, 0) != -1 || errno != EPERM)
            return 3;
        return run([] { return getsid(0) == getppid() && setpgid(0, 0) == 0 && setsid() == -1 ? 0 : 1; }) == 0 ? 0 : 4;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("setsid: a session and group; only once; leaders stay");

    Channel there, go;
    const pid_t child = start([&] {
        setsid();
        there.tell();
        return go.hear();
    });
    there.hear();
    ktap.check(getsid(child) == child && getpgid(child) == child, "ids");
    ktap.check(raw(SYS_setpgid, child, getpgrp()) == -EPERM, "a child in another session");
    status = run([&] { return static_cast<int>(-raw(SYS_setpgid, 0, child)); });
    ktap.check(exited(status, EPERM), "into a group of another session: %#x", status);
    go.tell(0);
    status_of(child);
    ktap.test("groups do not cross sessions");
}

void test_orphaned_group(Ktap& ktap) {
    const int status = run([] {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        setsid(); // nobody outside can continue what stops in here
        Channel told;
        const pid_t middle = start([&] {
            setpgid(0, 0);
            const pid_t stopped = start([&] {
                setpgid(0, 0);
                told.tell(getpid());
                raise(SIGSTOP);
                return 1;
            });
            waitpid(stopped, nullptr, WUNTRACED);
            return 0;
        });
        const pid_t stopped = told.hear();
        if (!exited(status_of(middle), 0))
            return 1;
        // Its new parent is the session's leader, in another group of the session: not orphaned, and still stopped.
        int end = 0;
        if (waitpid(stopped, &end, WNOHANG) != 0)
            return 2;
        kill(stopped, SIGKILL);
        return killed(status_of(stopped), SIGKILL) ? 0 : 3;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("a stopped group that somebody can continue stays stopped");

    const int orphaned = run([] {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        Channel told;
        const pid_t leader = start([&] {
            setsid();
            const pid_t stopped = start([&] {
                setpgid(0, 0);
                told.tell(getpid());
                raise(SIGSTOP);
                return 1;
            });
            waitpid(stopped, nullptr, WUNTRACED);
            return 0;
        });
        const pid_t stopped = told.hear();
        if (!exited(status_of(leader), 0))
            return 1;
        return killed(status_of(stopped), SIGHUP) ? 0 : 2;
    });
    ktap.check(exited(orphaned, 0), "status %#x", orphaned);
    ktap.test("a stopped group that is orphaned gets SIGHUP");
}

// ---- users ----

bool users_are(uid_t real, uid_t effective, uid_t saved) {
    uid_t r, e, s;
    return getresuid(&r, &e, &s) == 0 && r == real && e == effective && s == saved && getuid() == real &&
           geteuid() == effective;
}

void test_users(Ktap& ktap) {
    int status = run([] {
        if (raw(SYS_setresuid, kUser, kUser, kUser) != 0 || !users_are(kUser, kUser, kUser))
            return 1;
        if (raw(SYS_setuid, 0) != -EPERM || raw(SYS_setresuid, 0, -1, -1) != -EPERM ||
            raw(SYS_setreuid, -1, 0) != -EPERM)
            return 2;
        return raw(SYS_setuid, kUser) == 0 && run([] { return users_are(kUser, kUser, kUser) ? 0 : 1; }) == 0 ? 0 : 3;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("setresuid: from root to a user, for good, children too");
    status = run([] { return raw(SYS_setuid, kUser) == 0 && users_are(kUser, kUser, kUser) ? 0 : 1; });
    ktap.check(exited(status, 0), "status %#x", status);
    status = run([] {
        if (raw(SYS_setreuid, kUser, kOther) != 0 || !users_are(kUser, kOther, kOther))
            return 1;
        if (raw(SYS_setreuid, kOther, kUser) != 0 || !users_are(kOther, kUser, kUser))
            return 2;
        return raw(SYS_setreuid, kUser + 7, -1) == -EPERM ? 0 : 3;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    status = run([] {
        if (raw(SYS_setresuid, kUser, kOther, 0) != 0 || !users_are(kUser, kOther, 0))
            return 1;
        if (raw(SYS_setuid, kUser) != 0 || !users_are(kUser, kUser, 0))
            return 2;
        return raw(SYS_setresuid, -1, 0, -1) == 0 && users_are(kUser, 0, 0) ? 0 : 3;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.check(raw(SYS_setuid, -1) == -EINVAL, "setuid(-1)");
    ktap.test("setuid, setreuid, the saved user");

    status = run([] {
        gid_t r, e, s;
        if (raw(SYS_setresgid, kUser, kOther, kUser) != 0 || getresgid(&r, &e, &s) != 0)
            return 1;
        if (r != kUser || e != kOther || s != kUser || getgid() != kUser || getegid() != kOther)
            return 2;
        if (raw(SYS_setresuid, kUser, kUser, kUser) != 0 || raw(SYS_setgid, 0) != -EPERM)
            return 3;
        return raw(SYS_setregid, -1, kUser) == 0 && getegid() == kUser && raw(SYS_setgid, kUser) == 0 ? 0 : 4;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("setresgid, setregid, setgid");

    status = run([] {
        const gid_t groups[] = {7, 9, 11};
        gid_t read[8] = {};
        if (raw(SYS_setgroups, 3, groups) != 0 || getgroups(0, nullptr) != 3 || getgroups(8, read) != 3)
            return 1;
        if (memcmp(groups, read, sizeof groups) != 0 || raw(SYS_getgroups, 2, read) != -EINVAL ||
            raw(SYS_getgroups, -1, read) != -EINVAL)
            return 2;
        if (raw(SYS_setgroups, 70000, groups) != -EINVAL || raw(SYS_setgroups, 3, 8) != -EFAULT)
            return 3;
        if (run([&] { return getgroups(8, read) == 3 ? 0 : 1; }) != 0)
            return 4;
        if (raw(SYS_setgroups, 0, nullptr) != 0 || getgroups(0, nullptr) != 0)
            return 5;
        return raw(SYS_setuid, kUser) == 0 && raw(SYS_setgroups, 3, groups) == -EPERM ? 0 : 6;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("setgroups, getgroups");

    status = run([] {
        if (raw(SYS_setfsuid, kUser) != 0 || raw(SYS_setfsuid, -1) != kUser || raw(SYS_setfsgid, kOther) != 0 ||
            raw(SYS_setfsgid, -1) != kOther)
            return 1;
        if (raw(SYS_setresuid, kUser, kUser, kUser) != 0)
            return 2;
        return raw(SYS_setfsuid, kOther) == kUser && raw(SYS_setfsuid, -1) == kUser ? 0 : 3;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("setfsuid, setfsgid");

    Channel ready;
    const pid_t root = start([&] { return ready.hear(); });
    status = run([&] {
        if (raw(SYS_setresuid, kUser, kUser, kUser) != 0)
            return 1;
        return raw(SYS_kill, root, SIGTERM) == -EPERM && raw(SYS_kill, root, 0) == -EPERM ? 0 : 2;
    });
    ready.tell(4);
    ktap.check(exited(status, 0) && exited(status_of(root), 4), "status %#x", status);
    ktap.test("a user may not signal root");
}

void test_capabilities(Ktap& ktap) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};
    ktap.check(raw(SYS_capget, &header, data) == 0 && (data[0].effective & 1 << CAP_KILL), "root has none");
    ktap.check(raw(SYS_capset, &header, data) == 0, "capset of the same");
    header.version = 1;
    ktap.check(raw(SYS_capget, &header, data) == -EINVAL && header.version == _LINUX_CAPABILITY_VERSION_3, "version");
    header.pid = 1 << 21;
    ktap.check(raw(SYS_capget, &header, data) == -ESRCH, "ESRCH");
    header.pid = -1;
    ktap.check(raw(SYS_capget, &header, data) == -EINVAL, "EINVAL");
    ktap.check(raw(SYS_capget, nullptr, data) == -EFAULT, "EFAULT");
    const int status = run([] {
        __user_cap_header_struct own{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct sets[2] = {};
        if (raw(SYS_setuid, kUser) != 0 || raw(SYS_capget, &own, sets) != 0 || sets[0].effective != 0)
            return 1;
        sets[0].permitted = sets[0].effective = 1 << CAP_KILL;
        return raw(SYS_capset, &own, sets) == -EPERM ? 0 : 2;
    });
    ktap.check(exited(status, 0), "status %#x", status);
    ktap.test("capget, capset");
}

// ---- limits ----

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

// ---- prctl and others ----

void* name_thread(void* name) {
    char own[16] = {};
    prctl(PR_SET_NAME, "thread");
    prctl(PR_GET_NAME, own);
    return strcmp(own, "thread") == 0 ? name : nullptr;
}

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

} // namespace

int main(int argc, char**) {
    if (argc > 1)
        wait_for_signals();
    if (readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
        return 98;
    Ktap ktap(26);
    test_groups(ktap);
    test_sessions(ktap);
    test_orphaned_group(ktap);
    test_users(ktap);
    test_capabilities(ktap);
    test_limits(ktap);
    test_prctl(ktap);
    test_priorities(ktap);
    test_machine(ktap);
    return ktap.finish();
}
