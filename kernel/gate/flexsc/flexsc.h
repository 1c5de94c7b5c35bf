// The FlexSC gate: its two system calls, its workers, and what it tells of them.
#pragma once

#include "api/flexsc.h"
#include "gate/flexsc/pages.h"

namespace tollgate::flexsc {

/// Handlers of system calls 4096 and 4097 (api/flexsc.h documents them).
Result<u64> register_pages(Caller& caller, UserPtr<api::FlexscParams> params);
Result<u64> wait(Caller& caller, u64 pages, u64 flags);
/// Takes the calling thread's pages away, before it ends or executes another program.
void withdraw_pages(UserThread& thread);

struct Settings {
    api::FlexscPolicy policy = api::FlexscPolicy::Own; ///< what FlexscPolicy::Default stands for
    u64 spin_us = 50;                                  ///< how long a worker polls without work before it sleeps
};
/// Called once at boot: starts a worker thread on every worker core, and makes /proc/tollgate/flexsc.
Result<void> start(const Settings& settings);
const Settings& settings();

/// Makes pages known: to /proc, and to the workers if their policy wants one. Undone by withdraw.
void attach(Pages& pages);
void detach(Pages& pages);
/// Somebody waits for these of the pages: wakes a worker that sleeps for each, as far as there are any.
void request(Pages& pages, u64 which);
Result<void> start_workers();
/// For /proc/tollgate/flexsc (report.cpp).
Result<void> add_report();
void write_workers(Sink& to);
/// The registered pages after the one with that serial number, for the caller to keep alive; empty at the end.
Ref<Pages> next_registered(u64 serial);

} // namespace tollgate::flexsc
