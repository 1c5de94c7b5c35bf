// Process groups and sessions.
#include <csignal>
#include <sys/prctl.h>

#include "userland/conform/identity_tests.h"

namespace tollgate::conform {

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

} // namespace tollgate::conform
