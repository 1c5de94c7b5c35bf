// One byte written to a pipe that nobody reads meanwhile; the pipe is emptied before each sample, and must not
// be empty after it. Only in the FlexSC sweep.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userland/bench/operations.h"
#include "userland/bench/suite.h"

namespace tollgate::bench {

namespace {

struct PipeWrite : Operation {
    static constexpr const char* kName = "pipe_write";
    static constexpr unsigned kNumber = SYS_write;
    static constexpr bool kUsual = false, kSwept = true;

    PipeWrite() {
        if (pipe2(ends_, O_CLOEXEC | O_NONBLOCK) != 0)
            ends_[0] = ends_[1] = -1; // the calls return -EBADF then, and the results are wrong
    }
    [[gnu::noipa]] static long direct(long /*file*/, const char* bytes, long size) {
        stored[place++ % sizeof stored] = *bytes;
        return size;
    }
    static constexpr long expected() { return 1; }
    auto arguments() const { return std::tuple(long{ends_[1]}, &byte_, 1L); }

    void prepare(GateKind /*gate*/) { (void)empty(); }
    bool verify(GateKind gate) { return gate == GateKind::Direct || empty() > 0; }

private:
    static inline volatile char stored[4096];
    static inline unsigned place = 0;

    /// How many bytes were in the pipe.
    long empty() {
        char bytes[4096];
        long all = 0;
        for (long got; (got = read(ends_[0], bytes, sizeof bytes)) > 0;)
            all += got;
        return all;
    }

    int ends_[2];
    char byte_ = 'x';
};

} // namespace

void add_pipe(Suite& suite) { suite.add<PipeWrite>(); }

} // namespace tollgate::bench
