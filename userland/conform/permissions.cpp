// Who may do what: owners, groups, others, sticky directories and set-id bits, seen by a process that is not root.
// Needs root to become somebody else.
#include <grp.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "userland/conform/scratch.h"

using namespace conform;

namespace {

constexpr unsigned kUser = 1000, kGroup = 1000, kOtherGroup = 1001;

/// Whether `body`, run by another user, holds.
template <class Body>
bool as_user(Body body) {
    const pid_t child = fork();
    if (child == 0) {
        if (setgroups(0, nullptr) != 0 || setresgid(kGroup, kGroup, kGroup) != 0 || setresuid(kUser, kUser, kUser) != 0)
            _exit(9);
        _exit(body() ? 0 : 1);
    }
    int ended = -1;
    return waitpid(child, &ended, 0) == child && ended == 0;
}

/// A file with this mode and owner.
void file(const char* name, unsigned mode, unsigned user, unsigned group) {
    touch(name, "text");
    if (chown(name, user, group) != 0 || chmod(name, mode) != 0)
        std::exit(4);
}
void directory(const char* name, unsigned mode, unsigned user, unsigned group) {
    if (mkdir(name, 0700) != 0 || chown(name, user, group) != 0 || chmod(name, mode) != 0)
        std::exit(5);
}

long opened(const char* name, int flags, int mode = 0) {
    const long result = call(SYS_open, name, flags, mode);
    if (result >= 0)
        close(static_cast<int>(result));
    return result < 0 ? result : 0;
}

} // namespace

