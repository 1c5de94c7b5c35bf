// Calls on files that seldom have a user: the older and the odd ones, each for success and for the errors that can be
// provoked.
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <initializer_list>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace {

template <class... A>
long call(long number, A... arguments) {
    const long result = syscall(number, arguments...);
    return result == -1 ? -errno : result;
}

tollgate::Ktap ktap(9);

void gives(long wanted, long result, const char* what) {
    ktap.check(result == wanted, "%s: %ld, not %ld", what, result, wanted);
}

auto* const kBad = reinterpret_cast<void*>(0xffff800000000000);
constexpr const char* kFolder = "/tmp/conform-leftovers";
int file = -1;
int ends[2] = {-1, -1};

void owners() {
    struct stat before {
    }, after{};
    fstat(file, &before);
    gives(0, call(SYS_fchown, file, -1, -1), "fchown that changes nothing");
    gives(0, call(SYS_fchownat, AT_FDCWD, "file", before.st_uid, before.st_gid, 0), "fchownat to the same");
    gives(0, call(SYS_fchownat, file, "", -1, -1, AT_EMPTY_PATH), "fchownat of a descriptor");
    fstat(file, &after);
    ktap.check(before.st_uid == after.st_uid && before.st_gid == after.st_gid, "the owner changed");
    gives(-EBADF, call(SYS_fchown, -1, -1, -1), "fchown of no descriptor");
    gives(-EINVAL, call(SYS_fchownat, AT_FDCWD, "file", -1, -1, 0x4000), "fchownat with an unknown flag");
    gives(-ENOENT, call(SYS_fchownat, AT_FDCWD, "missing", -1, -1, 0), "fchownat of nothing");
    gives(-ENOENT, call(SYS_fchownat, AT_FDCWD, "", -1, -1, 0), "fchownat of an empty path");
    gives(-EFAULT, call(SYS_fchownat, AT_FDCWD, kBad, -1, -1, 0), "fchownat of a path in the kernel");
    ktap.test("fchown and fchownat");
}

void modes() {
    struct stat status {};
    gives(0, call(SYS_fchmodat, AT_FDCWD, "file", 0640), "fchmodat");
    fstat(file, &status);
    gives(0640, status.st_mode & 07777, "the mode");
    gives(-ENOENT, call(SYS_fchmodat, AT_FDCWD, "missing", 0640), "fchmodat of nothing");
    gives(-EBADF, call(SYS_fchmodat, -1, "file", 0640), "fchmodat beside no descriptor");
    gives(-ENOTDIR, call(SYS_fchmodat, file, "file", 0640), "fchmodat beside a file");
    gives(-EFAULT, call(SYS_fchmodat, AT_FDCWD, kBad, 0640), "fchmodat of a path in the kernel");
    ktap.test("fchmodat");
}

void times() {
    struct stat status {};
    const long past[2] = {1000, 2000}; // struct utimbuf
    gives(0, call(SYS_utime, "file", past), "utime");
    fstat(file, &status);
    ktap.check(status.st_atime == 1000 && status.st_mtime == 2000, "utime set %lld and %lld",
               static_cast<long long>(status.st_atime), static_cast<long long>(status.st_mtime));
    gives(0, call(SYS_utime, "file", nullptr), "utime to now");
    fstat(file, &status);
    ktap.check(status.st_mtime > 2000, "utime to now set %lld", static_cast<long long>(status.st_mtime));
    const timeval then[2] = {{3000, 5}, {4000, 7}};
    gives(0, call(SYS_futimesat, AT_FDCWD, "file", then), "futimesat");
    fstat(file, &status);
    ktap.check(status.st_mtim.tv_sec == 4000 && status.st_mtim.tv_nsec == 7000, "futimesat set %lld.%09ld",
               static_cast<long long>(status.st_mtim.tv_sec), status.st_mtim.tv_nsec);
    const timeval wrong[2] = {{1, 1'000'000}, {1, 0}};
    gives(-EINVAL, call(SYS_futimesat, AT_FDCWD, "file", wrong), "too many microseconds");
    gives(-ENOENT, call(SYS_utime, "missing", past), "utime of nothing");
    gives(-EFAULT, call(SYS_utime, "file", kBad), "utime from the kernel");
    gives(-EFAULT, call(SYS_futimesat, AT_FDCWD, "file", kBad), "futimesat from the kernel");
    ktap.test("utime and futimesat");
}

void nodes() {
    struct stat status {};
    gives(0, call(SYS_mknodat, AT_FDCWD, "fifo", S_IFIFO | 0600, 0), "mknodat of a pipe with a name");
    lstat("fifo", &status);
    ktap.check(S_ISFIFO(status.st_mode), "its mode is %o", status.st_mode);
    gives(0, call(SYS_mknodat, AT_FDCWD, "plain", S_IFREG | 0600, 0), "mknodat of a file");
    gives(-EEXIST, call(SYS_mknodat, AT_FDCWD, "plain", S_IFREG | 0600, 0), "mknodat of what is there");
    gives(-ENOENT, call(SYS_mknodat, AT_FDCWD, "missing/plain", S_IFREG | 0600, 0), "mknodat in no folder");
    gives(-EBADF, call(SYS_mknodat, -1, "other", S_IFREG | 0600, 0), "mknodat beside no descriptor");
    gives(-EFAULT, call(SYS_mknodat, AT_FDCWD, kBad, S_IFREG | 0600, 0), "mknodat of a path in the kernel");
    ktap.test("mknodat");
}

void links() {
    char text[20] = "????????????";
    ktap.check(symlink("target", "link") == 0, "symlink failed");
    gives(6, call(SYS_readlinkat, AT_FDCWD, "link", text, sizeof text), "readlinkat");
    ktap.check(std::memcmp(text, "target?", 7) == 0, "it read %.12s", text);
    gives(3, call(SYS_readlinkat, AT_FDCWD, "link", text, 3), "readlinkat into too little");
    gives(-EINVAL, call(SYS_readlinkat, AT_FDCWD, "link", text, 0), "readlinkat into nothing");
    gives(-EINVAL, call(SYS_readlinkat, AT_FDCWD, "file", text, sizeof text), "readlinkat of a file");
    gives(-ENOENT, call(SYS_readlinkat, AT_FDCWD, "missing", text, sizeof text), "readlinkat of nothing");
    gives(-EBADF, call(SYS_readlinkat, -1, "link", text, sizeof text), "readlinkat beside no descriptor");
    gives(-EFAULT, call(SYS_readlinkat, AT_FDCWD, "link", kBad, 20), "readlinkat into the kernel");
    gives(-EFAULT, call(SYS_readlinkat, AT_FDCWD, kBad, text, sizeof text), "readlinkat of a path in the kernel");
    ktap.test("readlinkat");
}

void attributes() {
    // Linux' file systems differ: without extended attributes it is ENOTSUP, with them ENODATA for one that was never
    // set.
    char text[16];
    for (const long result :
         {call(SYS_getxattr, "file", "user.none", text, sizeof text),
          call(SYS_lgetxattr, "file", "user.none", text, sizeof text),
          call(SYS_fgetxattr, file, "user.none", text, sizeof text), call(SYS_removexattr, "file", "user.none"),
          call(SYS_lremovexattr, "file", "user.none"), call(SYS_fremovexattr, file, "user.none")})
        ktap.check(result == -ENODATA || result == -ENOTSUP, "an attribute that is not there: %ld", result);
    for (const long result :
         {call(SYS_setxattr, "file", "user.new", "v", 1, 0), call(SYS_lsetxattr, "file", "user.new", "v", 1, 0),
          call(SYS_fsetxattr, file, "user.new", "v", 1, 0)})
        ktap.check(result == 0 || result == -ENOTSUP, "setting an attribute: %ld", result);
    for (const long result :
         {call(SYS_listxattr, "file", text, sizeof text), call(SYS_llistxattr, "file", text, sizeof text),
          call(SYS_flistxattr, file, text, sizeof text)})
        ktap.check(result >= 0 || result == -ENOTSUP, "listing attributes: %ld", result);
    ktap.test("extended attributes: kept or refused");
}

void vectors() {
    char first[] = "one", second[] = "three";
    const iovec parts[] = {{first, 3}, {second, 5}};
    gives(8, call(SYS_pwritev2, file, parts, 2, 0L, 0L, 0), "pwritev2");
    char text[16] = {};
    gives(8, call(SYS_pread64, file, text, sizeof text, 0), "reading it back");
    ktap.check(std::strcmp(text, "onethree") == 0, "it read %s", text);
    gives(-EOPNOTSUPP, call(SYS_pwritev2, file, parts, 2, 0L, 0L, 0x40000000), "pwritev2 with an unknown flag");
    gives(-EBADF, call(SYS_pwritev2, -1, parts, 2, 0L, 0L, 0), "pwritev2 to no descriptor");
    gives(-ESPIPE, call(SYS_pwritev2, ends[1], parts, 2, 0L, 0L, 0), "pwritev2 at a place in a pipe");
    gives(-EFAULT, call(SYS_pwritev2, file, kBad, 2, 0L, 0L, 0), "pwritev2 of vectors in the kernel");
    ktap.test("pwritev2");
}

void ranges() {
    gives(0, call(SYS_sync_file_range, file, 0L, 0L, 0), "sync_file_range of all");
    gives(0, call(SYS_sync_file_range, file, 0L, 4096L, 7), "sync_file_range with every flag");
    gives(-EINVAL, call(SYS_sync_file_range, file, 0L, 0L, 8), "with an unknown flag");
    gives(-EINVAL, call(SYS_sync_file_range, file, -1L, 0L, 0), "from before the beginning");
    gives(-EBADF, call(SYS_sync_file_range, -1, 0L, 0L, 0), "of no descriptor");
    gives(-ESPIPE, call(SYS_sync_file_range, ends[0], 0L, 0L, 0), "of a pipe");
    ktap.test("sync_file_range");
}

void splices() {
    char byte = 0;
    const iovec one{&byte, 1};
    gives(-EBADF, call(SYS_splice, -1, nullptr, ends[1], nullptr, 1, 0), "splice from no descriptor");
    gives(-EINVAL, call(SYS_splice, file, nullptr, file, nullptr, 1, 0), "splice without a pipe");
    gives(-EBADF, call(SYS_tee, -1, ends[1], 1, 0), "tee from no descriptor");
    gives(-EINVAL, call(SYS_tee, file, file, 1, 0), "tee without a pipe");
    gives(-EBADF, call(SYS_vmsplice, -1, &one, 1, 0), "vmsplice to no descriptor");
    ktap.check(call(SYS_pivot_root, "/nowhere", "/nowhere") < 0, "pivot_root to nowhere succeeded");
    ktap.test("splice, tee, vmsplice and pivot_root refuse");
}

void clear() {
    for (const char* name : {"file", "fifo", "plain", "link"})
        unlink(name);
}

} // namespace

int main() {
    mkdir(kFolder, 0700);
    if (chdir(kFolder) != 0)
        return 2;
    clear();
    file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || pipe(ends) != 0)
        return 2;
    owners();
    modes();
    times();
    nodes();
    links();
    attributes();
    vectors();
    ranges();
    splices();
    clear();
    rmdir(kFolder);
    return ktap.finish();
}
