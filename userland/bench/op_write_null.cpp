// One byte written to /dev/null: a call with three arguments that goes through the file table.
#include <fcntl.h>
#include <sys/syscall.h>

#include "userland/bench/operations.h"
#include "userland/bench/suite.h"

namespace tollgate::bench {

namespace {

volatile char sink;

struct WriteNull : Operation {
    static constexpr const char* kName = "write_null";
    static constexpr unsigned kNumber = SYS_write;

    [[gnu::noipa]] static long direct(long /*file*/, const char* bytes, long size) {
        sink = *bytes;
        return size;
    }
    static constexpr long expected() { return 1; }
    auto arguments() const { return std::tuple(file_, &byte_, 1L); }

private:
    long file_ =
        open("/dev/null", O_WRONLY | O_CLOEXEC); // if this fails, the calls return -EBADF and the results are wrong
    char byte_ = 'x';
};

} // namespace

void add_write_null(Suite& suite) { suite.add<WriteNull>(); }

} // namespace tollgate::bench
