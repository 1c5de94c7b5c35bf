// What the programs that serve requests have in common: a request is one message through a pipe to its server, which
// reads 4 KiB of a file and answers through another pipe. `concurrency` of them are under way at any time.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "userland/lib/histogram.h"
#include "userland/lib/machine.h"

namespace tollgate::requests {

inline constexpr unsigned kBlock = 4096, kBlocks = 64;

struct Message {
    std::uint64_t block;
    std::uint64_t checksum; ///< in the answer
};

struct Connection {
    int request[2], answer[2]; ///< pipes
};

inline std::uint64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

inline std::uint64_t checksum(const unsigned char* block) {
    std::uint64_t sum = 0;
    for (unsigned i = 0; i < kBlock; i += 64)
        sum = sum * 31 + block[i];
    return sum;
}

/// The file that all serve from, and what its blocks sum up to.
struct Content {
    int fd = -1;
    std::uint64_t sums[kBlocks] = {};
    Content() {
        char path[] = "/tmp/requestsXXXXXX";
        fd = mkstemp(path);
        unsigned char block[kBlock];
        for (unsigned i = 0; i < kBlocks; ++i) {
            for (unsigned j = 0; j < kBlock; ++j)
                block[j] = static_cast<unsigned char>(i * 7 + j / 64);
            sums[i] = checksum(block);
            if (pwrite(fd, block, kBlock, i * kBlock) != kBlock)
                std::exit(2);
        }
        unlink(path);
    }
};

/// Pipes for that many connections, with pipe2()'s flags; false if there are not enough descriptors.
inline bool connect(Connection* connections, unsigned count, int flags = 0) {
    rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (unsigned i = 0; i < count; ++i)
        if (pipe2(connections[i].request, flags) != 0 || pipe2(connections[i].answer, flags) != 0)
            return false;
    return true;
}

/// One line a concurrency. Its unit is told once: under icount a nanosecond is an instruction, on plain TCG times mean
/// nothing by themselves, and only the ratio of two programs' throughput does.
inline void print_head(const char* program) {
    const std::string accel = Machine::read().get("accel", "unknown");
    std::printf("%s, accelerator %s, %s\n", program, accel.c_str(),
                accel == "icount" ? "a nanosecond is an instruction" : "for ratios only, unless it is kvm");
    std::printf("%11s %10s %14s %10s %10s %10s %10s\n", "concurrency", "n", "requests/s", "p50 ns", "p90 ns", "p99 ns",
                "max ns");
}
inline void print_line(unsigned concurrency, const Histogram& latency, std::uint64_t elapsed) {
    std::printf("%11u %10llu %14.0f %10llu %10llu %10llu %10llu\n", concurrency,
                static_cast<unsigned long long>(latency.total()),
                static_cast<double>(latency.total()) * 1e9 / static_cast<double>(elapsed),
                static_cast<unsigned long long>(latency.percentile(50)),
                static_cast<unsigned long long>(latency.percentile(90)),
                static_cast<unsigned long long>(latency.percentile(99)),
                static_cast<unsigned long long>(latency.most()));
    std::fflush(stdout);
}

/// How often each of `concurrency` connections asks.
inline unsigned rounds_of(unsigned concurrency, unsigned total) {
    return total / concurrency > 4 ? total / concurrency : 4;
}

} // namespace tollgate::requests
