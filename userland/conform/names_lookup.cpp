// Looking names up, listing them, and who may.

#include "userland/conform/names_tests.h"

namespace conform {

void lookups(tollgate::Ktap& ktap) {
    RETURNS(ktap, -ENOENT, call(SYS_access, "", F_OK));
    RETURNS(ktap, -ENOENT, call(SYS_access, "none", F_OK));
    RETURNS(ktap, -ENOTDIR, call(SYS_access, "file/", F_OK));
    RETURNS(ktap, -ENOTDIR, call(SYS_access, "file/..", F_OK));
    RETURNS(ktap, -EINVAL, call(SYS_access, "file", 8));
    RETURNS(ktap, 0, call(SYS_access, "dir/././/.././file", R_OK | W_OK));
    RETURNS(ktap, 0, call(SYS_access, "/../../..", F_OK));
    ktap.test("access and the shapes of paths");

    for (const unsigned long bad : kBadPointers) {
        RETURNS(ktap, -EFAULT, call(SYS_open, bad, O_RDONLY));
        RETURNS(ktap, -EFAULT, call(SYS_openat, AT_FDCWD, bad, O_CREAT | O_RDWR, 0644));
        RETURNS(ktap, -EFAULT, call(SYS_access, bad, F_OK));
        RETURNS(ktap, -EFAULT, call(SYS_chdir, bad));
    }
    ktap.test("P1: open, access, chdir of a bad address: EFAULT");
    for (const unsigned long bad : kBadPointers) {
        RETURNS(ktap, -EFAULT, call(SYS_mkdir, bad, 0777));
        RETURNS(ktap, -EFAULT, call(SYS_mknod, bad, S_IFIFO, 0));
        RETURNS(ktap, -EFAULT, call(SYS_unlink, bad));
        RETURNS(ktap, -EFAULT, call(SYS_rmdir, bad));
    }
    ktap.test("P1: mkdir, mknod, unlink, rmdir of a bad address: EFAULT");
    for (const unsigned long bad : kBadPointers) {
        RETURNS(ktap, -EFAULT, call(SYS_rename, "file", bad));
        RETURNS(ktap, -EFAULT, call(SYS_rename, bad, "file"));
        RETURNS(ktap, -EFAULT, call(SYS_link, "file", bad));
        RETURNS(ktap, -EFAULT, call(SYS_link, bad, "x"));
        RETURNS(ktap, -EFAULT, call(SYS_symlink, bad, "x"));
        RETURNS(ktap, -EFAULT, call(SYS_symlink, "x", bad));
        ktap.check(exists("file"), "the file is gone");
    }
    ktap.test("P1: rename, link, symlink with a bad address: EFAULT");
    for (const unsigned long bad : kBadPointers) {
        RETURNS(ktap, -EFAULT, call(SYS_stat, bad, bad));
        RETURNS(ktap, -EFAULT, call(SYS_lstat, bad, bad));
        RETURNS(ktap, -EFAULT, call(SYS_stat, "file", bad));
        RETURNS(ktap, -EFAULT, call(SYS_truncate, bad, 0));
        RETURNS(ktap, -EFAULT, call(SYS_chmod, bad, 0));
        RETURNS(ktap, -EFAULT, call(SYS_chown, bad, 0, 0));
        RETURNS(ktap, -EFAULT, call(SYS_statfs, bad, bad));
    }
    ktap.test("P1: stat, truncate, chmod, chown, statfs of a bad address: EFAULT");

    char here[4096];
    RETURNS(ktap, 0, call(SYS_mkdir, "dir/deep", 0777));
    RETURNS(ktap, 0, call(SYS_chdir, "dir/deep"));
    const long length = call(SYS_getcwd, here, sizeof here);
    ktap.check(length > 9 && std::strcmp(here + length - 10, "/dir/deep") == 0, "getcwd gave %s", here);
    RETURNS(ktap, -ERANGE, call(SYS_getcwd, here, length - 1));
    RETURNS(ktap, length, call(SYS_getcwd, here, length));
    RETURNS(ktap, -ERANGE, call(SYS_getcwd, here, 0));
    RETURNS(ktap, -EFAULT, call(SYS_getcwd, 1, 4096));
    ktap.test("chdir and getcwd");

    RETURNS(ktap, 0, call(SYS_rmdir, "../deep"));
    RETURNS(ktap, -ENOENT, call(SYS_getcwd, here, sizeof here));
    RETURNS(ktap, -ENOENT, call(SYS_open, "x", O_CREAT | O_WRONLY, 0644));
    RETURNS(ktap, -ENOENT, call(SYS_mkdir, "x", 0777));
    RETURNS(ktap, 0, call(SYS_access, ".", F_OK));
    RETURNS(ktap, 0, call(SYS_chdir, "../.."));
    ktap.check(exists("dir"), "not where we were");
    ktap.test("a removed working directory: ENOENT, and a way out");

    RETURNS(ktap, -ENOTDIR, call(SYS_chdir, "file"));
    RETURNS(ktap, -ENOENT, call(SYS_chdir, "none"));
    const int directory = open("dir", O_RDONLY | O_DIRECTORY);
    RETURNS(ktap, 0, call(SYS_fchdir, directory));
    RETURNS(ktap, 0, call(SYS_chdir, ".."));
    const int file = open("file", O_RDONLY);
    RETURNS(ktap, -ENOTDIR, call(SYS_fchdir, file));
    RETURNS(ktap, -EBADF, call(SYS_fchdir, -1));
    ktap.test("chdir and fchdir: ENOTDIR, ENOENT, EBADF");

    RETURNS(ktap, -ENOTDIR, call(SYS_openat, file, "x", O_RDONLY));
    RETURNS(ktap, -EBADF, call(SYS_openat, -1, "x", O_RDONLY));
    RETURNS(ktap, -EBADF, call(SYS_openat, 0x7fffffff, "x", O_RDONLY));
    RETURNS(ktap, -ENOENT, call(SYS_openat, directory, "x", O_RDONLY));
    touch("dir/at");
    RETURNS(ktap, 0, call(SYS_faccessat, directory, "at", F_OK));
    RETURNS(ktap, 0, call(SYS_renameat, directory, "at", AT_FDCWD, "from-dir"));
    RETURNS(ktap, 0, call(SYS_mkdirat, directory, "made", 0777));
    RETURNS(ktap, 0, call(SYS_symlinkat, "made", directory, "s"));
    RETURNS(ktap, 0, call(SYS_unlinkat, directory, "s", 0));
    RETURNS(ktap, -EISDIR, call(SYS_unlinkat, directory, "made", 0));
    RETURNS(ktap, 0, call(SYS_unlinkat, directory, "made", AT_REMOVEDIR));
    close(directory);
    close(file);
    ktap.test("the calls with a directory descriptor");
}

namespace {

/// Reads a directory by raw getdents64 with a small buffer.
int count_entries(const char* path, unsigned size) {
    const int directory = open(path, O_RDONLY | O_DIRECTORY);
    int count = 0;
    for (;;) {
        char buffer[4096];
        const long got = call(SYS_getdents64, directory, buffer, size);
        if (got <= 0)
            break;
        for (long at = 0; at < got;) {
            unsigned short length;
            std::memcpy(&length, buffer + at + 16, 2);
            at += length;
            ++count;
        }
    }
    close(directory);
    return count;
}

} // namespace

void listings(tollgate::Ktap& ktap) {
    RETURNS(ktap, 0, call(SYS_mkdir, "list", 0777));
    RETURNS(ktap, 2, count_entries("list", 4096));
    for (int i = 0; i < 200; ++i) {
        char name[32];
        std::snprintf(name, sizeof name, "list/entry-%d", i);
        touch(name);
    }
    RETURNS(ktap, 202, count_entries("list", 4096));
    RETURNS(ktap, 202, count_entries("list", 48));
    ktap.test("getdents64 shows every entry once");

    DIR* const list = opendir("list");
    int seen = 0;
    while (const dirent* const entry = readdir(list)) {
        char name[300];
        std::snprintf(name, sizeof name, "list/%s", entry->d_name);
        if (entry->d_name[0] == 'e') {
            ++seen;
            ktap.check(entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN, "type %d", entry->d_type);
            unlink(name);
        }
    }
    RETURNS(ktap, 200, seen);
    rewinddir(list);
    seen = 0;
    while (readdir(list))
        ++seen;
    RETURNS(ktap, 2, seen);
    closedir(list);
    ktap.test("entries may go while a directory is read");

    const int directory = open("list", O_RDONLY);
    char buffer[512];
    RETURNS(ktap, -EINVAL, call(SYS_getdents64, directory, buffer, 8));
    RETURNS(ktap, -EFAULT, call(SYS_getdents64, directory, 1, sizeof buffer));
    RETURNS(ktap, -EBADF, call(SYS_getdents64, -1, buffer, sizeof buffer));
    const int file = open("file", O_RDONLY);
    RETURNS(ktap, -ENOTDIR, call(SYS_getdents64, file, buffer, sizeof buffer));
    RETURNS(ktap, -EISDIR, call(SYS_read, directory, buffer, sizeof buffer));
    RETURNS(ktap, 0, call(SYS_rmdir, "list"));
    RETURNS(ktap, -ENOENT, call(SYS_getdents64, directory, buffer, sizeof buffer));
    close(file);
    close(directory);
    ktap.test("getdents64: EINVAL, EFAULT, EBADF, ENOTDIR, ENOENT");
}

void specials(tollgate::Ktap& ktap) {
    RETURNS(ktap, 0, call(SYS_mknod, "plain", S_IFREG | 0666, 0));
    RETURNS(ktap, S_IFREG | 0644, status_of("plain").st_mode);
    RETURNS(ktap, 0, call(SYS_mknod, "fifo", S_IFIFO | 0600, 0));
    RETURNS(ktap, S_IFIFO | 0600, status_of("fifo").st_mode);
    RETURNS(ktap, 0, call(SYS_mknod, "sock", S_IFSOCK | 0600, 0));
    RETURNS(ktap, S_IFSOCK | 0600, status_of("sock").st_mode);
    RETURNS(ktap, -ENXIO, call(SYS_open, "sock", O_RDWR));
    RETURNS(ktap, -EEXIST, call(SYS_mknod, "plain", S_IFREG | 0666, 0));
    RETURNS(ktap, -EPERM, call(SYS_mknod, "x", S_IFDIR | 0666, 0));
    RETURNS(ktap, -EINVAL, call(SYS_mknod, "x", 0110000 | 0666, 0));
    ktap.test("mknod: files, pipes and sockets");
}

void permissions(tollgate::Ktap& ktap) {
    RETURNS(ktap, 0, call(SYS_chmod, "file", 04751));
    RETURNS(ktap, S_IFREG | 04751, status_of("file").st_mode);
    RETURNS(ktap, 0, call(SYS_chmod, "dir", 01777));
    RETURNS(ktap, S_IFDIR | 01777, status_of("dir").st_mode);
    RETURNS(ktap, -ENOENT, call(SYS_chmod, "none", 0));
    RETURNS(ktap, -EBADF, call(SYS_fchmod, -1, 0));
    const int file = open("file", O_RDONLY);
    RETURNS(ktap, 0, call(SYS_fchmod, file, 0644));
    RETURNS(ktap, S_IFREG | 0644, status_of("file").st_mode);
    close(file);
    ktap.test("chmod and fchmod");

    RETURNS(ktap, 022, call(SYS_umask, 077));
    touch("masked");
    RETURNS(ktap, S_IFREG | 0600, status_of("masked").st_mode);
    RETURNS(ktap, 077, call(SYS_umask, 022));
    ktap.test("umask");

    if (geteuid() != 0) {
        ktap.skip("chown", "needs root");
        return;
    }
    RETURNS(ktap, 0, call(SYS_chmod, "file", 06755));
    RETURNS(ktap, 0, call(SYS_chown, "file", 12, 34));
    RETURNS(ktap, 12, status_of("file").st_uid);
    RETURNS(ktap, 34, status_of("file").st_gid);
    RETURNS(ktap, S_IFREG | 0755, status_of("file").st_mode);
    RETURNS(ktap, 0, call(SYS_chown, "file", -1, 35));
    RETURNS(ktap, 12, status_of("file").st_uid);
    RETURNS(ktap, 0, call(SYS_lchown, "sym", 7, 7));
    RETURNS(ktap, 7, status_of("sym").st_uid);
    RETURNS(ktap, 0, call(SYS_chown, "file", 0, 0));
    ktap.test("chown");
}

} // namespace conform
