// Making, linking and moving names.

#include "userland/conform/names_tests.h"

namespace conform {

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

} // namespace conform