int main() {
    tollgate::Ktap ktap(16);
    if (geteuid() != 0) {
        for (int i = 0; i < 16; ++i)
            ktap.skip("permissions", "needs root");
        return ktap.finish();
    }
    Scratch scratch;
    chmod(".", 0755);

    file("owner", 0600, kUser, 0);
    file("group", 0060, 0, kGroup);
    file("others", 0006, 0, 0);
    ktap.test("each class has its own bits", as_user([] {
                  return opened("owner", O_RDWR) == 0 && opened("group", O_RDWR) == 0 && opened("others", O_RDWR) == 0;
              }));

    file("not-owner", 0066, kUser, kGroup);
    file("not-group", 0606, 0, kGroup);
    file("not-others", 0660, 0, kOtherGroup);
    ktap.test("the first class that applies decides", as_user([] {
                  return opened("not-owner", O_RDONLY) == -EACCES && opened("not-group", O_RDONLY) == -EACCES &&
                         opened("not-others", O_RDONLY) == -EACCES;
              }));

    file("read", 0444, 0, 0);
    ktap.test("reading does not give writing", as_user([] {
                  return opened("read", O_RDONLY) == 0 && opened("read", O_WRONLY) == -EACCES &&
                         opened("read", O_RDONLY | O_TRUNC) == -EACCES && call(SYS_truncate, "read", 0L) == -EACCES;
              }));
    ktap.test("O_TRUNC that is refused leaves the content", status_of("read").st_size == 4);

    directory("closed", 0700, 0, 0);
    directory("search", 0711, 0, 0);
    directory("list", 0744, 0, 0);
    touch("closed/file");
    touch("search/file");
    touch("list/file");
    ktap.test("a directory's x searches, its r lists", as_user([] {
                  return opened("closed/file", O_RDONLY) == -EACCES && opened("closed", O_RDONLY) == -EACCES &&
                         opened("search/file", O_RDONLY) == 0 && opened("search", O_RDONLY) == -EACCES &&
                         opened("list/file", O_RDONLY) == -EACCES && opened("list", O_RDONLY) == 0 &&
                         call(SYS_chdir, "closed") == -EACCES && call(SYS_chdir, "list") == -EACCES;
              }));

    ktap.test("names are made and removed by who may write the directory", as_user([] {
                  return opened("search/new", O_CREAT | O_WRONLY, 0644) == -EACCES &&
                         call(SYS_mkdir, "search/d", 0777) == -EACCES && call(SYS_unlink, "search/file") == -EACCES &&
                         call(SYS_symlink, "x", "search/s") == -EACCES &&
                         call(SYS_link, "others", "search/l") == -EACCES &&
                         call(SYS_rename, "search/file", "search/g") == -EACCES &&
                         call(SYS_mknod, "search/f", S_IFIFO | 0600, 0) == -EACCES;
              }));

    directory("shared", 0777, 0, 0);
    file("shared/root", 0600, 0, 0);
    ktap.test("a writable directory lets others' files go", as_user([] {
                  return call(SYS_rename, "shared/root", "shared/moved") == 0 && call(SYS_unlink, "shared/moved") == 0;
              }));

    directory("sticky", 01777, 0, 0);
    file("sticky/root", 0666, 0, 0);
    ktap.test("a sticky one does not", as_user([] {
                  return call(SYS_unlink, "sticky/root") == -EPERM &&
                         call(SYS_rename, "sticky/root", "sticky/x") == -EPERM &&
                         opened("sticky/mine", O_CREAT | O_WRONLY, 0600) == 0 &&
                         call(SYS_rename, "sticky/mine", "sticky/root") == -EPERM &&
                         call(SYS_unlink, "sticky/mine") == 0;
              }));

    ktap.test("new files belong to who makes them", as_user([] {
                  const bool made =
                      opened("shared/mine", O_CREAT | O_WRONLY, 0600) == 0 && call(SYS_mkdir, "shared/dir", 0700) == 0;
                  const struct stat mine = status_of("shared/mine"), dir = status_of("shared/dir");
                  return made && mine.st_uid == kUser && mine.st_gid == kGroup && dir.st_uid == kUser;
              }));

    directory("grouped", 02777, 0, kOtherGroup);
    ktap.test("a set-group-id directory hands its group on", as_user([] {
                  const bool made = opened("grouped/mine", O_CREAT | O_WRONLY, 0600) == 0 &&
                                    call(SYS_mkdir, "grouped/dir", 0700) == 0;
                  const struct stat dir = status_of("grouped/dir");
                  return made && status_of("grouped/mine").st_gid == kOtherGroup && dir.st_gid == kOtherGroup &&
                         (dir.st_mode & S_ISGID);
              }));

    ktap.test("chmod is the owner's", as_user([] {
                  return call(SYS_chmod, "read", 0777) == -EPERM && call(SYS_chmod, "owner", 0640) == 0 &&
                         (status_of("owner").st_mode & 0777) == 0640;
              }));

    ktap.test("chown is root's, chgrp to an own group the owner's", as_user([] {
                  return call(SYS_chown, "owner", 0, -1) == -EPERM &&
                         call(SYS_chown, "owner", -1, kOtherGroup) == -EPERM &&
                         call(SYS_chown, "owner", kUser, kGroup) == 0 && call(SYS_chown, "read", -1, kGroup) == -EPERM;
              }));

    ktap.test("times: the owner sets them, a writer renews them", as_user([] {
                  const timespec past[2] = {{1, 1}, {1, 1}};
                  return call(SYS_utimensat, AT_FDCWD, "others", past, 0) == -EPERM &&
                         call(SYS_utimensat, AT_FDCWD, "others", nullptr, 0) == 0 &&
                         call(SYS_utimensat, AT_FDCWD, "read", nullptr, 0) == -EACCES &&
                         call(SYS_utimensat, AT_FDCWD, "owner", past, 0) == 0;
              }));

    ktap.test("access asks for the real identity", [] {
        const pid_t child = fork();
        if (child == 0) {
            file("root-only", 0600, 0, 0);
            if (setresuid(kUser, 0, 0) != 0)
                _exit(9);
            const bool good = call(SYS_access, "root-only", R_OK) == -EACCES && opened("root-only", O_RDONLY) == 0 &&
                              call(SYS_faccessat2, AT_FDCWD, "root-only", R_OK, AT_EACCESS) == 0;
            _exit(good ? 0 : 1);
        }
        int ended = -1;
        return waitpid(child, &ended, 0) == child && ended == 0;
    }());

    file("plain", 0644, 0, 0);
    ktap.test("root may everything but execute what nobody may", call(SYS_access, "not-owner", R_OK | W_OK) == 0 &&
                                                                     call(SYS_access, "plain", X_OK) == -EACCES &&
                                                                     opened("closed/file", O_RDWR) == 0);

    ktap.test("chroot, mknod of devices and mount are root's", as_user([] {
                  return call(SYS_chroot, ".") == -EPERM &&
                         call(SYS_mknod, "shared/dev", S_IFCHR | 0666, 0x103) == -EPERM &&
                         call(SYS_mount, "x", ".", "tmpfs", 0, 0) == -EPERM && call(SYS_umount2, ".", 0) == -EPERM;
              }));
    return ktap.finish();
}
