// /proc/tollgate/flexsc: every worker and every thread that has pages, a line each; docs/proc.md explains the words.
#include "fs/vfs.h"
#include "gate/flexsc/flexsc.h"

namespace tollgate::flexsc {
namespace {

void write_side(Sink& to, const char* name, const Statistics::Side& side) {
    format_to(to, " {}_calls {} {}_batches {} sizes", name, side.calls.load(kRelaxed), name,
              side.batches.load(kRelaxed));
    for (const Atomic<u64>& size : side.sizes)
        format_to(to, " {}", size.load(kRelaxed));
}

void write_pages(Sink& to, const Pages& pages) {
    constexpr const char* kPolicies[] = {"own", "ipi", "poll", "adaptive"};
    constexpr const char* kStates[] = {"free", "submitted", "busy", "done"};
    const Statistics& statistics = pages.statistics;
    format_to(to, "process {} thread {} policy {} pages {}", pages.process_id(), pages.owner_id(),
              kPolicies[static_cast<u32>(pages.policy())], pages.count());
    for (u8 state = 0; state < 4; ++state)
        format_to(to, " {} {}", kStates[state], pages.count(static_cast<api::FlexscStatus>(state)));
    write_side(to, "own", statistics.own);
    write_side(to, "worker", statistics.worker);
    format_to(to, " waited {} waits {} sleeps {} ipis {} watchdog {}\n", statistics.waited.load(kRelaxed),
              statistics.waits.load(kRelaxed), statistics.sleeps.load(kRelaxed), statistics.wakes.load(kRelaxed),
              statistics.watchdog.load(kRelaxed));
}

void write_all(Sink& to) {
    write_workers(to);
    u64 serial = 0;
    while (const Ref<Pages> pages = next_registered(serial)) {
        serial = pages->serial;
        write_pages(to, *pages);
    }
}

} // namespace

Result<void> add_report() { return fs::add_text_file("/proc/tollgate/flexsc", write_all); }

} // namespace tollgate::flexsc
