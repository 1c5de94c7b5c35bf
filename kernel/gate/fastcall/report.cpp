// /proc/tollgate/fastcall: what is registered, by whom, and what became of calls. docs/proc.md explains each line.
#include "gate/fastcall/report.h"

#include "gate/fastcall/space.h"
#include "gate/fastcall/text.h"
#include "gate/fastcall/watchdog.h"

namespace tollgate::fastcall {
namespace {

struct Totals {
    const Function* function;
    u64 calls, longest;
};

/// Of a function, with the registrations that are still there.
Totals totals_of(const Function& function) {
    Totals totals{&function, function.calls.load(kRelaxed), function.longest.load(kRelaxed)};
    for_each_registration(
        [](void* context, const Listed& listed) {
            Totals& sum = *static_cast<Totals*>(context);
            if (&listed.function != sum.function)
                return;
            sum.calls += listed.calls;
            sum.longest = listed.longest > sum.longest ? listed.longest : sum.longest;
        },
        &totals);
    return totals;
}

} // namespace

void write_report(Sink& to) {
    const bool counted = check() == Check::On;
    format_to(to, "check {}\n", counted ? "on" : "off: calls are not counted");
    format_to(to, "watchdog {}, budget {} ms\n", watchdog_state(), watchdog_budget_ms());
    Totals longest{};
    for (const Function& function : functions()) {
        if (function.registrations.load(kRelaxed) == 0)
            continue;
        const Totals totals = totals_of(function);
        if (totals.longest > longest.longest)
            longest = totals;
        format_to(to, "function {} registered {} registrations {} faults {} kills {} overruns {}", function.name,
                  function.registered.load(kRelaxed), function.registrations.load(kRelaxed),
                  function.faults.load(kRelaxed), function.kills.load(kRelaxed), function.overruns.load(kRelaxed));
        if (counted)
            format_to(to, " calls {} longest {}", totals.calls, totals.longest);
        to.write("\n");
    }
    if (longest.function)
        format_to(to, "longest {} ticks with interrupts off, in {}\n", longest.longest, longest.function->name);
    for_each_registration(
        [](void* context, const Listed& listed) {
            Sink& line = *static_cast<Sink*>(context);
            format_to(line, "process {} slot {} {}", listed.process, listed.slot, listed.function.name);
            if (check() == Check::On)
                format_to(line, " calls {} longest {}", listed.calls, listed.longest);
            line.write("\n");
        },
        &to);
}

} // namespace tollgate::fastcall
