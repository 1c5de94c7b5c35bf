// Names: making, removing, moving and looking them up, against POSIX and the manual pages of Linux.
#include "userland/conform/scratch.h"

using namespace conform;

namespace {

constexpr const char* kDirectory = "dir";

void directories(tollgate::Ktap& ktap) {
    RETURNS(ktap, 0, call(SYS_mkdir, "dir", 0777));
    RETURNS(ktap, S_IFDIR | 0755, status_of("dir").st_mode);
    ktap.test("mkdir makes a directory under the mask");

    RETURNS(ktap, -EEXIST, call(SYS_mkdir, "dir", 0777));
    RETURNS(ktap, -EEXIST, call(SYS_mkdir, "dir/", 0777));
    RETURNS(ktap, -EEXIST, call(SYS_mkdir, ".", 0777));
    RETURNS(ktap, -EEXIST, call(SYS_mkdir, "/", 0777));
    touch("file", "text");
    RETURNS(ktap, -EEXIST, call(SYS_mkdir, "file", 0777));
    ktap.test("mkdir: EEXIST");

    RETURNS(ktap, -ENOENT, call(SYS_mkdir, "none/dir", 0777));
    RETURNS(ktap, -ENOENT, call(SYS_mkdir, "", 0777));
    RETURNS(ktap, -ENOTDIR, call(SYS_mkdir, "file/dir", 0777));
    ktap.test("mkdir: ENOENT and ENOTDIR");

    RETURNS(ktap, 0, call(SYS_mkdir, "slashed///", 0700));
    RETURNS(ktap, S_IFDIR | 0700, status_of("slashed").st_mode);
    RETURNS(ktap, 0, call(SYS_rmdir, "slashed/"));
    ktap.test("mkdir and rmdir take trailing slashes");

    const long above = static_cast<long>(status_of(".").st_nlink);
    RETURNS(ktap, 0, call(SYS_mkdir, "another", 0777));
    ktap.check(static_cast<long>(status_of(".").st_nlink) >= above, "links fell");
    RETURNS(ktap, 0, call(SYS_rmdir, "another"));
    RETURNS(ktap, above, static_cast<long>(status_of(".").st_nlink));
    ktap.test("a directory's links follow its sub-directories");

    RETURNS(ktap, -ENOENT, call(SYS_rmdir, "none"));
    RETURNS(ktap, -ENOTDIR, call(SYS_rmdir, "file"));
    RETURNS(ktap, -EINVAL, call(SYS_rmdir, "."));
    RETURNS(ktap, -EINVAL, call(SYS_rmdir, "dir/."));
    RETURNS(ktap, -ENOTEMPTY, call(SYS_rmdir, "dir/.."));
    RETURNS(ktap, 0, call(SYS_mkdir, "dir/below", 0777));
    RETURNS(ktap, -ENOTEMPTY, call(SYS_rmdir, "dir"));
    RETURNS(ktap, 0, call(SYS_rmdir, "dir/below"));
    RETURNS(ktap, -EBUSY, call(SYS_rmdir, "/"));
    ktap.test("rmdir: ENOENT, ENOTDIR, EINVAL, ENOTEMPTY, EBUSY");

    char name[300];
    std::memset(name, 'n', sizeof name);
    name[255] = '\0';
    RETURNS(ktap, 0, call(SYS_mkdir, name, 0777));
    RETURNS(ktap, 0, call(SYS_rmdir, name));
    name[255] = 'n';
    name[256] = '\0';
    RETURNS(ktap, -ENAMETOOLONG, call(SYS_mkdir, name, 0777));
    ktap.test("a name has at most 255 bytes");

    char path[4200];
    for (size_t i = 0; i < sizeof path; i += 2)
        std::memcpy(path + i, "./", 2);
    std::strcpy(path + 4090, "dir");
    RETURNS(ktap, -EEXIST, call(SYS_mkdir, path, 0777));
    std::memcpy(path + 4090, "./././", 6);
    std::strcpy(path + 4096, "dir");
    RETURNS(ktap, -ENAMETOOLONG, call(SYS_mkdir, path, 0777));
    ktap.test("a path has at most 4095 bytes");
}

void links(tollgate::Ktap& ktap) {
    touch("one", "text");
    RETURNS(ktap, 0, call(SYS_link, "one", "two"));
    RETURNS(ktap, 2, status_of("two").st_nlink);
    RETURNS(ktap, status_of("one").st_ino, status_of("two").st_ino);
    RETURNS(ktap, 0, call(SYS_unlink, "one"));
    RETURNS(ktap, 1, status_of("two").st_nlink);
    RETURNS(ktap, 4, status_of("two").st_size);
    ktap.test("link gives a file a second name, unlink takes one");

    RETURNS(ktap, -EEXIST, call(SYS_link, "two", "file"));
    RETURNS(ktap, -ENOENT, call(SYS_link, "none", "x"));
    RETURNS(ktap, -ENOENT, call(SYS_link, "two", "none/x"));
    RETURNS(ktap, -ENOTDIR, call(SYS_link, "two", "file/x"));
    RETURNS(ktap, -EPERM, call(SYS_link, kDirectory, "x"));
    RETURNS(ktap, -EINVAL, call(SYS_linkat, AT_FDCWD, "two", AT_FDCWD, "x", 0x100));
    ktap.test("link: EEXIST, ENOENT, ENOTDIR, EPERM, EINVAL");

    RETURNS(ktap, -ENOENT, call(SYS_unlink, "none"));
    RETURNS(ktap, -EISDIR, call(SYS_unlink, kDirectory));
    RETURNS(ktap, -ENOTDIR, call(SYS_unlink, "two/"));
    RETURNS(ktap, -ENOTDIR, call(SYS_unlink, "two/x"));
    RETURNS(ktap, -EISDIR, call(SYS_unlink, "."));
    RETURNS(ktap, -EISDIR, call(SYS_unlink, "/"));
    RETURNS(ktap, -EINVAL, call(SYS_unlinkat, AT_FDCWD, "two", 0x1000));
    RETURNS(ktap, -EBADF, call(SYS_unlinkat, -1, "two", 0));
    ktap.test("unlink: ENOENT, EISDIR, ENOTDIR, EINVAL, EBADF");

    RETURNS(ktap, 0, call(SYS_symlink, "two", "sym"));
    RETURNS(ktap, S_IFLNK | 0777, status_of("sym").st_mode);
    RETURNS(ktap, 3, status_of("sym").st_size);
    char text[16];
    std::memset(text, 35, sizeof text);
    RETURNS(ktap, 3, call(SYS_readlink, "sym", text, sizeof text));
    ktap.check(std::memcmp(text, "two#", 4) == 0, "readlink wrote %.4s", text);
    RETURNS(ktap, 2, call(SYS_readlink, "sym", text, 2));
    RETURNS(ktap, -EINVAL, call(SYS_readlink, "sym", text, 0));
    RETURNS(ktap, -EINVAL, call(SYS_readlink, "two", text, sizeof text));
    RETURNS(ktap, -ENOENT, call(SYS_readlink, "none", text, sizeof text));
    ktap.test("symlink and readlink");

    struct stat status {};
    RETURNS(ktap, 0, stat("sym", &status));
    ktap.check(S_ISREG(status.st_mode), "mode %o", status.st_mode);
    RETURNS(ktap, -EEXIST, call(SYS_symlink, "x", "sym"));
    RETURNS(ktap, -ENOENT, call(SYS_symlink, "", "empty"));
    RETURNS(ktap, -ENOENT, call(SYS_symlink, "x", "none/x"));
    RETURNS(ktap, -ENOENT, call(SYS_symlink, "x", "slash/"));
    ktap.test("stat follows a link; symlink: EEXIST, ENOENT");

    RETURNS(ktap, 0, call(SYS_symlink, "loop-b", "loop-a"));
    RETURNS(ktap, 0, call(SYS_symlink, "loop-a", "loop-b"));
    RETURNS(ktap, -ELOOP, call(SYS_open, "loop-a", O_RDONLY));
    RETURNS(ktap, -ELOOP, call(SYS_open, "sym", O_RDONLY | O_NOFOLLOW));
    RETURNS(ktap, -ELOOP, call(SYS_mkdir, "loop-a/x", 0777));
    ktap.test("ELOOP");

    char from[16], to[16];
    std::strcpy(from, "two");
    for (int i = 0; i < 41; ++i) {
        std::snprintf(to, sizeof to, "chain%d", i);
        RETURNS(ktap, 0, call(SYS_symlink, from, to));
        std::strcpy(from, to);
    }
    RETURNS(ktap, 0, call(SYS_access, "chain39", F_OK));
    RETURNS(ktap, -ELOOP, call(SYS_access, "chain40", F_OK));
    ktap.test("40 links are followed, 41 are not");

    RETURNS(ktap, 0, call(SYS_symlink, "dir/../dir/./", "todir"));
    touch("dir/inside");
    RETURNS(ktap, 0, call(SYS_access, "todir/inside", F_OK));
    RETURNS(ktap, 0, call(SYS_access, "todir/../dir//inside", F_OK));
    RETURNS(ktap, S_IFDIR, status_of("todir/").st_mode & S_IFMT);
    RETURNS(ktap, S_IFLNK, status_of("todir").st_mode & S_IFMT);
    RETURNS(ktap, -ENOTDIR, call(SYS_unlink, "todir/"));
    RETURNS(ktap, -ENOTDIR, call(SYS_rmdir, "todir"));
    RETURNS(ktap, -ENOTDIR, call(SYS_rmdir, "todir/"));
    RETURNS(ktap, 0, call(SYS_unlink, "todir"));
    RETURNS(ktap, 0, call(SYS_unlink, "dir/inside"));
    ktap.test("a link to a directory, with slashes behind it");

    RETURNS(ktap, 0, call(SYS_symlink, "gone", "dangling"));
    RETURNS(ktap, -ENOENT, call(SYS_open, "dangling", O_RDONLY));
    RETURNS(ktap, -EEXIST, call(SYS_open, "dangling", O_CREAT | O_EXCL | O_WRONLY, 0644));
    RETURNS(ktap, -EEXIST, call(SYS_mkdir, "dangling", 0777));
    const int file = open("dangling", O_CREAT | O_WRONLY, 0600);
    ktap.check(file >= 0, "open: %d", errno);
    close(file);
    ktap.check(exists("gone"), "the link's target was not made");
    ktap.test("creating through a dangling link");

    RETURNS(ktap, 0, call(SYS_link, "sym", "sym2"));
    RETURNS(ktap, S_IFLNK, status_of("sym2").st_mode & S_IFMT);
    RETURNS(ktap, 0, call(SYS_linkat, AT_FDCWD, "sym", AT_FDCWD, "hard", AT_SYMLINK_FOLLOW));
    RETURNS(ktap, S_IFREG, status_of("hard").st_mode & S_IFMT);
    ktap.test("link does not follow, unless told to");
}

void renames(tollgate::Ktap& ktap) {
    touch("r1", "1");
    touch("r2", "22");
    RETURNS(ktap, 0, call(SYS_rename, "r1", "r3"));
    ktap.check(!exists("r1") && exists("r3"), "names are wrong");
    RETURNS(ktap, 0, call(SYS_rename, "r3", "r2"));
    RETURNS(ktap, 1, status_of("r2").st_size);
    ktap.test("rename moves a name and replaces another");

    RETURNS(ktap, 0, call(SYS_link, "r2", "r4"));
    RETURNS(ktap, 0, call(SYS_rename, "r2", "r4"));
    ktap.check(exists("r2") && exists("r4"), "a name is gone");
    ktap.test("rename between two names of one file does nothing");

    RETURNS(ktap, 0, call(SYS_mkdir, "d1", 0777));
    RETURNS(ktap, 0, call(SYS_mkdir, "d2", 0777));
    RETURNS(ktap, 0, call(SYS_mkdir, "d1/sub", 0777));
    RETURNS(ktap, -EINVAL, call(SYS_rename, "d1", "d1/sub/x"));
    RETURNS(ktap, -EINVAL, call(SYS_rename, "d1", "d1/x"));
    RETURNS(ktap, -ENOTEMPTY, call(SYS_rename, "d2", "d1"));
    RETURNS(ktap, -ENOTEMPTY, call(SYS_rename, "d1/sub", "d1"));
    RETURNS(ktap, -ENOTDIR, call(SYS_rename, "d1", "r2"));
    RETURNS(ktap, -EISDIR, call(SYS_rename, "r2", "d2"));
    RETURNS(ktap, -ENOENT, call(SYS_rename, "none", "x"));
    RETURNS(ktap, -ENOTDIR, call(SYS_rename, "r2", "x/"));
    RETURNS(ktap, -ENOTDIR, call(SYS_rename, "r2/", "x"));
    ktap.test("rename: EINVAL, ENOTEMPTY, ENOTDIR, EISDIR, ENOENT");

    RETURNS(ktap, -EBUSY, call(SYS_rename, ".", "x"));
    RETURNS(ktap, -EBUSY, call(SYS_rename, "d1/..", "x"));
    RETURNS(ktap, -EBUSY, call(SYS_rename, "/", "x"));
    RETURNS(ktap, -EBUSY, call(SYS_rename, "d2", "."));
    ktap.test("rename: EBUSY");

    RETURNS(ktap, 0, call(SYS_rename, "d1", "d2/"));
    ktap.check(exists("d2/sub") && !exists("d1"), "the directory did not move");
    RETURNS(ktap, 0, call(SYS_mkdir, "d3", 0777));
    RETURNS(ktap, 0, call(SYS_rename, "d2/sub", "d3/moved"));
    struct stat above {
    }, place{};
    RETURNS(ktap, 0, stat("d3/moved/..", &above));
    RETURNS(ktap, 0, stat("d3", &place));
    RETURNS(ktap, place.st_ino, above.st_ino);
    ktap.test("a moved directory has a new parent");

    RETURNS(ktap, -EEXIST, call(SYS_renameat2, AT_FDCWD, "r2", AT_FDCWD, "d3", 1));
    RETURNS(ktap, 0, call(SYS_renameat2, AT_FDCWD, "r2", AT_FDCWD, "r5", 1));
    RETURNS(ktap, -EINVAL, call(SYS_renameat2, AT_FDCWD, "r5", AT_FDCWD, "r6", 3));
    RETURNS(ktap, -EINVAL, call(SYS_renameat2, AT_FDCWD, "r5", AT_FDCWD, "r6", 0x100));
    ktap.test("renameat2: RENAME_NOREPLACE and EINVAL");

    const long swapped = call(SYS_renameat2, AT_FDCWD, "r5", AT_FDCWD, "d3", 2);
    if (swapped == -EINVAL) {
        ktap.skip("renameat2: RENAME_EXCHANGE", "this file system has none");
    } else {
        RETURNS(ktap, 0, swapped);
        RETURNS(ktap, S_IFREG, status_of("d3").st_mode & S_IFMT);
        ktap.check(exists("r5/moved"), "the directory is not under its new name");
        RETURNS(ktap, -ENOENT, call(SYS_renameat2, AT_FDCWD, "r5", AT_FDCWD, "none", 2));
        ktap.test("renameat2: RENAME_EXCHANGE");
    }
}

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

} // namespace

int main() {
    tollgate::Ktap ktap(41);
    Scratch scratch;
    directories(ktap);
    links(ktap);
    renames(ktap);
    lookups(ktap);
    listings(ktap);
    specials(ktap);
    permissions(ktap);
    return ktap.finish();
}
