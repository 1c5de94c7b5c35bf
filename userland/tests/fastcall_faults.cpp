// Fastcalls that go wrong: threats C4 to C8 and C11. The functions are those of kernel/gate/fastcall/abuse_test.S,
// which a provider could not register. What the kernel says of each in its log is checked by
// tests/system/CMakeLists.txt.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "api/fastcall.h"
#include "userland/lib/gate_fastcall.h"
#include "userland/lib/ktap.h"
#include "userland/lib/ticks.h"
#include "userland/tests/fastcall_support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;
using api::FastcallAbuse;
using api::Probe;
using api::ProbeCounter;

constexpr uint64_t kBadAddresses[] = {
    0, 1, 0x1000, kUserTop, uint64_t{1} << 47, uint64_t{1} << 63, 0xffffc00000000000, ~uint64_t{0} - 7};

// --- victims

/// Calls an abuse with an address that is not there, or nothing.
int do_abuse(uint64_t which) {
    std::signal(SIGSEGV, [](int) { _exit(3); }); // nobody is asked: the kernel's function has failed
    const long index = register_abuse(static_cast<FastcallAbuse>(which));
    if (index < 0)
        return 2;
    Fastcall::call(index, 0x10);
    return kSurvived;
}

constexpr Victim kVictims[] = {{"abuse", do_abuse}};

// --- C4

void test_user_copies(Ktap& ktap) {
    static uint64_t value = 0x1122334455667788;
    for (const FastcallAbuse which : {FastcallAbuse::Read, FastcallAbuse::ReadOnStack}) {
        const long index = register_abuse(which);
        ktap.check(Fastcall::call(index, &value) == static_cast<long>(value), "a good address");
        for (const uint64_t address : kBadAddresses) {
            const uint64_t before = counter(ProbeCounter::FastcallFaults);
            const long result = Fastcall::call(index, address);
            const uint64_t faults = counter(ProbeCounter::FastcallFaults) - before;
            ktap.check(result == -EFAULT && faults == 1, "address %#llx: %ld, %llu faults",
                       static_cast<unsigned long long>(address), result, static_cast<unsigned long long>(faults));
            ktap.check(Fastcall::call(index, &value) == static_cast<long>(value), "the call after the fault");
        }
        deregister(index);
    }
    ktap.test("C4 a bad address in a user copy: EFAULT, and the next call works");

    // GS is the user's while the fastcall runs: any value must do, and must still be there afterwards.
    const long index = register_abuse(FastcallAbuse::Read);
    for (const uint64_t base :
         {uint64_t{0}, uint64_t{8}, uint64_t{0x1000}, kUserTop - 8, reinterpret_cast<uint64_t>(&value)}) {
        ktap.check(set_gs(base) == 0, "gs base %#llx cannot be set", static_cast<unsigned long long>(base));
        for (const uint64_t address : kBadAddresses)
            ktap.check(Fastcall::call(index, address) == -EFAULT, "fault with gs base %#llx",
                       static_cast<unsigned long long>(base));
        ktap.check(get_gs() == base, "gs base %#llx became %#llx", static_cast<unsigned long long>(base),
                   static_cast<unsigned long long>(get_gs()));
    }
    for (const uint64_t base : {uint64_t{1} << 47, uint64_t{1} << 63, uint64_t{0xffff800000000000}, ~uint64_t{0}})
        ktap.check(set_gs(base) < 0, "gs base %#llx was accepted", static_cast<unsigned long long>(base));
    set_gs(0);
    deregister(index);
    ktap.test("C4 a fault with any gs base: the user's comes back");
}

void expect_end(Ktap& ktap, FastcallAbuse which, int signal, const char* name) {
    const int status = run_victim("abuse", static_cast<uint64_t>(which));
    ktap.check(killed_by(status, {signal}), "%s: %s, not signal %d", name, describe(status), signal);
}

void test_bugs(Ktap& ktap) {
    const FastcallCounts before = read_counts("undefined");
    expect_end(ktap, FastcallAbuse::Undefined, SIGILL, "undefined");
    const FastcallCounts after = read_counts("undefined");
    ktap.check(after.kills == before.kills + 1, "/proc/tollgate/fastcall counts %ld kills, then %ld", before.kills,
               after.kills);
    expect_end(ktap, FastcallAbuse::ReadUndeclared, SIGSEGV, "read_undeclared");
    expect_end(ktap, FastcallAbuse::Breakpoint, SIGTRAP, "breakpoint");
    expect_end(ktap, FastcallAbuse::Divide, SIGFPE, "divide");
    expect_end(ktap, FastcallAbuse::NonCanonical, SIGSEGV, "non_canonical");
    expect_end(ktap, FastcallAbuse::Wild, SIGSEGV, "wild");
    ktap.test("C4 any other fault: the caller ends by its signal, the kernel goes on");
}

// --- C5

