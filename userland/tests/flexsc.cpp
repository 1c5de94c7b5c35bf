// Syscall pages under attack: threats F1-F3, F6, F8, F13, F16 and the errors of flexsc_register() and flexsc_wait().
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "userland/lib/ktap.h"
#include "userland/tests/flexsc_cases.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;
using api::FlexscParams;
using api::ProbeCounter;

long register_pages(FlexscParams& params) { return Native::call(api::kSysFlexscRegister, &params); }
FlexscParams good_params(FlexscPolicy policy = FlexscPolicy::Own) {
    return {.size = sizeof(FlexscParams),
            .version = api::kFlexscVersion,
            .policy = policy,
            .pages = 1,
            .flags = 0,
            .spin_us = 0,
            .address = 0};
}
void set_status(FlexscEntry& entry, uint8_t status) { __atomic_store_n(&entry.status, status, __ATOMIC_RELEASE); }
constexpr auto kDone = static_cast<uint8_t>(FlexscStatus::Done);
constexpr auto kBusy = static_cast<uint8_t>(FlexscStatus::Busy);
constexpr auto kSubmitted = static_cast<uint8_t>(FlexscStatus::Submitted);

// --- errors

int register_errors(uint64_t) {
    VictimChecks checks;
    checks.expect(Flexsc::wait() == -EINVAL); // not registered
    const auto refused = [&](auto&& spoil, std::source_location where = std::source_location::current()) {
        FlexscParams params = good_params();
        spoil(params);
        checks.expect(register_pages(params) == -EINVAL, where);
    };
    refused([](FlexscParams& p) { p.size = 0; });
    refused([](FlexscParams& p) { p.size = sizeof p - 1; });
    refused([](FlexscParams& p) { p.size = sizeof p + 8; });
    refused([](FlexscParams& p) { p.size = ~0u; });
    refused([](FlexscParams& p) { p.version = 0; });
    refused([](FlexscParams& p) { p.version = api::kFlexscVersion + 1; });
    refused([](FlexscParams& p) { p.policy = FlexscPolicy{5}; });
    refused([](FlexscParams& p) { p.policy = FlexscPolicy{~0u}; });
    refused([](FlexscParams& p) { p.pages = api::kFlexscMaxPages + 1; });
    refused([](FlexscParams& p) { p.pages = ~0u; });
    refused([](FlexscParams& p) { p.flags = 1; });
    refused([](FlexscParams& p) { p.spin_us = api::kFlexscMaxSpinUs + 1; });
    for (const uint64_t address : {uint64_t{1}, kPage, uint64_t{0xffffffff80000000}})
        refused([address](FlexscParams& p) { p.address = address; });
    for (const uint64_t pointer :
         {uint64_t{0}, uint64_t{0x1000}, kUserTop, kUserTop - 8, 0xffffffff80000000, ~uint64_t{0}})
        checks.expect(Native::call(api::kSysFlexscRegister, pointer) == -EFAULT);
    // Readable but not writable: the address could not be told.
    void* const page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<FlexscParams*>(page) = good_params();
    mprotect(page, kPage, PROT_READ);
    checks.expect(Native::call(api::kSysFlexscRegister, page) == -EFAULT);
    checks.expect(Flexsc::wait() == -EINVAL); // and nothing is left registered
    // After all these it still works, once.
    FlexscParams params = good_params();
    params.pages = 0;
    checks.expect(register_pages(params) == 0 && params.address % kPage == 0 && params.address < kUserTop);
    checks.expect(params.pages == api::kFlexscDefaultPages && params.spin_us != 0);
    checks.expect(Flexsc::wait() == 0); // nothing submitted
    checks.expect(Flexsc::wait(uint64_t{1} << api::kFlexscMaxPages) == -EINVAL);
    checks.expect(Flexsc::wait(~uint64_t{0}) == -EINVAL);
    checks.expect(Flexsc::wait(0, 2) == -EINVAL);
    FlexscParams again = good_params();
    checks.expect(register_pages(again) == -EBUSY);
    again.policy = FlexscPolicy::WorkerPoll;
    const long by_worker = register_pages(again);
    checks.expect(by_worker == -EBUSY || by_worker == -ENODEV);
    // All pages are there and empty.
    const auto* const words = reinterpret_cast<const uint64_t*>(params.address);
    for (unsigned i = 0; i < api::kFlexscMaxPages * kPage / 8; ++i)
        checks.expect(words[i] == 0);
    return checks.result();
}

