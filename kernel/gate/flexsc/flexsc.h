// The FlexSC gate: its two system calls and its worker.
#pragma once

#include "api/flexsc.h"
#include "gate/flexsc/pages.h"

namespace tollgate::flexsc {

/// Handlers of system calls 4096 and 4097 (api/flexsc.h documents them).
Result<u64> register_pages(Caller& caller, UserPtr<api::FlexscParams> params);
Result<u64> wait(Caller& caller);
/// Takes a process's pages away from workers and from its space, before it ends or executes another program.
void process_exiting(Process& process);

/// Starts a worker thread on every worker core. `spin_us`: how long it polls without work before it sleeps.
Result<void> start_workers(u64 spin_us);
/// The workers have something to do with these pages: wakes one that sleeps.
void worker_attach(Pages& pages);
void worker_detach(Pages& pages);
void worker_kick();

} // namespace tollgate::flexsc
