// The indirect cost of system calls: user code walks its working set between two calls, natively, and posted in batches
// through syscall pages. The same walks and the same calls: what differs beyond the crossings is what the kernel has
// pushed out of the caches, which shows in the walks' cycles and in their instructions a cycle, on hardware alone.
// Under icount it prints instructions, which are equal but for the calls themselves.  working-set [ROUNDS]
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <memory>
#include <string>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userland/bench/flexsc_batch.h"
#include "userland/lib/gate_native.h"
#include "userland/lib/machine.h"
#include "userland/lib/ticks.h"

namespace {

using namespace tollgate;
using namespace tollgate::bench;

constexpr unsigned kSizes[] = {4, 8, 16, 32, 64, 128, 256}; // KiB
constexpr unsigned kBatch = 32, kBlock = 4096, kLine = 64;

/// Instructions and cycles of this thread in user mode, where the kernel and the machine have counters for them.
class Counters {
public:
    Counters()
        : cycles_(open_counter(PERF_COUNT_HW_CPU_CYCLES)), instructions_(open_counter(PERF_COUNT_HW_INSTRUCTIONS)) {}
    [[nodiscard]] bool available() const { return cycles_ >= 0 && instructions_ >= 0; }
    [[nodiscard]] const char* reason() const { return std::strerror(error_); }
    void start() const {
        for (const int fd : {cycles_, instructions_}) {
            ioctl(fd, PERF_EVENT_IOC_RESET, 0);
            ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
        }
    }
    [[nodiscard]] double instructions_per_cycle() const {
        std::uint64_t cycles = 0, instructions = 0;
        for (const int fd : {cycles_, instructions_})
            ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
        if (read(cycles_, &cycles, sizeof cycles) != sizeof cycles || cycles == 0 ||
            read(instructions_, &instructions, sizeof instructions) != sizeof instructions)
            return 0;
        return static_cast<double>(instructions) / static_cast<double>(cycles);
    }

private:
    int open_counter(std::uint64_t which) {
        perf_event_attr wanted{};
        wanted.type = PERF_TYPE_HARDWARE;
        wanted.size = sizeof wanted;
        wanted.config = which;
        wanted.disabled = 1;
        wanted.exclude_kernel = 1;
        wanted.exclude_hv = 1;
        const long fd = Native::call(SYS_perf_event_open, &wanted, 0, -1, -1, 0);
        if (fd < 0)
            error_ = static_cast<int>(-fd);
        return static_cast<int>(fd);
    }
    int error_ = 0;
    int cycles_, instructions_;
};

/// What is walked, and the file that the calls read.
struct Work {
    std::unique_ptr<unsigned char[]> set = std::make_unique<unsigned char[]>(kSizes[std::size(kSizes) - 1] * 1024);
    unsigned size = 0; ///< bytes
    int file = -1;
    unsigned char blocks[kBatch][kBlock];
    std::uint64_t walk_ticks = 0;
    std::uint64_t sum = 0;
    bool good = true;

    [[gnu::noinline]] void walk() {
        const auto begin = ticks_begin();
        std::uint64_t found = 0;
        for (unsigned at = 0; at < size; at += kLine)
            found += set[at];
        sum += found;
        walk_ticks += ticks_end() - begin;
    }
};

struct Figures {
    double walk, all; ///< ticks a walk, and a walk with its call
    double ipc;       ///< of user code; 0: not known
};

/// `calls(work)` makes kBatch walks and kBatch calls.
template <class Calls>
Figures measure(Work& work, const Counters& counters, unsigned rounds, std::uint64_t ruler, Calls&& calls) {
    calls(work); // warms up
    work.walk_ticks = 0;
    if (counters.available())
        counters.start();
    const auto begin = ticks_begin();
    for (unsigned i = 0; i < rounds; ++i)
        calls(work);
    const auto all = ticks_end() - begin;
    const double ipc = counters.available() ? counters.instructions_per_cycle() : 0;
    const double walks = static_cast<double>(rounds) * kBatch;
    return {static_cast<double>(work.walk_ticks) / walks - static_cast<double>(ruler),
            static_cast<double>(all) / walks - static_cast<double>(ruler), ipc};
}

void natively(Work& work) {
    for (auto& block : work.blocks) {
        work.walk();
        work.good = Native::call(SYS_pread64, work.file, &block[0], kBlock, 0) == kBlock && work.good;
    }
}

void posted(Work& work, FlexscContext& context) {
    long handles[kBatch];
    for (unsigned i = 0; i < kBatch; ++i) {
        work.walk();
        handles[i] = flexsc_post(&context, SYS_pread64, work.file, &work.blocks[i][0], kBlock, 0);
    }
    (void)flexsc_wait(&context);
    work.good =
        reap_batch(context, handles, kBatch, [&](long got) { work.good = got == kBlock && work.good; }) && work.good;
}

std::string text(double ipc) {
    char line[16];
    std::snprintf(line, sizeof line, "%.2f", ipc);
    return ipc == 0 ? "n/a" : line;
}

} // namespace

int main(int argc, char** argv) {
    const unsigned rounds = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 50;
    const Machine machine = Machine::read();
    const std::string accel = machine.get("accel", "none: this is not Tollgate");
    const Counters counters;
    FlexscContext context;
    const int failed = flexsc_open(&context, FLEXSC_OWN, 1);
    const auto work = std::make_unique<Work>();
    work->file = open("/tmp/working_set", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (write(work->file, work->blocks[0], kBlock) != kBlock)
        return 1;

    std::printf(
        "working-set: accel=%s pti=%s, a walk of one load a cache line, then pread of 4 KiB; batch %u, n = %u\n",
        accel.c_str(), machine.get("pti", "?").c_str(), kBatch, rounds * kBatch);
    std::printf("working-set: %s\n",
                accel == "icount" ? "instructions; they do not show what a call costs the code around it"
                : accel == "kvm"  ? "TSC cycles"
                                  : "TSC ticks; comparable only within a line, and not at all under emulation");
    std::printf("working-set: instructions a cycle: %s%s\n", counters.available() ? "of user mode" : "not available: ",
                counters.available() ? "" : counters.reason());
    if (failed != 0)
        std::printf("working-set: posted calls: not available: %s\n", std::strerror(-failed));
    std::printf("%6s %12s %12s %14s %14s %10s %10s\n", "KiB", "walk/native", "walk/posted", "and call/nat.",
                "and call/post.", "IPC/native", "IPC/posted");
    const auto ruler = measure_ruler();
    for (const unsigned size : kSizes) {
        work->size = size * 1024;
        const Figures native = measure(*work, counters, rounds, ruler, natively);
        std::printf("%6u %12.0f ", size, native.walk);
        if (failed != 0) {
            std::printf("%12s %14.0f %14s %10s %10s\n", "-", native.all, "-", text(native.ipc).c_str(), "-");
            continue;
        }
        const Figures page = measure(*work, counters, rounds, ruler, [&](Work& it) { posted(it, context); });
        std::printf("%12.0f %14.0f %14.0f %10s %10s\n", page.walk, native.all, page.all, text(native.ipc).c_str(),
                    text(page.ipc).c_str());
    }
    std::printf("working-set: %s\n", work->good ? "ok" : "FAILED: a call returned something else than 4096");
    return work->good ? 0 : 1;
}
