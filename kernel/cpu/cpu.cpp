// The table of CPUs.
#include "cpu/cpu.h"

#include "lib/assert.h"

namespace tollgate {
namespace {
// Appended to by the boot processor while it starts the others; read by all.
constinit Cpu* cpus[kMaxCpus] = {};
constinit Atomic<unsigned> count{0};
} // namespace

constinit Atomic<u32> cpus_stopped{0};

unsigned cpu_count() { return count.load(kAcquire); }

Cpu& cpu_by_number(unsigned number) {
    ASSERT(number < cpu_count());
    return *cpus[number];
}

unsigned cpu_register(Cpu& cpu) {
    const unsigned number = count.load(kRelaxed);
    ASSERT(number < kMaxCpus);
    cpus[number] = &cpu;
    count.store(number + 1, kRelease); // release: the entry is there before the count says so
    return number;
}

} // namespace tollgate
