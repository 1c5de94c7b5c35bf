// One request at a time for the whole machine. A CPU that wants to make one, or that spins for any lock, serves the
// current one meanwhile: otherwise two CPUs with interrupts off could wait for each other.
#include "cpu/tlb.h"

#include "cpu/apic.h"
#include "cpu/clock.h"
#include "cpu/cpu.h"
#include "cpu/trap_frame.h"
#include "lib/assert.h"

namespace tollgate {

constinit bool tlb_uses_pcid = false;

namespace {

constinit Atomic<u32> busy{0};        // a request is being made
constinit Atomic<u64> waiting_for{0}; // CPUs that have not served it yet
// The request; written while busy is held, before the targets' tlb_pending is set (release).
constinit u64 request_start = 0, request_end = 0;
using RequestFunction = void (*)(void*);
constinit RequestFunction request_function = nullptr;
constinit void* request_argument = nullptr;

constexpr u64 kFlushAll = 32 * 4096; // beyond 32 pages a whole flush is cheaper

void submit(u64 cpus) {
    const u64 deadline = x86::rdtsc() + 10 * clock_tsc_hz();
    // seq_cst: the targets read the request after they have seen tlb_pending.
    waiting_for.store(cpus, kSeqCst);
    for (unsigned n = 0; n < cpu_count(); ++n) {
        if (!(cpus >> n & 1))
            continue;
        cpu_by_number(n).tlb_pending.store(1, kSeqCst);
        apic::send_ipi(cpu_by_number(n).apic_id, kVectorTlb);
    }
    while (waiting_for.load(kAcquire) != 0) {
        ASSERT(x86::rdtsc() < deadline); // a CPU has not answered a shootdown for 10 s
        x86::pause();
    }
}

void acquire() {
    while (busy.exchange(1, kAcquire) != 0) {
        tlb_service();
        x86::pause();
    }
}

} // namespace

void tlb_flush_local(u64 start, u64 end) {
    if (end - start > kFlushAll) {
        x86::write_cr3(x86::read_cr3()); // without the no-flush bit: everything of this PCID but global pages
        if (tlb_uses_pcid)
            x86::invpcid(x86::Invpcid::Context, kUserPcid, 0);
        return;
    }
    for (u64 page = start; page < end; page += 4096) {
        x86::invlpg(page);
        if (tlb_uses_pcid)
            x86::invpcid(x86::Invpcid::Address, kUserPcid, page);
    }
}

void tlb_service() {
    Cpu& cpu = this_cpu();
    if (!cpu.tlb_pending.load(kRelaxed))
        return;
    const bool interrupts = x86::irq_save();
    if (cpu.tlb_pending.exchange(0, kAcqRel)) {
        if (request_function)
            request_function(request_argument);
        else
            tlb_flush_local(request_start, request_end);
        waiting_for.fetch_and(~(u64{1} << cpu.number), kRelease);
    }
    x86::irq_restore(interrupts);
}

void tlb_shootdown(u64 cpus, u64 start, u64 end) {
    const bool interrupts = x86::irq_save();
    const u64 self = u64{1} << this_cpu().number;
    if (cpus & self)
        tlb_flush_local(start, end);
    if (const u64 others = cpus & ~self; others != 0) {
        acquire();
        request_function = nullptr;
        request_start = start;
        request_end = end;
        submit(others);
        busy.store(0, kRelease);
    }
    x86::irq_restore(interrupts);
}

void cpu_call_others(void (*function)(void*), void* argument) {
    const bool interrupts = x86::irq_save();
    u64 others = 0;
    for (unsigned n = 0; n < cpu_count(); ++n)
        if (cpu_by_number(n).online.load(kAcquire) && n != this_cpu().number)
            others |= u64{1} << n;
    if (others != 0) {
        acquire();
        request_function = function;
        request_argument = argument;
        submit(others);
        busy.store(0, kRelease);
    }
    x86::irq_restore(interrupts);
}

} // namespace tollgate
