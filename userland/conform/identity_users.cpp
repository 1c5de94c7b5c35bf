// User and group ids, and capabilities.
#include <csignal>
#include <cstring>
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>

#include "userland/conform/identity_tests.h"

namespace tollgate::conform {

namespace {

bool users_are(uid_t real, uid_t effective, uid_t saved) {
    uid_t r, e, s;
    return getresuid(&r, &e, &s) == 0 && r == real && e == effective && s == saved && getuid() == real &&
           geteuid() == effective;
}

} // namespace

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

} // namespace tollgate::conform
