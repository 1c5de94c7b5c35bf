// flexsc_register and flexsc_wait. One registration a process; its state hangs off Process::flexsc_state.
#include "cpu/clock.h"
#include "debug/log.h"
#include "gate/flexsc/flexsc.h"

namespace tollgate::flexsc {
namespace {

using api::FlexscPolicy;
using api::FlexscStatus;

/// A worker that has not finished anything for so long is taken for stopped; the call's own core does the work then
/// [threats F14].
constexpr u64 kWatchdogNs = 2'000'000'000;

Pages* pages_of(Process& process) { return static_cast<Pages*>(process.flexsc_state); }

u64 execute_here(Pages& pages) {
    if (!pages.try_begin())
        return 0;
    const u64 executed = pages.execute();
    pages.end();
    return executed;
}

} // namespace

Result<u64> register_pages(Caller& caller, UserPtr<api::FlexscParams> user_params) {
    api::FlexscParams params = TRY(copy_from_user(UserPtr<const api::FlexscParams>{user_params.address()}));
    if (params.size != sizeof params || params.reserved != 0)
        return fail(Errno::Inval);
    if (params.pages == 0 || params.pages > api::kFlexscMaxPages)
        return fail(Errno::Inval);
    if (params.policy != FlexscPolicy::OwnCore && params.policy != FlexscPolicy::Worker)
        return fail(Errno::Inval);
    if (params.policy == FlexscPolicy::Worker && sched::worker_count() == 0)
        return fail(Errno::NoDev);
    if (pages_of(*caller.process) != nullptr)
        return fail(Errno::Busy);
    Ref<Pages> pages = TRY(Pages::create(caller, params.pages, params.policy));
    params.address = pages->address();
    const Result<void> told = copy_to_user(user_params, params);
    if (!told.has_value()) {
        pages->withdraw();
        return fail(told.error());
    }
    if (__sync_val_compare_and_swap(&caller.process->flexsc_state, nullptr, pages.get()) !=
        nullptr) { // another thread was faster
        pages->withdraw();
        return fail(Errno::Busy);
    }
    if (params.policy == FlexscPolicy::Worker)
        worker_attach(*pages);
    (void)pages.leak(); // the process's reference
    return u64{0};
}

Result<u64> wait(Caller& caller) {
    Pages* pages = pages_of(*caller.process);
    if (pages == nullptr)
        return fail(Errno::Inval);
    if (pages->policy() == FlexscPolicy::OwnCore) {
        const u64 executed = execute_here(*pages);
        return executed != 0 ? executed : pages->count(FlexscStatus::Done);
    }
    if (const u64 finished = pages->count(FlexscStatus::Done))
        return finished;
    if (!pages->has_submitted() && !pages->is_executing())
        return u64{0};
    worker_kick();
    const Result<void> waited = pages->done.wait_while([&] { return pages->count(FlexscStatus::Done) == 0; },
                                                       clock_monotonic_ns() + kWatchdogNs);
    if (!waited.has_value()) {
        if (waited.error() != Errno::TimedOut)
            return fail(waited.error());
        log("flexsc: no worker has answered process {} for {} s; its calls run on its own core", caller.process->id(),
            kWatchdogNs / 1'000'000'000);
        (void)execute_here(*pages);
    }
    return pages->count(FlexscStatus::Done);
}

void process_exiting(Process& process) {
    Pages* pages = pages_of(process);
    if (pages == nullptr)
        return;
    process.flexsc_state = nullptr;
    if (pages->policy() == FlexscPolicy::Worker)
        worker_detach(*pages);
    pages->withdraw();
    (void)Ref<Pages>::adopt(pages);
}

} // namespace tollgate::flexsc
