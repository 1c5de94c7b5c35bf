// Threads are told apart by Cpu::current alone: this layer knows no more of them.
#include "mem/fail_alloc.h"

#ifdef TOLLGATE_TESTS
#include "cpu/cpu.h"

namespace tollgate::fail_alloc {
namespace {

// Global, since the allocators are: one thread at a time is under test.
constinit Atomic<Thread*> target{nullptr};
constinit Atomic<u64> made{0}, fails_from{0}, fails_until{0};
constinit Atomic<u64> period{0}, counter{0};

} // namespace

bool now() {
    const Cpu& cpu = this_cpu();
    if (target.load(kRelaxed) != nullptr && cpu.current == target.load(kRelaxed)) {
        const u64 number = made.fetch_add(1, kRelaxed) + 1;
        return number >= fails_from.load(kRelaxed) && number < fails_until.load(kRelaxed);
    }
    if (period.load(kRelaxed) != 0 && cpu.caller != nullptr)
        return counter.fetch_add(1, kRelaxed) % period.load(kRelaxed) == period.load(kRelaxed) - 1;
    return false;
}

u64 arm(u64 number, Failing which) {
    const u64 before = made.exchange(0, kRelaxed);
    fails_from.store(number, kRelaxed);
    fails_until.store(which == Failing::Once ? number + 1 : ~u64{0}, kRelaxed);
    target.store(number == 0 ? nullptr : this_cpu().current, kRelaxed);
    return before;
}

void every(u64 number) { period.store(number, kRelaxed); }

} // namespace tollgate::fail_alloc
#endif