/// Refused argument counts, unknown numbers, and results of every kind.
int results(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    checks.expect(gate->call(SYS_getppid) == getppid());
    checks.expect(gate->call(SYS_getpid) == getpid());
    checks.expect(gate->call(api::kSysNull) == 0);
    for (const uint32_t number :
         {500u, 511u, 512u, 4095u, 4112u, 0x7fffffffu, 0x80000000u, 0xffffffffu, 0x40000000u | SYS_getpid})
        checks.expect(gate->call(number) == -ENOSYS);
    for (const uint16_t count : {7, 8, 255, 256, 0xffff}) {
        FlexscEntry& entry = gate->entry(3);
        entry.number = SYS_getppid;
        entry.argument_count = count;
        set_status(entry, kSubmitted);
        checks.expect(gate->await(entry) && Flexsc::take(entry) == -EINVAL);
    }
    for (unsigned slot = 0; slot < gate->size(); ++slot) {
        FlexscEntry& entry = gate->entry(slot);
        Flexsc::post(entry, SYS_lseek, 77, slot, 0);
        checks.expect(gate->await(entry) && Flexsc::take(entry) == -EBADF);
    }
    return checks.result();
}

// --- F5

/// What stands in a page indexes nothing: a number that is one of the table's only if it is cut off, and argument
/// counts beyond six, in calls that would succeed.
int bounds(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    FlexscEntry& entry = gate->entry(63);
    const auto submit = [&](uint32_t number, uint16_t count, uint8_t reserved) {
        for (uint64_t& argument : entry.args)
            argument = ~uint64_t{0};
        entry.number = number;
        entry.argument_count = count;
        entry.reserved = reserved;
        set_status(entry, kSubmitted);
        return gate->await(entry) ? Flexsc::take(entry) : -ETIME;
    };
    for (unsigned bit = 9; bit < 32; ++bit)
        checks.expect(submit(1u << bit | SYS_getppid, 0, 0) == -ENOSYS);
    for (unsigned count = 7; count <= 0xffff; count += count < 300 ? 1 : 251)
        checks.expect(submit(SYS_getppid, static_cast<uint16_t>(count), 0) == -EINVAL);
    for (uint16_t count = 0; count <= 6; ++count)
        for (const uint8_t reserved : {0, 1, 0xff}) // ignored
            checks.expect(submit(SYS_getppid, count, reserved) == getppid());
    checks.expect(submit(SYS_getppid, 7, 0xff) == -EINVAL);
    return checks.result();
}

// --- F1

/// Finds the moment at which the kernel takes a submitted entry: waits longer before the next change when the last one
/// came too early, and shorter when it came too late. PAUSE gives the worker its turn under an emulator that runs one
/// virtual CPU at a time.
class Aim {
public:
    void wait() {
        for (unsigned i = ++round_ % 4; i != 0; --i)
            _mm_pause();
        noise_ = noise_ * 6364136223846793005 + 1442695040888963407;
        const uint64_t turns = delay_ + (noise_ >> 33) % (delay_ / 8 + 16);
        for (uint64_t i = 0; i < turns; ++i)
            asm volatile("" ::: "memory");
    }
    void too_early() { delay_ = delay_ < kLongest ? delay_ + delay_ / 32 + 1 : kShortest; }
    void too_late() { delay_ -= delay_ > kShortest ? delay_ / 32 : 0; }

private:
    /// Waits longer than the second let the worker fall asleep, and then every change comes too early.
    static constexpr uint64_t kShortest = 64, kLongest = 10'000;
    uint64_t delay_ = 1000, noise_ = 1;
    unsigned round_ = 0;
};

