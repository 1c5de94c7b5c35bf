// Files and devices. The file lies in a folder of its own on the temporary file system.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userland/bench/calls/operation.h"

namespace tollgate::calls {
namespace {

constexpr const char* kOther = "/tmp/x/z";
constexpr long kPage = 4096;

int descriptor = -1;
struct stat status;
alignas(4096) char page[kPage];

[[gnu::noipa]] long read_zero() { return Native::call(SYS_read, descriptor, page, 1); }
[[gnu::noipa]] long write_null() { return Native::call(SYS_write, descriptor, page, 1); }
[[gnu::noipa]] long fstat_sys() { return Native::call(SYS_fstat, descriptor, &status); }
[[gnu::noipa]] long stat_sys() { return Native::call(SYS_stat, kFile, &status); }

[[gnu::noipa]] long open_close() {
    const long opened = Native::call(SYS_open, kFile, O_RDONLY);
    return opened < 0 ? opened : Native::call(SYS_close, opened);
}

[[gnu::noipa]] long creat_unlink() {
    const long opened = Native::call(SYS_open, kOther, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (opened < 0)
        return opened;
    Native::call(SYS_close, opened);
    return Native::call(SYS_unlink, kOther);
}

// Short is as bad as failed.
long whole(long result) { return result < 0 || result == kPage ? result : -EIO; }
[[gnu::noipa]] long pread_page() { return Native::call(SYS_pread64, descriptor, page, kPage, 0); }
[[gnu::noipa]] long pwrite_page() { return Native::call(SYS_pwrite64, descriptor, page, kPage, 0); }
long pread_whole() { return whole(pread_page()); }
long pwrite_whole() { return whole(pwrite_page()); }

long open_as(const char* path, int flags) { return descriptor = static_cast<int>(result_of(open(path, flags, 0600))); }
long open_zero() { return open_as("/dev/zero", O_RDONLY); }
long open_null() { return open_as("/dev/null", O_WRONLY); }

long make_file() {
    mkdir(kFolder, 0700); // may be there from the last operation
    const long opened = open_as(kFile, O_CREAT | O_RDWR);
    if (opened < 0)
        return opened;
    return whole(result_of(pwrite(descriptor, page, kPage, 0)));
}

void close_it() {
    if (descriptor >= 0)
        close(descriptor);
    descriptor = -1;
}

constexpr Operation kOperations[] = {
    operation<read_zero>("read_zero_1", 160, 500, open_zero, close_it),
    operation<write_null>("write_null_1", 160, 500, open_null, close_it),
    operation<fstat_sys>("fstat", 400, 100, make_file, close_it),
    operation<stat_sys>("stat", 1200, 50, make_file, close_it),
    operation<open_close>("open_close", 2000, 50, make_file, close_it),
    operation<creat_unlink>("creat_unlink", 0, 20, make_file, close_it),
    {"pread_4k", 1000, 50, pread_whole, repeat<pread_page>, make_file, close_it},
    {"pwrite_4k", 1200, 50, pwrite_whole, repeat<pwrite_page>, make_file, close_it},
};

} // namespace

std::span<const Operation> file_operations() { return kOperations; }

} // namespace tollgate::calls
