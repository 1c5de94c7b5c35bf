// What fastcalls may cost, where the time stamp counter counts instructions (icount): the call itself at its caller,
// registering, deregistering, and fork with a hundred functions. Needs nothing of the test kernel.
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/fastcall.h"
#include "userland/lib/gate_fastcall.h"
#include "userland/lib/gate_native.h"
#include "userland/lib/ktap.h"
#include "userland/lib/ticks.h"

#include <sys/syscall.h>

namespace {

using namespace tollgate;

constexpr unsigned kFunctions = 100;
constexpr uint64_t kMostNoop = 14, kMostRegister = 2500, kMostDeregister = 3500;

int device = -1;
uint64_t ruler;

template <class Body>
uint64_t cost_of(Body&& body) {
    const uint64_t start = ticks_begin();
    body();
    return ticks_end() - start - ruler;
}

void test_call(Ktap& ktap) {
    api::FastcallIoctl noop{};
    ktap.check(Native::call(SYS_ioctl, device, api::kFastcallIoctlNoop, &noop) == 0, "noop");
    constexpr unsigned kCalls = 10'000;
    const uint64_t all = cost_of([&] {
        unsigned count = kCalls;
        do
            Fastcall::call(noop.index);
        while (--count != 0);
    });
    ktap.note("noop: %llu.%02llu instructions at its caller, the loop included",
              static_cast<unsigned long long>(all / kCalls), static_cast<unsigned long long>(all % kCalls / 100));
    ktap.check(all < kMostNoop * kCalls + kCalls / 2, "%llu instructions for %u calls",
               static_cast<unsigned long long>(all), kCalls);
    Native::call(SYS_munmap, noop.fn_addr, noop.fn_len);
    ktap.test("a call of noop");
}

/// The dearest of many: a table of pages that a slot is the first to need belongs to it.
void test_registration(Ktap& ktap) {
    for (const std::uint32_t request : {api::kFastcallIoctlNoop, api::kFastcallIoctlArray}) {
        static api::FastcallArrayIoctl made[kFunctions];
        uint64_t most = 0, all = 0, most_back = 0, all_back = 0;
        for (auto& one : made) {
            const uint64_t cost = cost_of(
                [&] { ktap.check(Native::call(SYS_ioctl, device, request, &one) == 0, "a function is refused"); });
            most = cost > most && &one != made ? cost : most;
            all += cost;
        }
        for (auto& one : made) {
            const uint64_t cost = cost_of(
                [&] { ktap.check(Native::call(SYS_munmap, one.fn_addr, one.fn_len) == 0, "a function stays"); });
            most_back = cost > most_back ? cost : most_back;
            all_back += cost;
        }
        ktap.note("%s: %llu instructions to register, %llu at most; %llu to deregister, %llu at most",
                  request == api::kFastcallIoctlNoop ? "noop" : "array",
                  static_cast<unsigned long long>(all / kFunctions), static_cast<unsigned long long>(most),
                  static_cast<unsigned long long>(all_back / kFunctions), static_cast<unsigned long long>(most_back));
        if (request != api::kFastcallIoctlNoop)
            continue;
        ktap.check(all / kFunctions <= kMostRegister, "registering costs %llu",
                   static_cast<unsigned long long>(all / kFunctions));
        ktap.check(all_back / kFunctions <= kMostDeregister, "deregistering costs %llu",
                   static_cast<unsigned long long>(all_back / kFunctions));
    }
    ktap.test("registering and deregistering noop, system calls included");
}

uint64_t cost_of_fork() {
    uint64_t least = ~uint64_t{0};
    for (unsigned n = 0; n < 9; ++n) {
        const uint64_t cost = cost_of([] {
            const long child = Native::call(SYS_fork);
            if (child == 0)
                Native::call(SYS_exit_group, 0);
            int status = 0;
            Native::call(SYS_wait4, child, &status, 0, 0);
        });
        least = cost < least ? cost : least;
    }
    return least;
}

void test_fork(Ktap& ktap) {
    const uint64_t without = cost_of_fork();
    for (unsigned n = 0; n < kFunctions; ++n) {
        api::FastcallArrayIoctl array{};
        ktap.check(Native::call(SYS_ioctl, device, api::kFastcallIoctlArray, &array) == 0, "array %u", n);
    }
    const uint64_t with = cost_of_fork();
    ktap.note("fork, exit, wait: %llu instructions; with %u array functions registered: %llu (%.3f)",
              static_cast<unsigned long long>(without), kFunctions, static_cast<unsigned long long>(with),
              static_cast<double>(with) / static_cast<double>(without));
    ktap.check(with * 100 <= without * 115, "%llu instructions became %llu", static_cast<unsigned long long>(without),
               static_cast<unsigned long long>(with));
    ktap.test("fork with 100 functions registered costs at most 1.15 of fork without");
}

} // namespace

int main() {
    device = open(api::kFastcallDevice, O_RDONLY);
    ruler = measure_ruler();
    Ktap ktap(3);
    test_call(ktap);
    test_registration(ktap);
    test_fork(ktap);
    return ktap.finish();
}
