// 4 KiB of a file, read at its beginning: a call whose work outweighs its crossing. Only in the FlexSC sweep.
#include <cstring>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userland/bench/operations.h"
#include "userland/bench/suite.h"

namespace tollgate::bench {

namespace {

constexpr unsigned kSize = 4096;
alignas(64) unsigned char content[kSize];

struct Pread : Operation {
    static constexpr const char* kName = "pread4k";
    static constexpr unsigned kNumber = SYS_pread64;
    static constexpr bool kUsual = false, kSwept = true;

    Pread() {
        for (unsigned i = 0; i < kSize; ++i)
            content[i] = static_cast<unsigned char>(i * 13 + i / 256);
        if (write(static_cast<int>(file_), content, kSize) != kSize)
            file_ = -1; // the calls return -EBADF then, and the results are wrong
    }
    [[gnu::noipa]] static long direct(long /*file*/, unsigned char* to, long size, long offset) {
        std::memcpy(to, content + offset, static_cast<std::size_t>(size));
        return size;
    }
    static constexpr long expected() { return kSize; }
    auto arguments() const { return std::tuple(file_, &buffer_[0], long{kSize}, 0L); }

    void prepare(GateKind /*gate*/) { std::memset(buffer_, 0, kSize); }
    bool verify(GateKind /*gate*/) const { return std::memcmp(buffer_, content, kSize) == 0; }

private:
    long file_ = open("/tmp/bench_pread", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    alignas(64) mutable unsigned char buffer_[kSize] = {};
};

} // namespace

void add_pread(Suite& suite) { suite.add<Pread>(); }

} // namespace tollgate::bench
