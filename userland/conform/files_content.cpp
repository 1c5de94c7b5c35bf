// Opening, reading, writing, seeking and mapping files.
#include <initializer_list>
#include <sys/mman.h>
#include <sys/uio.h>

#include "userland/conform/files_tests.h"

namespace conform {

void opening(tollgate::Ktap& ktap) {
    RETURNS(ktap, -ENOENT, call(SYS_open, "none", O_RDONLY));
    int file = static_cast<int>(call(SYS_open, "new", O_CREAT | O_RDWR | O_EXCL, 0666));
    ktap.check(file >= 0, "open: %d", file);
    RETURNS(ktap, S_IFREG | 0644, status_of("new").st_mode);
    RETURNS(ktap, -EEXIST, call(SYS_open, "new", O_CREAT | O_RDWR | O_EXCL, 0666));
    close(file);
    ktap.test("O_CREAT makes a file under the mask, O_EXCL only a new one");

    file = static_cast<int>(call(SYS_creat, "created", 0640));
    RETURNS(ktap, O_WRONLY, fcntl(file, F_GETFL) & O_ACCMODE);
    RETURNS(ktap, 2, write(file, "xy", 2));
    close(file);
    close(static_cast<int>(call(SYS_creat, "created", 0)));
    RETURNS(ktap, 0, status_of("created").st_size);
    RETURNS(ktap, S_IFREG | 0640, status_of("created").st_mode);
    ktap.test("creat makes or empties");

    file = open("new", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOATIME);
    RETURNS(ktap, FD_CLOEXEC, fcntl(file, F_GETFD));
    RETURNS(ktap, O_RDONLY | O_NONBLOCK | O_NOATIME, fcntl(file, F_GETFL) & ~0100000);
    close(file);
    ktap.test("open's flags are kept, but those that only open");

    file = static_cast<int>(call(SYS_open, "unreadable", O_CREAT | O_RDWR, 0));
    ktap.check(file >= 0, "open: %d", file);
    RETURNS(ktap, 1, call(SYS_write, file, "x", 1));
    close(file);
    ktap.test("who creates a file may write to it, whatever its mode");

    mkdir("dir", 0755);
    RETURNS(ktap, -EISDIR, call(SYS_open, "dir", O_RDWR));
    RETURNS(ktap, -EISDIR, call(SYS_open, "dir", O_WRONLY));
    RETURNS(ktap, -EISDIR, call(SYS_open, "dir", O_RDONLY | O_CREAT, 0644));
    RETURNS(ktap, -EISDIR, call(SYS_open, "made/", O_RDWR | O_CREAT, 0644));
    RETURNS(ktap, -ENOTDIR, call(SYS_open, "new", O_RDONLY | O_DIRECTORY));
    RETURNS(ktap, -ENOTDIR, call(SYS_open, "new/", O_RDONLY));
    ktap.test("open: EISDIR and ENOTDIR");

    touch("full", "0123456789");
    file = open("full", O_RDONLY);
    RETURNS(ktap, -EBADF, call(SYS_write, file, "x", 1));
    RETURNS(ktap, -EINVAL, call(SYS_ftruncate, file, 0));
    close(file);
    file = open("full", O_WRONLY);
    char byte;
    RETURNS(ktap, -EBADF, call(SYS_read, file, &byte, 1));
    close(file);
    ktap.test("the access mode is kept: EBADF");

    file = open("full", O_WRONLY | O_TRUNC);
    RETURNS(ktap, 0, status_of("full").st_size);
    close(file);
    ktap.test("O_TRUNC");

    const int first = open("log", O_CREAT | O_WRONLY | O_APPEND, 0644), second = open("log", O_WRONLY | O_APPEND);
    RETURNS(ktap, 3, write(first, "one", 3));
    RETURNS(ktap, 3, write(second, "two", 3));
    RETURNS(ktap, 0, lseek(first, 0, SEEK_SET));
    RETURNS(ktap, 5, write(first, "three", 5));
    RETURNS(ktap, 11, lseek(first, 0, SEEK_CUR));
    RETURNS(ktap, 11, status_of("log").st_size);
    RETURNS(ktap, 1, pwrite(first, "x", 1, 0)); // Linux appends here as well [man 2 pwrite, BUGS]
    RETURNS(ktap, 12, status_of("log").st_size);
    close(first);
    close(second);
    ktap.test("O_APPEND writes at the end");

    file = open(".", O_TMPFILE | O_RDWR, 0600);
    ktap.check(file >= 0, "O_TMPFILE: %d", errno);
    struct stat status {};
    RETURNS(ktap, 0, fstat(file, &status));
    RETURNS(ktap, 0, status.st_nlink);
    RETURNS(ktap, 4, write(file, "temp", 4));
    RETURNS(ktap, 0, call(SYS_linkat, file, "", AT_FDCWD, "kept", AT_EMPTY_PATH));
    RETURNS(ktap, 4, status_of("kept").st_size);
    RETURNS(ktap, -EINVAL, call(SYS_open, ".", O_TMPFILE | O_RDONLY, 0600));
    close(file);
    ktap.test("O_TMPFILE, and a name for it later");

    file = open("kept", O_PATH);
    RETURNS(ktap, -EBADF, call(SYS_read, file, &byte, 1));
    RETURNS(ktap, -EBADF, call(SYS_write, file, "x", 1));
    RETURNS(ktap, -EBADF, call(SYS_fchmod, file, 0));
    RETURNS(ktap, -EBADF, call(SYS_lseek, file, 0, SEEK_SET));
    RETURNS(ktap, 0, fstat(file, &status));
    RETURNS(ktap, 4, status.st_size);
    close(file);
    symlink("kept", "sym");
    file = open("sym", O_PATH | O_NOFOLLOW);
    RETURNS(ktap, 0, fstat(file, &status));
    ktap.check(S_ISLNK(status.st_mode), "mode %o", status.st_mode);
    close(file);
    ktap.test("O_PATH gives a place, not the content");

    struct {
        unsigned long flags, mode, resolve;
    } how{O_RDONLY, 0, 0};
    file = static_cast<int>(call(SYS_openat2, AT_FDCWD, "kept", &how, sizeof how));
    ktap.check(file >= 0, "openat2: %d", file);
    close(file);
    how.resolve = 4; // RESOLVE_NO_SYMLINKS
    RETURNS(ktap, -ELOOP, call(SYS_openat2, AT_FDCWD, "sym", &how, sizeof how));
    how.resolve = 8; // RESOLVE_BENEATH
    RETURNS(ktap, -EXDEV, call(SYS_openat2, AT_FDCWD, "/", &how, sizeof how));
    RETURNS(ktap, -EXDEV, call(SYS_openat2, AT_FDCWD, "..", &how, sizeof how));
    RETURNS(ktap, -EINVAL, call(SYS_openat2, AT_FDCWD, "kept", &how, 8));
    how.resolve = 0;
    how.mode = 0644;
    RETURNS(ktap, -EINVAL, call(SYS_openat2, AT_FDCWD, "kept", &how, sizeof how));
    RETURNS(ktap, -EFAULT, call(SYS_openat2, AT_FDCWD, "kept", 1, sizeof how));
    ktap.test("openat2: RESOLVE_*, EINVAL, EFAULT");
}

void content(tollgate::Ktap& ktap) {
    const int file = make("content", "hello, world");
    char text[64] = {};
    RETURNS(ktap, 0, lseek(file, 0, SEEK_SET));
    RETURNS(ktap, 5, read(file, text, 5));
    RETURNS(ktap, 7, read(file, text + 5, sizeof text - 5));
    RETURNS(ktap, 0, read(file, text, 1));
    ktap.check(std::strcmp(text, "hello, world") == 0, "read %s", text);
    ktap.test("read moves on and ends at the end");

    RETURNS(ktap, 5, pread(file, text, 5, 7));
    ktap.check(std::memcmp(text, "world", 5) == 0, "pread %.5s", text);
    RETURNS(ktap, 12, lseek(file, 0, SEEK_CUR));
    RETURNS(ktap, 5, pwrite(file, "WORLD", 5, 7));
    RETURNS(ktap, 12, lseek(file, 0, SEEK_CUR));
    RETURNS(ktap, -EINVAL, call(SYS_pread64, file, text, 1, -1L));
    RETURNS(ktap, -EINVAL, call(SYS_pwrite64, file, text, 1, -1L));
    RETURNS(ktap, 0, pread(file, text, 5, 100));
    ktap.test("pread and pwrite leave the position");

    iovec parts[3] = {{text, 2}, {text + 10, 0}, {text + 20, 3}};
    RETURNS(ktap, 0, lseek(file, 0, SEEK_SET));
    RETURNS(ktap, 5, readv(file, parts, 3));
    ktap.check(std::memcmp(text, "he", 2) == 0 && std::memcmp(text + 20, "llo", 3) == 0, "readv mixed up");
    RETURNS(ktap, 5, preadv(file, parts, 3, 7));
    ktap.check(std::memcmp(text, "WO", 2) == 0 && std::memcmp(text + 20, "RLD", 3) == 0, "preadv mixed up");
    RETURNS(ktap, 5, pwritev(file, parts, 3, 0));
    RETURNS(ktap, 5, call(SYS_preadv2, file, parts, 3, -1L, 0, 0));
    RETURNS(ktap, 10, lseek(file, 0, SEEK_CUR));
    RETURNS(ktap, -EOPNOTSUPP, call(SYS_preadv2, file, parts, 3, 0L, 0, 0x40000000));
    ktap.test("readv, preadv, pwritev, preadv2");

    RETURNS(ktap, -EINVAL, call(SYS_readv, file, parts, 1025));
    RETURNS(ktap, -EINVAL, call(SYS_readv, file, parts, -1));
    RETURNS(ktap, 0, call(SYS_readv, file, parts, 0));
    parts[1].iov_len = static_cast<size_t>(-1);
    RETURNS(ktap, -EINVAL, call(SYS_writev, file, parts, 3));
    parts[1] = {reinterpret_cast<void*>(0xffff800000000000), 1};
    RETURNS(ktap, -EFAULT, call(SYS_writev, file, parts + 1, 1));
    for (const unsigned long bad : kBadPointers)
        RETURNS(ktap, -EFAULT, call(SYS_writev, file, bad, 1));
    RETURNS(ktap, 12, status_of("content").st_size);
    ktap.test("vectors: EINVAL and EFAULT, and nothing moved");

    for (const unsigned long bad : kBadPointers) {
        lseek(file, 0, SEEK_SET);
        RETURNS(ktap, -EFAULT, call(SYS_read, file, bad, 4));
        RETURNS(ktap, -EFAULT, call(SYS_write, file, bad, 4));
        RETURNS(ktap, -EFAULT, call(SYS_pread64, file, bad, 4, 0L));
        RETURNS(ktap, 0, lseek(file, 0, SEEK_CUR));
    }
    RETURNS(ktap, -EFAULT, call(SYS_read, file, text, 0x7fffffffffffffff));
    ktap.test("P1, P2: bad buffers are EFAULT, and the position stays");

    const int reader = open("content", O_RDONLY);
    for (const int bad : {-1, 0x7fffffff, 1000, AT_FDCWD}) {
        RETURNS(ktap, -EBADF, call(SYS_read, bad, text, 1));
        RETURNS(ktap, -EBADF, call(SYS_write, bad, text, 1));
        RETURNS(ktap, -EBADF, call(SYS_readv, bad, parts, 1));
        RETURNS(ktap, -EBADF, call(SYS_writev, bad, parts, 1));
        RETURNS(ktap, -EBADF, call(SYS_pread64, bad, text, 1, 0L));
        RETURNS(ktap, -EBADF, call(SYS_pwrite64, bad, text, 1, 0L));
    }
    ktap.test("P8: reading and writing what is not open: EBADF");
    for (const int bad : {-1, 0x7fffffff, 1000, AT_FDCWD}) {
        RETURNS(ktap, -EBADF, call(SYS_fstat, bad, text));
        RETURNS(ktap, -EBADF, call(SYS_lseek, bad, 0, 0));
        RETURNS(ktap, -EBADF, call(SYS_ftruncate, bad, 0));
        RETURNS(ktap, -EBADF, call(SYS_close, bad));
        RETURNS(ktap, -EBADF, call(SYS_fsync, bad));
        RETURNS(ktap, -EBADF, call(SYS_fallocate, bad, 0, 0, 1));
    }
    ktap.test("P8: asking about what is not open: EBADF");

    // The page behind is missing: what fits is moved, as far as whole pages go, or the call fails.
    auto* const pages =
        static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    munmap(pages + 4096, 4096);
    RETURNS(ktap, 10, call(SYS_pread64, reader, pages + 4086, 10, 0L));
    RETURNS(ktap, -EFAULT, call(SYS_open, std::memset(pages + 4000, 'x', 96), O_RDONLY));
    mprotect(pages, 4096, PROT_READ);
    RETURNS(ktap, -EFAULT, call(SYS_pread64, reader, pages, 10, 0L));
    munmap(pages, 4096);
    RETURNS(ktap, -EFAULT, call(SYS_pread64, reader, reinterpret_cast<long>(&opening), 10, 0L));
    close(reader);
    close(file);
    ktap.test("P3, P5: strings without an end, read-only buffers");
}

void seeking(tollgate::Ktap& ktap) {
    const int file = make("sparse", "begin");
    RETURNS(ktap, 1 << 20, lseek(file, 1 << 20, SEEK_SET));
    RETURNS(ktap, 3, write(file, "end", 3));
    RETURNS(ktap, (1 << 20) + 3, lseek(file, 0, SEEK_END));
    char zeros[64];
    std::memset(zeros, 1, sizeof zeros);
    RETURNS(ktap, 64, pread(file, zeros, sizeof zeros, 5000));
    for (const char zero : zeros)
        ktap.check(zero == 0, "a hole holds %d", zero);
    ktap.check(status_of("sparse").st_blocks < 1024, "%ld blocks", static_cast<long>(status_of("sparse").st_blocks));
    ktap.test("a hole reads as zeros and takes no room");

    RETURNS(ktap, -EINVAL, call(SYS_lseek, file, -1L, SEEK_SET));
    RETURNS(ktap, -EINVAL, call(SYS_lseek, file, 0L, 9));
    RETURNS(ktap, (1 << 20) + 3, lseek(file, 0, SEEK_CUR));
    RETURNS(ktap, 100, lseek(file, 100 - (1 << 20) - 3, SEEK_CUR));
    ktap.test("lseek: EINVAL, and the position stays");

    RETURNS(ktap, 0, lseek(file, 0, SEEK_DATA));
    RETURNS(ktap, -ENXIO, call(SYS_lseek, file, 1L << 21, SEEK_DATA));
    RETURNS(ktap, -ENXIO, call(SYS_lseek, file, 1L << 21, SEEK_HOLE));
    const long hole = call(SYS_lseek, file, 0, SEEK_HOLE), data = call(SYS_lseek, file, 100000, SEEK_DATA);
    ktap.check(hole >= 5 && hole <= (1 << 20) + 3, "hole at %ld", hole);
    ktap.check(data >= 100000 && data <= 1 << 20, "data at %ld", data);
    ktap.test("SEEK_DATA and SEEK_HOLE");

    int ends[2];
    RETURNS(ktap, 0, pipe(ends));
    RETURNS(ktap, -ESPIPE, call(SYS_lseek, ends[0], 0L, SEEK_CUR));
    RETURNS(ktap, -ESPIPE, call(SYS_pread64, ends[0], zeros, 1, 0L));
    RETURNS(ktap, -ESPIPE, call(SYS_pwrite64, ends[1], zeros, 1, 0L));
    RETURNS(ktap, -EINVAL, call(SYS_ftruncate, ends[1], 0L));
    close(ends[0]);
    close(ends[1]);
    ktap.test("a pipe has no position: ESPIPE");

    RETURNS(ktap, 0, ftruncate(file, 3));
    RETURNS(ktap, 3, status_of("sparse").st_size);
    RETURNS(ktap, 0, ftruncate(file, 10));
    RETURNS(ktap, 10, pread(file, zeros, 64, 0));
    ktap.check(std::memcmp(zeros, "beg\0\0\0\0\0\0", 10) == 0, "old bytes came back");
    RETURNS(ktap, -EINVAL, call(SYS_ftruncate, file, -1L));
    RETURNS(ktap, 0, truncate("sparse", 100000));
    RETURNS(ktap, 100000, status_of("sparse").st_size);
    RETURNS(ktap, -EISDIR, call(SYS_truncate, "dir", 0L));
    RETURNS(ktap, -ENOENT, call(SYS_truncate, "none", 0L));
    RETURNS(ktap, -EINVAL, call(SYS_truncate, "sparse", -1L));
    ktap.test("truncation cuts, and grows with zeros");

    RETURNS(ktap, 0, call(SYS_fallocate, file, 0, 0L, 200000L));
    RETURNS(ktap, 200000, status_of("sparse").st_size);
    RETURNS(ktap, 0, call(SYS_fallocate, file, 1, 300000L, 10L));
    RETURNS(ktap, 200000, status_of("sparse").st_size);
    RETURNS(ktap, 1, pwrite(file, "x", 1, 5000));
    RETURNS(ktap, 0, call(SYS_fallocate, file, 3, 4096L, 4096L));
    RETURNS(ktap, 1, pread(file, zeros, 1, 5000));
    RETURNS(ktap, 0, zeros[0]);
    RETURNS(ktap, -EINVAL, call(SYS_fallocate, file, 0, 0L, 0L));
    RETURNS(ktap, -EINVAL, call(SYS_fallocate, file, 0, -1L, 1L));
    ktap.test("fallocate: room, size, holes");
    close(file);
}

void mapping(tollgate::Ktap& ktap) {
    const int file = make("mapped");
    RETURNS(ktap, 0, ftruncate(file, 8192));
    auto* const bytes = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    if (bytes == MAP_FAILED) {
        ktap.skip("shared mappings and write see each other", "no shared mapping");
        ktap.skip("a private mapping keeps its changes", "no shared mapping");
    } else {
        RETURNS(ktap, 5, pwrite(file, "write", 5, 100));
        ktap.check(std::memcmp(bytes + 100, "write", 5) == 0, "the mapping does not show a write");
        std::memcpy(bytes + 5000, "store", 5);
        char text[8] = {};
        RETURNS(ktap, 5, pread(file, text, 5, 5000));
        ktap.check(std::memcmp(text, "store", 5) == 0, "read does not show a store");
        RETURNS(ktap, 0, msync(bytes, 8192, MS_SYNC));
        ktap.test("shared mappings and write see each other");

        auto* const own = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0));
        ktap.check(own != MAP_FAILED, "mmap: %d", errno);
        own[100] = 'W';
        RETURNS(ktap, 1, pread(file, text, 1, 100));
        RETURNS(ktap, 'w', text[0]);
        munmap(own, 8192);
        munmap(bytes, 8192);
        ktap.test("a private mapping keeps its changes");
    }
    close(file);
}

} // namespace conform
