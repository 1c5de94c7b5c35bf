// An NMI that finds a function running notes when, and sends its own CPU an interrupt: that stays pending as long as
// the function keeps interrupts off, and is taken as soon as it has ended. So if later NMIs find a function running,
// and no interrupt has been taken meanwhile, it is the same call. A call must be found so by several NMIs, too: a CPU
// that the host did not run for a while gets one for all that time.
#include "gate/fastcall/watchdog.h"

#include "cpu/apic.h"
#include "cpu/clock.h"
#include "cpu/fastcall_cpu.h"
#include "drivers/nmi_timer.h"
#include "lib/mutants.h"

namespace tollgate::fastcall {
namespace {

extern "C" const u8 fastcall_overrun[];

constexpr u64 kLeastRounds = 4;

// Written at boot, and under the gate's lock.
constinit u64 budget = 0; // ms
constinit u64 budget_ticks = 0;
constinit const char* state = "off";

} // namespace

void watchdog_initialise(u64 budget_ms) {
    budget = budget_ms;
    budget_ticks = clock_ns_to_ticks(budget_ms * 1'000'000);
    state = budget_ms == 0 ? "off" : "idle";
}

void watchdog_arm(bool armed) {
    if (budget == 0)
        return;
    if (!armed) {
        nmi_timer::stop();
        state = "idle";
    } else {
        state = nmi_timer::start() ? "armed" : "unavailable";
    }
}

// No lock may be taken and nothing may fault. What is interrupted is a fastcall, so no half-written command of the
// local APIC either.
void watchdog_nmi(TrapFrame& frame) {
    FastcallCpu& own = fastcall_cpu(this_cpu());
    if (frame.rip < kFastcallHeap || budget == 0) {
        own.rounds = 0;
        return;
    }
    const u64 now = x86::rdtsc(), interrupts = this_cpu().counters.interrupts;
    if (own.rounds == 0 || own.interrupts != interrupts) {
        own.interrupts = interrupts;
        own.since = now;
        own.rounds = 1;
        apic::send_ipi(this_cpu().apic_id, kVectorReschedule);
        return;
    }
    if (++own.rounds < kLeastRounds || now - own.since < budget_ticks || mutant(Mutant::FastcallWatchdog))
        return;
    own.rounds = 0;
    own.overrun_rip = frame.rip;
    frame.rip = reinterpret_cast<u64>(fastcall_overrun);
}

const char* watchdog_state() { return state; }
u64 watchdog_budget_ms() { return budget; }

} // namespace tollgate::fastcall
