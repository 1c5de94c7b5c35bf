// What the ring-3 tests share: victims (children that are expected to be killed), the kernel's test instrument, and
// system calls with every register under control. Results go out through userland/lib/ktap.h.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <source_location>
#include <span>
#include <sys/syscall.h>

#include "api/numbers.h"
#include "api/probe.h"
#include "userland/lib/gate_int80.h"
#include "userland/lib/gate_native.h"
#include "userland/lib/ktap.h"

namespace tollgate::test {

using std::uint64_t;

/// What user programs are told about the address map: no mapping may reach this address [threats S2].
inline constexpr uint64_t kUserTop = (uint64_t{1} << 47) - 4096;
inline constexpr uint64_t kPage = 4096;

// --- the test instrument
inline long probe(api::Probe operation, uint64_t a = 0, uint64_t b = 0) {
    return Native::call(api::kSysProbe, static_cast<long>(operation), a, b);
}
inline uint64_t counter(api::ProbeCounter which) {
    return static_cast<uint64_t>(probe(api::Probe::ReadCounter, static_cast<uint64_t>(which)));
}
inline uint64_t free_frames() { return static_cast<uint64_t>(probe(api::Probe::FreeFrames)); }

// --- victims
/// A part of the test that runs in a process of its own: by `exec(argv[0], "victim", name, argument)`. Its result is
/// the exit status, should it survive.
struct Victim {
    const char* name;
    int (*run)(uint64_t argument);
};
/// Exit status of a victim that was to be killed and was not.
inline constexpr int kSurvived = 99;

/// To be called first in main(): if this process is a victim, plays it and exits; else remembers argv[0].
void play_victim(int argc, char** argv, std::initializer_list<std::span<const Victim>> lists);

/// Starts a victim; its process id, or -1.
int start_victim(const char* name, uint64_t argument = 0);
/// Starts any program with up to two arguments.
int start_program(const char* path, const char* first = nullptr, const char* second = nullptr);
/// The path of a program that lies beside this one.
const char* sibling(const char* name);
/// wait4's status word; -1 if there is no such child.
int wait_status(int child);
/// Both in one.
int run_victim(const char* name, uint64_t argument = 0);

/// A victim's own checks: the first that fails is noted on the console by its line. result() is the exit status.
class VictimChecks {
public:
    bool expect(bool good, std::source_location where = std::source_location::current());
    int result() const { return failed_ ? 1 : 0; }

private:
    bool failed_ = false;
};

bool killed_by(int status, std::initializer_list<int> signals);
bool exited_with(int status, int code);
/// For messages: "signal 11", "exit 3".
const char* describe(int status);

// --- system calls with every register under control
struct Registers {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, flags;
};
/// Loads all registers (RFLAGS by POPF), crosses, and stores all. Not for two threads at once. What RSP and RBP point
/// to is never used.
Registers cross_by_syscall(const Registers& in);
Registers cross_by_int80(const Registers& in);
/// Registers with a pattern in each, for a call with these arguments. RSP is a stack's.
Registers patterned(uint64_t number, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0);
/// Where cross_by_syscall() goes on: RCX after SYSCALL.
uint64_t address_after_syscall();

// RFLAGS [SDM vol 1, 3.4.3]
inline constexpr uint64_t kCf = 1, kFixed = 2, kPf = 4, kAf = 0x10, kZf = 0x40, kSf = 0x80, kTf = 0x100, kIf = 0x200;
inline constexpr uint64_t kDf = 0x400, kOf = 0x800, kIopl = 0x3000, kNt = 0x4000, kRf = 0x10000, kVm = 0x20000;
inline constexpr uint64_t kAc = 0x40000, kVif = 0x80000, kVip = 0x100000, kId = 0x200000;

/// Gives up the processor so often that every other thread had its turn. No clock is asked.
void let_others_run(unsigned rounds = 50);
/// Waits until `done()`, for a bounded number of turns; whether it came true.
template <class Condition>
bool wait_until(Condition&& done, unsigned rounds = 100'000) {
    for (unsigned i = 0; i < rounds; ++i) {
        if (done())
            return true;
        Native::call(SYS_sched_yield);
    }
    return done();
}

/// Checks that `action` can be repeated without losing page frames. A thread's kernel stack goes only after the switch
/// away from it, perhaps on another core, hence the bounded wait; the kernel's heap keeps what it once needed at one
/// time, which depends on how many CPUs were at it, hence some slack and a second chance. A leak comes back every time.
template <class Action>
void check_frames(Ktap& ktap, Action&& action) {
    constexpr uint64_t kSlack = 16;
    bool kept = false;
    for (unsigned attempt = 0; attempt < 4 && !kept; ++attempt) {
        const uint64_t before = free_frames();
        action();
        kept = wait_until([&] { return free_frames() + kSlack >= before; }, 20'000);
    }
    ktap.check(kept, "frames are lost every time; %llu are left", static_cast<unsigned long long>(free_frames()));
}

} // namespace tollgate::test
