// Two host threads on one page: one posts and reaps by userland/lib/flexsc/flexsc.h, the other stands in for the kernel
// with the same order of loads and stores. Litmus: no number, argument or result is ever older than the status that
// announced it. And what the state machine costs on real caches, which is printed and never judged.
//
//     flexsc_pair [ROUNDS]        default 10^6; exit status 1: a stale value was seen
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <immintrin.h>
#include <thread>

#include "userland/lib/flexsc/flexsc.h"

namespace {

constexpr unsigned kBatch = 16;

alignas(4096) flexsc_entry page[FLEXSC_ENTRIES_PER_PAGE];
flexsc_slot slots[FLEXSC_ENTRIES_PER_PAGE];

long result_of(const std::uint64_t (&arguments)[6], std::uint32_t number) {
    return static_cast<long>(arguments[0] * 3 + number);
}

/// Executes `rounds` calls; how many of them were not of one piece.
long stand_in_for_kernel(long rounds) {
    long stale = 0;
    for (long executed = 0; executed < rounds;) {
        bool any = false;
        for (flexsc_entry& entry : page) {
            auto* const status = reinterpret_cast<unsigned char*>(&entry.control) + 6;
            if (__atomic_load_n(status, __ATOMIC_ACQUIRE) != FLEXSC_SUBMITTED)
                continue;
            __atomic_store_n(status, FLEXSC_BUSY, __ATOMIC_RELAXED);
            const auto number = static_cast<std::uint32_t>(__atomic_load_n(&entry.control, __ATOMIC_RELAXED));
            std::uint64_t arguments[6];
            for (unsigned i = 0; i < 6; ++i)
                arguments[i] = __atomic_load_n(&entry.args[i], __ATOMIC_RELAXED);
            for (const std::uint64_t argument : arguments)
                stale += argument != arguments[0];
            stale += number != static_cast<std::uint32_t>(arguments[0]);
            __atomic_store_n(&entry.result, result_of(arguments, number), __ATOMIC_RELAXED);
            __atomic_store_n(status, FLEXSC_DONE, __ATOMIC_RELEASE);
            ++executed;
            any = true;
        }
        if (!any)
            _mm_pause();
    }
    return stale;
}

long post_and_reap(struct flexsc& f, long rounds) {
    long stale = 0;
    for (long next = 0; next < rounds;) {
        long handles[kBatch], values[kBatch];
        unsigned posted = 0;
        for (; posted < kBatch && next < rounds; ++posted, ++next) {
            values[posted] = next;
            handles[posted] = flexsc_post(&f, static_cast<std::uint32_t>(next), next, next, next, next, next, next);
        }
        for (unsigned i = 0; i < posted; ++i) {
            while (!flexsc_poll(&f, handles[i]))
                _mm_pause();
            const long wanted = values[i] * 3 + static_cast<long>(static_cast<std::uint32_t>(values[i]));
            stale += flexsc_reap(&f, handles[i]) != wanted;
        }
    }
    return stale;
}

void print_machine() {
    char line[256];
    if (std::FILE* const file = std::fopen("/proc/cpuinfo", "r")) {
        while (std::fgets(line, sizeof line, file) != nullptr)
            if (std::strncmp(line, "model name", 10) == 0) {
                std::printf("machine: %s", std::strchr(line, ':') + 2);
                break;
            }
        std::fclose(file);
    }
}

} // namespace

int main(int argc, char** argv) {
    const long rounds = argc > 1 ? std::atol(argv[1]) : 1'000'000;
    if (rounds <= 0)
        return 64;
    struct flexsc f = {.entries = page,
                       .fresh = page,
                       .end = page + FLEXSC_ENTRIES_PER_PAGE,
                       .free = -EAGAIN,
                       .policy = FLEXSC_OWN,
                       .slots = slots};
    long stale_calls = 0;
    const auto begin = std::chrono::steady_clock::now();
    std::thread kernel([&] { stale_calls = stand_in_for_kernel(rounds); });
    const long stale_results = post_and_reap(f, rounds);
    kernel.join();
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - begin;
    print_machine();
    std::printf("page state machine, two host threads, %u at a time, n = %ld: %.1f ns per post-complete-reap\n", kBatch,
                rounds, time.count() / static_cast<double>(rounds));
    std::printf("stale calls %ld, stale results %ld\n", stale_calls, stale_results);
    return stale_calls + stale_results == 0 ? 0 : 1;
}
