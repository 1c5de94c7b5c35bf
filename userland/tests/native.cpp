// The SYSCALL and SYSRET path under attack: threats S1-S3, S5-S8, S10, S12, S13. QEMU's TCG delivers the faults of a
// bad SYSRET in ring 3, where real hardware takes them in ring 0 with the user's stack; so survival proves nothing, and
// S1, S3 and S7 look at the kernel's counters of the ways it went back.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <sys/mman.h>
#include <unistd.h>

#include "userland/lib/ktap.h"
#include "userland/tests/support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;
using api::Probe;
using api::ProbeCounter;

// --- victims

int return_to(uint64_t rip) {
    probe(Probe::SetReturnRip, rip);
    return kSurvived;
}

/// S2: SYSCALL as the last two bytes below the top of user space, so that RCX becomes the first address beyond.
int syscall_at_top(uint64_t) {
    void* const page = mmap(reinterpret_cast<void*>(kUserTop - kPage), kPage, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (page == MAP_FAILED)
        return 1;
    auto* const bytes = static_cast<unsigned char*>(page);
    bytes[kPage - 2] = 0x0f;
    bytes[kPage - 1] = 0x05;
    if (mprotect(page, kPage, PROT_READ | PROT_EXEC) != 0)
        return 2;
    const uint64_t target = kUserTop - 2;
    asm volatile("jmp *%1" : : "a"(SYS_getpid), "r"(target) : "rcx", "r11", "memory");
    return kSurvived;
}

/// S5: the bad stack pointer is harmless until user code itself pushes to it.
int push_to(uint64_t stack) {
    asm volatile("movq %0, %%rsp\n\tmovl %1, %%eax\n\tsyscall\n\tpushq %%rax" : : "r"(stack), "i"(SYS_getpid));
    __builtin_unreachable();
}

/// S6 for one value of RFLAGS. In a process of its own: wrong flags may well end it.
int return_with_flags_and_look(uint64_t flags);

int return_with_trap_flag(uint64_t) {
    probe(Probe::SetReturnFlags, kTf | kIf | kFixed);
    asm volatile("nop\n\tnop\n\tnop");
    return kSurvived;
}

/// S12: a far return to a 32-bit code segment, were there one.
int enter_32_bit(uint64_t selector) {
    asm volatile("pushq %0\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n1:" : : "r"(selector) : "rax", "memory");
    return kSurvived;
}

int use_sysenter(uint64_t) {
    asm volatile("movl %0, %%eax\n\tsysenter" : : "i"(SYS_getpid) : "eax", "rcx", "rdx", "memory");
    return kSurvived;
}

/// S13: every call with six times -1, RSP = RBP = -1. Those that end or suspend the caller by design are left out.
int all_ones(uint64_t through_int80) {
    constexpr uint64_t kOnes = ~uint64_t{0};
    constexpr long kLeftOut[] = {SYS_rt_sigreturn, SYS_pause,      SYS_fork,          SYS_vfork,
                                 SYS_exit,         SYS_exit_group, SYS_rt_sigsuspend, SYS_reboot};
    const auto attack = [&](uint64_t number) {
        Registers in = patterned(number, kOnes, kOnes, kOnes);
        in.r10 = in.r8 = in.r9 = in.rsp = in.rbp = kOnes;
        const Registers out = through_int80 ? cross_by_int80(in) : cross_by_syscall(in);
        return out.rsp == kOnes && out.rbp == kOnes;
    };
    for (uint64_t number = 0; number < 512; ++number) {
        bool left_out = number == api::kSysFastcall && through_int80;
        for (const long other : kLeftOut)
            left_out |= number == static_cast<uint64_t>(other);
        if (!left_out && !attack(number))
            return 1;
    }
    for (uint64_t number = api::kSysOwnFirst; number < api::kSysOwnEnd; ++number)
        if (!attack(number))
            return 2;
    constexpr long kMustFail[] = {SYS_read,     SYS_write,  SYS_openat, SYS_mmap,      SYS_munmap,
                                  SYS_mprotect, SYS_execve, SYS_wait4,  SYS_nanosleep, SYS_clock_gettime,
                                  SYS_ioctl,    SYS_close,  SYS_clone};
    for (const long number : kMustFail) {
        const long result = Native::call(number, -1, -1, -1, -1, -1, -1);
        if (result >= 0 || result < -4095)
            return 3;
    }
    return 0;
}

constexpr Victim kVictims[] = {
    {"return-to", return_to},
    {"syscall-at-top", syscall_at_top},
    {"push-to", push_to},
    {"trap-flag", return_with_trap_flag},
    {"flags", return_with_flags_and_look},
    {"32-bit", enter_32_bit},
    {"sysenter", use_sysenter},
    {"all-ones", all_ones},
};

// --- S1, S3

/// The return path must have refused the frame (one more killed frame), and the process must be gone.
void check_refused(Ktap& ktap, uint64_t rip) {
    const uint64_t before = counter(ProbeCounter::ReturnKilled);
    const int status = run_victim("return-to", rip);
    const uint64_t refused = counter(ProbeCounter::ReturnKilled) - before;
    ktap.check(killed_by(status, {SIGSEGV}), "rip %#llx: %s", static_cast<unsigned long long>(rip), describe(status));
    ktap.check(refused == 1, "rip %#llx: %llu frames refused, not 1: SYSRET was executed",
               static_cast<unsigned long long>(rip), static_cast<unsigned long long>(refused));
}

void test_return_addresses(Ktap& ktap) {
    for (unsigned bit = 47; bit < 64; ++bit) {
        check_refused(ktap, uint64_t{1} << bit);
        char name[64];
        std::snprintf(name, sizeof name, "S1 bit %u: killed before sysret", bit);
        ktap.test(name);
    }
    // Canonical, but the kernel's: the direct map, the kernel's text, an entry area, the fastcall space, the last byte.
    for (const uint64_t rip : {0xffff800000000000, 0xffffffff80000000, 0xffffffff80200000, 0xfffffe8000000000,
                               0xffffffffc0000000, 0xffffffffffffffff})
        check_refused(ktap, rip);
    ktap.test("S3 kernel addresses: killed before sysret");
}

// --- S2

bool refused(void* address, size_t length, int flags) {
    void* const got = mmap(address, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    if (got == MAP_FAILED)
        return true;
    // A hint may be ignored, as long as nothing lands at the top.
    const bool below = reinterpret_cast<uint64_t>(got) + length <= kUserTop;
    munmap(got, length);
    return below && flags == 0;
}

void test_top_of_user_space(Ktap& ktap) {
    auto* const top = reinterpret_cast<char*>(kUserTop);
    ktap.check(refused(top, kPage, MAP_FIXED), "the page at the top could be mapped");
    ktap.check(refused(top, kPage, MAP_FIXED_NOREPLACE), "the page at the top could be mapped without replacing");
    ktap.check(refused(top, kPage, 0), "a hint put a mapping at the top");
    ktap.check(refused(top - kPage, 2 * kPage, MAP_FIXED), "a mapping could reach across the top");
    ktap.check(refused(top + kPage, kPage, MAP_FIXED), "the first non-canonical page could be mapped");
    ktap.check(refused(reinterpret_cast<char*>(0xffff800000000000), kPage, MAP_FIXED),
               "the kernel half could be mapped");
    ktap.test("S2 nothing can be mapped at 1<<47 - 4096 and beyond");
    const int status = run_victim("syscall-at-top");
    ktap.check(killed_by(status, {SIGSEGV}), "%s", describe(status));
    ktap.test("S2 syscall in the last two bytes below the top");
}

// --- S5

constexpr uint64_t kBadStacks[] = {0,
                                   8,
                                   0x1000,
                                   uint64_t{1} << 47,
                                   (uint64_t{1} << 47) - 8,
                                   uint64_t{1} << 63,
                                   0xffff800000000000,
                                   0xffffffff80000000,
                                   0xfffffe8000001000,
                                   ~uint64_t{0},
                                   ~uint64_t{0} - 7};

void test_bad_stacks(Ktap& ktap) {
    const auto pid = static_cast<uint64_t>(getpid());
    for (const uint64_t stack : kBadStacks) {
        Registers in = patterned(SYS_getpid);
        in.rsp = stack;
        for (const auto cross : {cross_by_syscall, cross_by_int80}) {
            const Registers out = cross(in);
            ktap.check(out.rax == pid && out.rsp == stack, "rsp %#llx: result %lld, rsp %#llx",
                       static_cast<unsigned long long>(stack), static_cast<long long>(out.rax),
                       static_cast<unsigned long long>(out.rsp));
        }
    }
    ktap.test("S5 bad stack pointers: the call completes and rsp is kept");
    for (const uint64_t stack : kBadStacks) {
        if (stack == (uint64_t{1} << 47) - 8)
            continue; // the only page above the stack; unmapped too, but the same as 0x1000
        const int status = run_victim("push-to", stack);
        ktap.check(killed_by(status, {SIGSEGV, SIGBUS}), "push to %#llx: %s", static_cast<unsigned long long>(stack),
                   describe(status));
    }
    ktap.test("S5 bad stack pointers: user code's own push is what faults");
}

// --- S6, S7

Registers return_with_flags(uint64_t flags) {
    return cross_by_syscall(patterned(api::kSysProbe, static_cast<uint64_t>(Probe::SetReturnFlags), flags));
}

int return_with_flags_and_look(uint64_t flags) {
    constexpr uint64_t kNever = kIopl | kVm | kVif | kVip;
    constexpr uint64_t kAllowed = kCf | kPf | kAf | kZf | kSf | kDf | kOf | kId;
    const uint64_t got = return_with_flags(flags).flags;
    if ((got & kIf) == 0)
        return 1;
    if ((got & kNever) != 0)
        return 2;
    return (got & kAllowed) == (flags & kAllowed) ? 0 : 3;
}

void test_flags(Ktap& ktap) {
    constexpr uint64_t kTried[] = {0,
                                   kFixed,
                                   kCf,
                                   kIf,
                                   kIopl,
                                   kIopl | kIf,
                                   kVm,
                                   kVif,
                                   kVip,
                                   kNt,
                                   kAc,
                                   kRf,
                                   kDf,
                                   kId,
                                   kCf | kPf | kAf | kZf | kSf | kOf,
                                   ~uint64_t{0} & ~kTf,
                                   0xffffffff00000000};
    for (const uint64_t flags : kTried) {
        const int status = run_victim("flags", flags);
        if (!ktap.check(exited_with(status, 0), "%#llx: %s (1: interrupts off, 2: forbidden bits, 3: user bits lost)",
                        static_cast<unsigned long long>(flags), describe(status)))
            break; // the next ones are worse
    }
    ktap.test("S6 edited rflags: only user bits arrive, IF stays 1");
    const int status = run_victim("trap-flag");
    ktap.check(killed_by(status, {SIGTRAP}), "%s", describe(status));
    ktap.test("S6 edited rflags: TF traps in user code");
}

/// How often SYSRET was used between two readings of its counter: by the first reading itself, and by `action`. What
/// else may interfere (an interrupt, work pending at the return) only makes it less.
template <class Action>
uint64_t sysrets(Action&& action) {
    const uint64_t before = counter(ProbeCounter::ReturnSysret);
    action();
    return counter(ProbeCounter::ReturnSysret) - before;
}

void test_return_paths(Ktap& ktap) {
    constexpr unsigned kRounds = 50;
    uint64_t plain = 0, edited_flags = 0, iret = 0;
    for (unsigned round = 0; round < kRounds; ++round) {
        plain = std::max(plain, sysrets([] { return_with_flags(kIf | kFixed); }));
        const uint64_t iret_before = counter(ProbeCounter::ReturnIret);
        edited_flags = std::max(edited_flags, sysrets([] { return_with_flags(kRf | kIf | kFixed); }));
        iret += counter(ProbeCounter::ReturnIret) != iret_before ? 1 : 0;
    }
    ktap.check(plain == 2, "an unedited frame never went back by SYSRET (%llu)",
               static_cast<unsigned long long>(plain));
    ktap.check(edited_flags == 1, "RF = 1 went back by SYSRET, which would lose it");
    ktap.check(iret == kRounds, "RF = 1 went back by IRET %llu times of %u", static_cast<unsigned long long>(iret),
               kRounds);
    ktap.test("S7 rflags that SYSRET cannot load go back by iret");

    uint64_t rcx = 0, landed = 0, expected = 0;
    uint64_t number = api::kSysProbe;
    asm volatile("leaq 1f(%%rip), %%rsi\n\t"
                 "movq %%rsi, %2\n\t"
                 "xorl %%ebx, %%ebx\n\t"
                 "syscall\n\t"
                 "movl $1, %%ebx\n" // jumped over
                 "1:\tmovq %%rcx, %0\n\t"
                 "leaq 1b(%%rip), %%rcx\n\t"
                 "subq %%rbx, %%rcx\n\t"
                 "movq %%rcx, %1"
                 : "=&r"(rcx), "=&r"(landed), "=&r"(expected), "+a"(number)
                 : "D"(Probe::SetReturnRip)
                 : "rcx", "r11", "rbx", "rsi", "memory");
    ktap.check(landed == expected, "an edited user rip is not where the call returned to");
    ktap.check(rcx == expected, "rcx is %#llx", static_cast<unsigned long long>(rcx));
    ktap.test("S7 an edited user rip is obeyed, and rcx agrees with it");
}

// --- S8, I6

struct Selectors {
    uint16_t code, stack;
};

Selectors selectors() {
    Selectors now;
    asm volatile("movw %%cs, %0\n\tmovw %%ss, %1" : "=r"(now.code), "=r"(now.stack));
    return now;
}

void test_selectors(Ktap& ktap) {
    // SYSRET leaves a stack segment that the next interrupt must be able to push and IRET to pop. TCG forgives a wrong
    // one.
    for (unsigned round = 0; round < 1000; ++round) {
        if (round % 10 == 0) {
            const timespec moment{0, 1000};
            nanosleep(&moment, nullptr);
        } else {
            Native::call(SYS_sched_yield);
        }
        for (unsigned spin = 0; spin < 200; ++spin)
            asm volatile("" ::: "memory");
        const Selectors now = selectors();
        ktap.check(now.code == 0x33 && now.stack == 0x2b, "cs %#x, ss %#x", now.code, now.stack);
    }
    ktap.test("S8 ss after sysret survives interrupts and sleeps");
    for (const uint64_t selector : {0x0, 0x8, 0x10, 0x18, 0x1b, 0x20, 0x23, 0x28, 0x30, 0x40, 0x7b, 0xffff}) {
        probe(Probe::SetReturnCs, selector);
        const Selectors after_code = selectors();
        probe(Probe::SetReturnSs, selector);
        const Selectors after_stack = selectors();
        ktap.check(after_code.code == 0x33 && after_code.stack == 0x2b, "cs %#x asked: cs %#x, ss %#x",
                   static_cast<unsigned>(selector), after_code.code, after_code.stack);
        ktap.check(after_stack.code == 0x33 && after_stack.stack == 0x2b, "ss %#x asked: cs %#x, ss %#x",
                   static_cast<unsigned>(selector), after_stack.code, after_stack.stack);
    }
    ktap.test("I6 selectors in an edited frame are pinned");
}

// --- S10

void test_numbers(Ktap& ktap) {
    constexpr uint64_t kNumbers[] = {~uint64_t{0},
                                     511,
                                     512,
                                     513,
                                     1024,
                                     4095,
                                     api::kSysOwnEnd,
                                     api::kSysOwnEnd + 1,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     uint64_t{1} << 32 | SYS_getpid,
                                     uint64_t{1} << 63 | SYS_getpid,
                                     0x40000000 | SYS_getpid,
                                     uint64_t{1} << 32 | api::kSysFastcall,
                                     uint64_t{1} << 32 | api::kSysNull,
                                     uint64_t{1} << 47,
                                     uint64_t{1} << 60,
                                     0x5555555555555555};
    const auto check = [&](uint64_t number) {
        const long native = Native::call(static_cast<long>(number));
        const long int80 = Int80::call(static_cast<long>(number));
        ktap.check(native == -ENOSYS && int80 == -ENOSYS, "number %#llx: native %ld, int80 %ld",
                   static_cast<unsigned long long>(number), native, int80);
    };
    for (const uint64_t number : kNumbers)
        check(number);
    ktap.test("S10 numbers beyond the table are ENOSYS");
    uint64_t random = 0x243f6a8885a308d3; // fixed, so that a failure can be repeated
    for (unsigned i = 0; i < 5000; ++i) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (random >= api::kSysOwnEnd)
            check(random);
    }
    ktap.test("S10 5000 random numbers are ENOSYS");
    ktap.check(Native::call(api::kSysNull) == 0 && Int80::call(api::kSysNull) == 0, "null() is not 0");
    ktap.check(Int80::call(SYS_getpid) == getpid(), "getpid by int 0x80");
    ktap.test("S10 numbers inside the table still work");
}

// --- S12, S13

void test_other_entries(Ktap& ktap) {
    int status = run_victim("sysenter");
    ktap.check(killed_by(status, {SIGSEGV, SIGILL}), "sysenter: %s", describe(status));
    for (const uint64_t selector : {0x23, 0x20, 0x1b, 0x10, 0x0}) {
        status = run_victim("32-bit", selector);
        ktap.check(killed_by(status, {SIGSEGV}), "far return to %#x: %s", static_cast<unsigned>(selector),
                   describe(status));
    }
    ktap.test("S12 sysenter and 32-bit code segments: killed");
    for (const uint64_t gate : {0, 1}) {
        status = run_victim("all-ones", gate);
        ktap.check(exited_with(status, 0), "%s: %s", gate ? "int80" : "native", describe(status));
    }
    ktap.test("S13 every call with all arguments, rsp and rbp -1: alive");
}

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims});
    Ktap ktap(33);
    test_return_addresses(ktap);
    test_top_of_user_space(ktap);
    test_bad_stacks(ktap);
    test_flags(ktap);
    test_return_paths(ktap);
    test_selectors(ktap);
    test_numbers(ktap);
    test_other_entries(ktap);
    return ktap.finish();
}