/// Submits a call, and then changes it: first the argument count to one that is refused, then `change`, in this order.
/// The kernel reads number and count by one load (kernel/gate/flexsc/entry.h). So whoever sees another number sees the
/// refused count too, and the changed call is never executed; unless it is read again after the check.
template <class Change>
long change_after(const Flexsc& gate, FlexscEntry& entry, Aim& aim, Change&& change) {
    aim.wait();
    volatile uint16_t& count = entry.argument_count;
    count = 7;
    change();
    const long result = gate.await(entry) ? Flexsc::take(entry) : -ETIME;
    if (result == -EINVAL)
        aim.too_early();
    else
        aim.too_late();
    return result;
}

/// F1 with a worker core, which reads while we write.
int change_after_submission(uint64_t) {
    VictimChecks checks;
    const auto gate = Flexsc::open(FlexscPolicy::WorkerPoll);
    if (!checks.expect(gate.has_value()))
        return 1;
    const long parent = getppid(), own = getpid();
    alignas(64) static char source[64];
    constexpr unsigned kRounds = 40'000;
    Aim aim;
    unsigned done = 0, refused = 0;
    for (unsigned round = 0; round < kRounds; ++round) {
        FlexscEntry& entry = gate->entry(round % 4);
        Flexsc::post(entry, SYS_getppid);
        volatile uint32_t& number = entry.number;
        const long result = change_after(*gate, entry, aim, [&] { number = SYS_getpid; });
        checks.expect(result != own); // checked as one call, executed as another
        if (!checks.expect(result == parent || result == -EINVAL))
            break;
        (result == parent ? done : refused) += 1;
    }
    dprintf(STDOUT_FILENO, "# F1: %u calls were executed as submitted, %u refused after the change\n", done, refused);
    for (unsigned round = 0; round < kRounds; ++round) {
        FlexscEntry& entry = gate->entry(4 + round % 4);
        Flexsc::post(entry, api::kSysCopy64, source);
        volatile uint64_t& pointer = entry.args[0];
        const long result = change_after(*gate, entry, aim, [&] { pointer = 0xffffffff80000000; });
        // Arguments are read after the count, once, and checked as they are used: never through the kernel's address.
        if (!checks.expect(result == 0 || result == -EINVAL || result == -EFAULT))
            break;
    }
    // Changed all the time, between a call that is allowed and one that is for traps only: done or refused, never both.
    for (unsigned round = 0; round < kRounds / 4; ++round) {
        FlexscEntry& entry = gate->entry(8 + round % 4);
        Flexsc::post(entry, SYS_getppid);
        volatile uint32_t& number = entry.number;
        for (unsigned flip = 0; flip < 2'000 && !Flexsc::is_done(entry); ++flip)
            number = flip % 2 == 0 ? SYS_sched_yield : SYS_getppid;
        const long result = gate->await(entry) ? Flexsc::take(entry) : -ETIME;
        if (!checks.expect(result == parent || result == -ENOSYS))
            break;
    }
    return checks.result();
}

// --- F2, F3

/// Only Submitted may ever lead to an execution. The call that must not happen writes to a file, and is counted.
int forged_status(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    const int file = open("/tmp/forged", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (!checks.expect(gate.has_value() && file >= 0))
        return 1;
    // A worker that polls gets a call now and then, so that it is awake when the forged entries are there.
    const auto keep_awake = [&] { checks.expect(gate->call(SYS_getppid) == getppid()); };
    FlexscEntry& entry = gate->entry(40);
    for (unsigned status = 0; status < 256; ++status) {
        if (status == kSubmitted)
            continue;
        entry.args[0] = static_cast<uint64_t>(file);
        entry.args[1] = reinterpret_cast<uint64_t>("x");
        entry.args[2] = 1;
        entry.number = SYS_write;
        entry.argument_count = 3;
        entry.result = 0x5a5a;
        set_status(entry, static_cast<uint8_t>(status));
        if (status != kDone) // else flexsc_wait() would return at once, and rightly
            keep_awake();
        if (status != kBusy || policy == 0) // a worker that is Busy may be waited for, as long as the watchdog lets us
            Flexsc::wait();
        checks.expect(status_of(entry) == FlexscStatus{static_cast<uint8_t>(status)} && entry.result == 0x5a5a);
        set_status(entry, 0);
    }
    checks.expect(lseek(file, 0, SEEK_END) == 0);
    // The last eight bytes written as one forged word each: a number, a count and a status together.
    auto* const control = reinterpret_cast<volatile uint64_t*>(&entry.number);
    for (const uint64_t word :
         {~uint64_t{0}, uint64_t{kBusy} << 48 | SYS_write, uint64_t{0xff} << 48, uint64_t{0xff} << 56}) {
        *control = word;
        keep_awake();
        let_others_run(5);
        checks.expect(*control == word);
        *control = 0;
    }
    checks.expect(lseek(file, 0, SEEK_END) == 0);
    close(file);
    return checks.result();
}

/// Status changes that the protocol forbids lead to exactly as many executions as there were submissions.
int resubmitted(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    FlexscEntry& entry = gate->entry(0);
    const auto executed = [] { return counter(ProbeCounter::CallsFlexsc); };
    const uint64_t before = executed();
    constexpr unsigned kRounds = 500;
    for (unsigned round = 0; round < kRounds; ++round) {
        // Done (or Busy, forged) straight to Submitted, without Free in between.
        entry.number = SYS_getppid;
        entry.argument_count = 0;
        entry.result = -1;
        set_status(entry, round % 2 == 0 ? kDone : kBusy);
        set_status(entry, kSubmitted);
        if (!checks.expect(gate->await(entry) && entry.result == getppid()))
            break;
    }
    set_status(entry, 0);
    checks.expect(executed() - before == kRounds);
    // Waiting again, with nothing submitted, executes nothing; the first may tell of calls that were taken already.
    checks.expect(Flexsc::wait() >= 0);
    for (unsigned round = 0; round < 50; ++round)
        checks.expect(Flexsc::wait() == 0);
    checks.expect(executed() - before == kRounds);
    return checks.result();
}

/// Submitted over and over while it may be Busy: never more executions than submissions, and the page stays usable.
int hammered(uint64_t) {
    VictimChecks checks;
    const auto gate = Flexsc::open(FlexscPolicy::WorkerPoll);
    if (!checks.expect(gate.has_value()))
        return 1;
    const uint64_t before = counter(ProbeCounter::CallsFlexsc);
    FlexscEntry& entry = gate->entry(0);
    entry.number = SYS_getppid;
    entry.argument_count = 0;
    uint64_t submissions = 0;
    for (unsigned round = 0; round < 100'000; ++round) {
        set_status(entry, kSubmitted);
        ++submissions;
        if (round % 1000 == 0)
            Flexsc::wait();
    }
    checks.expect(wait_until(
        [&] {
            Flexsc::wait();
            return status_of(entry) == FlexscStatus::Done;
        },
        10'000));
    const uint64_t executed = counter(ProbeCounter::CallsFlexsc) - before;
    checks.expect(executed >= 1 && executed <= submissions);
    set_status(entry, 0);
    for (unsigned slot = 0; slot < gate->size(); ++slot)
        Flexsc::post(gate->entry(slot), SYS_getpid);
    for (unsigned slot = 0; slot < gate->size(); ++slot)
        checks.expect(gate->await(gate->entry(slot)) && Flexsc::take(gate->entry(slot)) == getpid());
    return checks.result();
}

// --- F6

int refused_calls(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    // Harmless ones first, and no further than the first that is executed: an exit would be executed too.
    for (const long number : {long{SYS_sched_yield},
                              long{SYS_set_robust_list},
                              long{SYS_rt_sigprocmask},
                              long{SYS_sigaltstack},
                              long{SYS_ppoll},
                              long{SYS_epoll_pwait},
                              long{SYS_rt_sigsuspend},
                              long{SYS_pause},
                              long{SYS_arch_prctl},
                              long{SYS_set_tid_address},
                              long{SYS_sched_setaffinity},
                              long{api::kSysProbe},
                              long{api::kSysFlexscRegister},
                              long{api::kSysFlexscWait},
                              long{api::kSysFastcall},
                              long{SYS_execve},
                              long{SYS_execveat},
                              long{SYS_clone3},
                              long{SYS_clone},
                              long{SYS_fork},
                              long{SYS_vfork},
                              long{SYS_rt_sigreturn},
                              long{SYS_exit_group},
                              long{SYS_exit}})
        if (!checks.expect(gate->call(number) == -ENOSYS))
            return checks.result();
    // The pages themselves are no memory of the caller's, whichever way it asks.
    const auto page = reinterpret_cast<uint64_t>(&gate->entry(0));
    checks.expect(gate->call(SYS_munmap, page, kPage) < 0);
    checks.expect(gate->call(SYS_mprotect, page, kPage, PROT_NONE) < 0);
    checks.expect(gate->call(SYS_mmap, page, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1) < 0);
    checks.expect(gate->call(SYS_getppid) == getppid());
    // A call whose result goes into its own entry harms only this program.
    FlexscEntry& own = gate->entry(1);
    Flexsc::post(own, SYS_clock_gettime, CLOCK_MONOTONIC, &own);
    const bool over = gate->await(own);
    checks.expect(over || status_of(own) != FlexscStatus::Submitted);
    set_status(own, 0);
    checks.expect(gate->call(SYS_getppid) == getppid());
    return checks.result();
}

// --- F8, F13, F16

int bad_pointers(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    alignas(64) static char source[64];
    for (const uint64_t pointer :
         {uint64_t{0}, uint64_t{1}, uint64_t{0x1000}, kUserTop - 63, kUserTop, uint64_t{1} << 47, uint64_t{1} << 63,
          0xffff800000100000, 0xffffffff80200000, 0xffffffffc0000000, ~uint64_t{0}}) {
        checks.expect(gate->call(api::kSysCopy64, pointer) == -EFAULT);
        checks.expect(gate->call(SYS_openat, AT_FDCWD, pointer, O_RDONLY) == -EFAULT);
        checks.expect(gate->call(SYS_clock_gettime, CLOCK_MONOTONIC, pointer == 0xffff800000100000 ? 8 : pointer) ==
                      -EFAULT);
        checks.expect(gate->call(api::kSysCopy64, source) == 0);
    }
    // Pages that nobody has touched, and pages that go away between two calls: faults that another core resolves, or
    // not.
    for (unsigned round = 0; round < 100; ++round) {
        void* const fresh = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        checks.expect(gate->call(SYS_clock_gettime, CLOCK_MONOTONIC, fresh) == 0);
        checks.expect(gate->call(api::kSysCopy64, fresh) == 0);
        munmap(fresh, kPage);
        checks.expect(gate->call(api::kSysCopy64, fresh) == -EFAULT);
    }
    return checks.result();
}

/// Leaves without looking back while its calls are being executed.
int leave_with_calls(uint64_t policy) {
    const auto gate = Flexsc::open(policy_of(policy), api::kFlexscMaxPages);
    if (!gate)
        return 1;
    alignas(64) static char source[64];
    for (unsigned slot = 0; slot < gate->size(); ++slot)
        Flexsc::post(gate->entry(slot), api::kSysCopy64, source);
    Flexsc::wait();
    for (unsigned slot = 0; slot < gate->size(); slot += 2)
        Flexsc::post(gate->entry(slot), api::kSysCopy64, source);
    return 0;
}

int execute_with_calls(uint64_t policy) {
    const auto gate = Flexsc::open(policy_of(policy), api::kFlexscMaxPages);
    if (!gate)
        return 1;
    for (unsigned slot = 0; slot < gate->size(); ++slot)
        Flexsc::post(gate->entry(slot), SYS_getppid);
    char* const arguments[] = {const_cast<char*>("test-raw"), const_cast<char*>("exit"), const_cast<char*>("5"),
                               nullptr};
    Native::call(SYS_execve, sibling("test-raw"), arguments, arguments + 3);
    return 1;
}

int batches(uint64_t policy) {
    VictimChecks checks;
    const auto gate = Flexsc::open(policy_of(policy));
    if (!checks.expect(gate.has_value()))
        return 1;
    const long own = getpid();
    for (unsigned round = 0; round < 200; ++round) {
        unsigned right = 0;
        const unsigned count = 1 + round % gate->size();
        checks.expect(gate->batch(
            count, [&](long result) { right += result == own ? 1 : 0; }, SYS_getpid));
        checks.expect(right == count);
        if (round % 8 == 0)
            Native::call(SYS_sched_yield);
    }
    return checks.result();
}

constexpr Victim kVictims[] = {
    {"register-errors", register_errors},
    {"results", results},
    {"bounds", bounds},
    {"change-after-submission", change_after_submission},
    {"forged-status", forged_status},
    {"resubmitted", resubmitted},
    {"hammered", hammered},
    {"refused-calls", refused_calls},
    {"bad-pointers", bad_pointers},
    {"leave", leave_with_calls},
    {"exec", execute_with_calls},
    {"batches", batches},
};

void test_departures(Ktap& ktap) {
    for_policies(ktap, "F8 exit and exec with calls in flight", kOwnAndPoll, [&](FlexscPolicy policy) {
        check_frames(ktap, [&] {
            for (unsigned round = 0; round < 30; ++round) {
                int status = run_victim("leave", argument_of(policy));
                ktap.check(exited_with(status, 0), "exit: %s", describe(status));
                status = run_victim("exec", argument_of(policy));
                ktap.check(exited_with(status, 5), "exec: %s", describe(status));
            }
        });
    });
}

void test_many_processes(Ktap& ktap) {
    for_policies(ktap, "F16 eight processes share the cores", kOwnAndPoll, [&](FlexscPolicy policy) {
        int children[8];
        for (int& child : children)
            child = start_victim("batches", argument_of(policy));
        for (const int child : children) {
            const int status = wait_status(child);
            ktap.check(exited_with(status, 0), "%s", describe(status));
        }
    });
}

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims, kFlexscHelpers});
    Ktap ktap(20);
    ktap.check(has_worker() || exited_with(worker_status(), 2), "flexsc_register(Worker): %s",
               describe(worker_status()));
    ktap.test("a worker core is there, or its absence is ENODEV");
    const int status = run_victim("register-errors");
    ktap.check(exited_with(status, 0), "%s", describe(status));
    ktap.test("F9 flexsc_register and flexsc_wait refuse what is wrong");
    test_case(ktap, "results", "results, unknown numbers, argument counts", kOwnAndPoll);
    test_case(ktap, "bounds", "F5 numbers and argument counts beyond their bounds", kOwnAndPoll);
    test_case(ktap, "change-after-submission", "F1 changes after submission: one snapshot", {FlexscPolicy::WorkerPoll});
    test_case(ktap, "forged-status", "F2 forged status: nothing but Submitted is executed", kOwnAndPoll);
    test_case(ktap, "resubmitted", "F3 Busy or Done to Submitted: executed once each", kOwnAndPoll);
    test_case(ktap, "hammered", "F3 submitted again while Busy: no surplus execution", {FlexscPolicy::WorkerPoll});
    test_case(ktap, "refused-calls", "F6 calls that a page may not make: ENOSYS", kOwnAndPoll);
    test_case(ktap, "bad-pointers", "F13 bad pointers and page faults: EFAULT, the next call works", kOwnAndPoll);
    test_departures(ktap);
    test_many_processes(ktap);
    return ktap.finish();
}
