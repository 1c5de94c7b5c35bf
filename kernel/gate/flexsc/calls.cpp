// flexsc_register and flexsc_wait. A thread's pages hang off UserThread::flexsc_pages.
#include "cpu/clock.h"
#include "debug/log.h"
#include "gate/flexsc/flexsc.h"

namespace tollgate::flexsc {
namespace {

using api::FlexscPolicy;

/// A worker that has not taken what is submitted for so long is taken for stopped; the owner's core does the work then
/// [threats F14].
constexpr u64 kWatchdogNs = 2'000'000'000;

constinit Settings in_force{}; // the kernel options, written once at boot

Pages* pages_of(const Caller& caller) { return static_cast<Pages*>(caller.owner->flexsc_pages); }

/// The policy that a registration gets. Errors: Inval, NoDev.
Result<FlexscPolicy> choose_policy(FlexscPolicy asked) {
    if (asked > FlexscPolicy::Default)
        return fail(Errno::Inval);
    const FlexscPolicy meant = asked == FlexscPolicy::Default ? in_force.policy : asked;
    if (meant == FlexscPolicy::Own || sched::worker_count() != 0)
        return meant;
    if (asked == FlexscPolicy::WorkerIpi || asked == FlexscPolicy::WorkerPoll)
        return fail(Errno::NoDev);
    return FlexscPolicy::Own;
}

Result<void> check(const api::FlexscParams& params) {
    const bool sane = params.size == sizeof params && params.version == api::kFlexscVersion &&
                      params.pages <= api::kFlexscMaxPages && params.flags == 0 &&
                      params.spin_us <= api::kFlexscMaxSpinUs && params.address == 0;
    return sane ? Result<void>{} : fail(Errno::Inval);
}

/// One of the process's registrations, until it is kept.
class Place {
public:
    static Result<Place> take(Process& process) {
        if (process.flexsc_registrations.fetch_add(1, kRelaxed) < api::kFlexscMaxRegistrations)
            return Place(process);
        process.flexsc_registrations.fetch_sub(1, kRelaxed);
        return fail(Errno::NoSpc);
    }
    Place(Place&& other) : process_(std::exchange(other.process_, nullptr)) {}
    ~Place() {
        if (process_ != nullptr)
            process_->flexsc_registrations.fetch_sub(1, kRelaxed);
    }
    void keep() { process_ = nullptr; }

private:
    explicit Place(Process& process) : process_(&process) {}
    Process* process_;
};

/// Executes what is submitted, here and now; how many calls are Done.
u64 execute_here(Pages& pages, u64 which) {
    u64 done = 0;
    for (; which != 0; which &= which - 1) {
        const unsigned page = static_cast<unsigned>(__builtin_ctzll(which));
        if (!pages.try_lock(page))
            continue; // a worker is on it
        done += pages.execute(page, pages.own_thread);
        pages.unlock(page);
    }
    if (done != 0)
        pages.statistics.own.add_alone(done);
    return done;
}

/// Until a call becomes Done that somebody else executes, or that waits.
Result<void> sleep(Pages& pages, Deadline deadline) {
    add_alone(pages.statistics.sleeps, 1);
    return pages.done.wait_while([&] { return !pages.has_completions(); }, deadline);
}

Result<u64> wait_own(Pages& pages, u64 which, u64 flags) {
    const u64 done = execute_here(pages, which) + pages.take_completions();
    if (done != 0 || (flags & api::kFlexscKick)) [[likely]]
        return done;
    if (pages.waiting_calls() == 0)
        return pages.submitted(which) != 0 && pages.own_thread == nullptr ? Result<u64>(fail(Errno::NoMem)) : 0;
    TRY(sleep(pages, kNoDeadline));
    return pages.take_completions();
}

Result<u64> wait_worker(Pages& pages, u64 which, u64 flags) {
    if (const u64 wanted = pages.submitted(which); wanted != 0)
        request(pages, wanted);
    for (;;) {
        if (const u64 done = pages.take_completions(); done != 0 || (flags & api::kFlexscKick))
            return done;
        // In this order: a worker publishes what it has done before it unlocks the page.
        const bool nothing = pages.submitted(which) == 0 && !pages.is_executing() && pages.waiting_calls() == 0;
        if (nothing)
            return pages.take_completions();
        const Result<void> slept = sleep(pages, clock_monotonic_ns() + kWatchdogNs);
        if (slept.has_value())
            continue;
        if (slept.error() != Errno::TimedOut)
            return fail(slept.error());
        const u64 left = pages.submitted(which);
        if (left == 0 || pages.is_executing())
            continue;
        pages.statistics.watchdog.fetch_add(1, kRelaxed);
        log("flexsc: no worker has answered thread {} for {} s: its calls run on its own core", pages.owner_id(),
            kWatchdogNs / 1'000'000'000);
        if (const u64 done = execute_here(pages, left))
            return done + pages.take_completions();
    }
}

/// The next batch is taken to be as large as the last one: to count it would cost as much as to execute a small one.
Result<u64> wait_adaptive(Pages& pages, u64 which, u64 flags) {
    if (pages.adaptive.settled(pages.last_batch)) {
        const u64 done = execute_here(pages, which) + pages.take_completions();
        if (done == 0)
            return wait_worker(pages, which, flags);
        return pages.last_batch = done;
    }
    const Side side = pages.adaptive.choose(pages.last_batch);
    pages.polled.store(side == Side::Worker, kRelaxed);
    const u64 begin = x86::rdtsc(), waiting = pages.waiting_calls();
    u64 done = side == Side::Own ? execute_here(pages, which) + pages.take_completions() : 0;
    if (done == 0)
        done = TRY(wait_worker(pages, which, flags));
    // Calls that wait say nothing of where they began.
    if (done != 0 && pages.waiting_calls() == waiting) {
        pages.adaptive.note(side, done, x86::rdtsc() - begin);
        pages.last_batch = done;
    }
    return done;
}

} // namespace

const Settings& settings() { return in_force; }

Result<void> start(const Settings& settings) {
    in_force = settings;
    TRY(start_workers());
    return add_report();
}

Result<u64> register_pages(Caller& caller, UserPtr<api::FlexscParams> user_params) {
    api::FlexscParams params = TRY(copy_from_user(UserPtr<const api::FlexscParams>{user_params.address()}));
    TRY(check(params));
    params.policy = TRY(choose_policy(params.policy));
    if (params.pages == 0)
        params.pages = api::kFlexscDefaultPages;
    if (params.spin_us == 0)
        params.spin_us = static_cast<u32>(in_force.spin_us);
    if (pages_of(caller) != nullptr)
        return fail(Errno::Busy);
    Place place = TRY(Place::take(*caller.process));
    Ref<Pages> pages = TRY(Pages::create(caller, params.pages, params.policy, u64{params.spin_us} * 1000));
    params.address = pages->address();
    if (const Result<void> told = copy_to_user(user_params, params); !told.has_value()) {
        pages->withdraw();
        return fail(told.error());
    }
    attach(*pages);
    place.keep();
    caller.owner->flexsc_pages = pages.leak();
    return u64{0};
}

Result<u64> wait(Caller& caller, u64 which, u64 flags) {
    Pages* const pages = pages_of(caller);
    if (pages == nullptr || (which & ~pages->all()) != 0 || (flags & ~api::kFlexscKick) != 0)
        return fail(Errno::Inval);
    if (which == 0)
        which = pages->all();
    add_alone(pages->statistics.waits, 1);
    switch (pages->policy()) {
    case FlexscPolicy::Own:
        return wait_own(*pages, which, flags);
    case FlexscPolicy::Adaptive:
        return wait_adaptive(*pages, which, flags);
    default:
        return wait_worker(*pages, which, flags);
    }
}

void withdraw_pages(UserThread& thread) {
    const Ref<Pages> pages = Ref<Pages>::adopt(static_cast<Pages*>(std::exchange(thread.flexsc_pages, nullptr)));
    detach(*pages);
    pages->withdraw();
    thread.process->flexsc_registrations.fetch_sub(1, kRelaxed);
}

} // namespace tollgate::flexsc
