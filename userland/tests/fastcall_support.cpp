#include "userland/tests/fastcall_support.h"

#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace tollgate::test {
namespace {

constexpr const char* kReport = "/proc/tollgate/fastcall";
constexpr long kSetGs = 0x1001, kGetGs = 0x1004; // [asm/prctl.h]

} // namespace

api::FastcallIoctl register_example(std::uint32_t request) {
    api::FastcallArrayIoctl made{}; // the larger of the two
    made.index = ~0u;
    const int device = open(api::kFastcallDevice, O_RDONLY | O_CLOEXEC);
    api::FastcallIoctl out{};
    out.index = ~0u;
    if (Native::call(SYS_ioctl, device, request, &made) == 0) {
        std::memcpy(&out, &made, sizeof out);
        if (request == api::kFastcallIoctlArray)
            out = {made.fn_addr, made.fn_len, made.index, 0};
    }
    close(device);
    return out;
}

long deregister(long index) { return Native::call(SYS_munmap, kHeap + static_cast<uint64_t>(index) * kWindow, kPage); }

FastcallCounts read_counts(const char* function) {
    FastcallCounts counts{};
    std::FILE* const report = std::fopen(kReport, "re");
    char line[256], name[64];
    while (report && std::fgets(line, sizeof line, report)) {
        FastcallCounts found{};
        if (std::sscanf(line,
                        "function %63s registered %ld registrations %ld faults %ld kills %ld overruns %ld calls %ld "
                        "longest %ld",
                        name, &found.registered, &found.registrations, &found.faults, &found.kills, &found.overruns,
                        &found.calls, &found.longest) >= 6 &&
            std::strcmp(name, function) == 0)
            counts = found;
    }
    if (report)
        std::fclose(report);
    return counts;
}

bool checks_are_on() {
    char text[16] = "";
    const int report = open(kReport, O_RDONLY | O_CLOEXEC);
    const long size = read(report, text, sizeof text - 1);
    close(report);
    return size > 0 && std::strncmp(text, "check on", 8) == 0;
}

long set_gs(uint64_t base) { return Native::call(SYS_arch_prctl, kSetGs, base); }

uint64_t get_gs() {
    uint64_t base = 0;
    Native::call(SYS_arch_prctl, kGetGs, &base);
    return base;
}

} // namespace tollgate::test