void test_nmis(Ktap& ktap) {
    const long index = register_abuse(FastcallAbuse::Spin);
    static uint64_t anywhere;
    const uint64_t base = reinterpret_cast<uint64_t>(&anywhere);
    set_gs(base);
    const uint64_t before = counter(ProbeCounter::Nmis);
    long rounds = 1000;
    // Longer and longer until NMIs have come inside; the watchdog sends about 18 a second, to a call that is still
    // short of its budget.
    bool right = true;
    for (; counter(ProbeCounter::Nmis) < before + 3 && rounds < 1L << 34; rounds += rounds / 2)
        right = Fastcall::call(index, rounds) == api::kSpinResult && right;
    ktap.check(right, "a call that NMIs have interrupted gave a wrong result");
    ktap.check(counter(ProbeCounter::Nmis) >= before + 3, "no NMI has come");
    ktap.check(get_gs() == base, "gs base %#llx became %#llx", static_cast<unsigned long long>(base),
               static_cast<unsigned long long>(get_gs()));
    set_gs(0);
    for (unsigned n = 0; n < 100; ++n) { // between calls, from here
        ktap.check(probe(Probe::RaiseNmi, 0) == 0, "no NMI could be sent");
        ktap.check(Fastcall::call(index, 10) == api::kSpinResult, "a call after an NMI");
    }
    deregister(index);
    ktap.test("C5 NMIs in a fastcall: it goes on, with the user's gs base");
}

// --- C6

void test_loop(Ktap& ktap) {
    const FastcallCounts before = read_counts("loop");
    expect_end(ktap, FastcallAbuse::Loop, SIGKILL, "loop");
    const FastcallCounts after = read_counts("loop");
    ktap.check(after.overruns == before.overruns + 1, "/proc/tollgate/fastcall counts %ld overruns, then %ld",
               before.overruns, after.overruns);
    ktap.test("C6 a fastcall that does not end: the watchdog ends its caller");
}

// --- C7, C11

void test_stack(Ktap& ktap) {
    expect_end(ktap, FastcallAbuse::Recurse, SIGSEGV, "recurse");
    const long stack = register_example(api::kFastcallIoctlStack).index;
    ktap.check(Fastcall::call(stack, 0xbeef) == 0xbeef, "the stack afterwards");
    ktap.test("C7 a fastcall that overflows its stack meets the guard page");

    // Whoever lets RSP point where a function's user RSP would be gets his own back, not what lies there.
    const long read = register_abuse(FastcallAbuse::Read);
    for (uint64_t cpu = 0; cpu < 4; ++cpu) {
        Fastcall::call(stack, 1);
        Registers in = patterned(api::kSysFastcall, static_cast<uint64_t>(read), 0x10);
        for (const uint64_t rsp : {kStacks + (cpu + 1) * kStackStride - 8, kStacks + (cpu + 1) * kStackStride - 64}) {
            in.rsp = rsp;
            const Registers out = cross_by_syscall(in);
            ktap.check(out.rsp == rsp && static_cast<int64_t>(out.rax) == -EFAULT, "rsp %#llx became %#llx",
                       static_cast<unsigned long long>(rsp), static_cast<unsigned long long>(out.rsp));
        }
    }
    deregister(read);
    deregister(stack);
    ktap.test("C11 the words left on a fastcall stack reach nobody");
}

// --- C8

void test_exit_state(Ktap& ktap) {
    if (!checks_are_on())
        return ktap.skip("C8 a fastcall that leaves in a wrong state", "fastcall.check=off");
    constexpr struct {
        FastcallAbuse which;
        const char* name;
    } kCases[] = {{FastcallAbuse::LeaveAc, "AC"},     {FastcallAbuse::LeaveDf, "DF"},
                  {FastcallAbuse::LeaveNt, "NT"},     {FastcallAbuse::LeaveRsp, "RSP"},
                  {FastcallAbuse::LeaveRcx, "RCX"},   {FastcallAbuse::LeaveR11, "R11"},
                  {FastcallAbuse::LeaveGs, "GS base"}};
    for (const auto& [which, name] : kCases)
        expect_end(ktap, which, SIGKILL, name);
    ktap.test("C8 a fastcall that leaves in a wrong state");
}

/// C14: calls are counted, and the longest is known.
void test_counts(Ktap& ktap) {
    if (!checks_are_on())
        return ktap.skip("calls are counted, and timed", "fastcall.check=off");
    const long index = register_abuse(FastcallAbuse::Spin);
    const FastcallCounts before = read_counts("spin");
    for (unsigned n = 0; n < 50; ++n)
        Fastcall::call(index, 100);
    FastcallCounts after = read_counts("spin");
    ktap.check(after.calls == before.calls + 50, "%ld calls became %ld", before.calls, after.calls);
    constexpr long kTurns = 100'000; // far below the budget, on Bochs too
    const uint64_t start = ticks_begin();
    Fastcall::call(index, kTurns);
    const uint64_t took = ticks_end() - start;
    after = read_counts("spin");
    ktap.check(static_cast<uint64_t>(after.longest) >= kTurns &&
                   (before.longest >= after.longest || static_cast<uint64_t>(after.longest) <= took),
               "the longest of %llu ticks is said to be %ld", static_cast<unsigned long long>(took), after.longest);
    deregister(index);
    ktap.check(read_counts("spin").calls == after.calls, "calls are lost with the registration");
    ktap.test("calls are counted, and timed");
}

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims});
    Ktap ktap(9);
    test_user_copies(ktap);
    test_bugs(ktap);
    test_nmis(ktap);
    test_loop(ktap);
    test_stack(ktap);
    test_exit_state(ktap);
    test_counts(ktap);
    return ktap.finish();
}
