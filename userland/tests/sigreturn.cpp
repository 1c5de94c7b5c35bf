// rt_sigreturn under attack: a handler changes the frame that it will hand back. Threats S1, S3, S6, S7, I6 and L4. TCG
// forgives what hardware punishes, so the tests look at the kernel's counters: frames refused, and that the way back
// was IRET.
#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "userland/lib/ktap.h"
#include "userland/tests/support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;
using api::Probe;
using api::ProbeCounter;

/// What the next SIGUSR1 does to its frame.
void (*change)(ucontext_t&, uint64_t argument);
uint64_t change_argument;

void on_signal(int, siginfo_t*, void* context) {
    if (change)
        change(*static_cast<ucontext_t*>(context), change_argument);
}

void install(int signal, void (*handler)(int, siginfo_t*, void*), int flags = 0) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigaction(signal, &action, nullptr);
}

greg_t& reg(ucontext_t& context, int which) { return context.uc_mcontext.gregs[which]; }
unsigned char* fpu(ucontext_t& context) { return reinterpret_cast<unsigned char*>(context.uc_mcontext.fpregs); }
template <class T>
T& field(unsigned char* image, unsigned offset) {
    return *reinterpret_cast<T*>(image + offset);
}

/// SIGUSR1 to this thread through SYSCALL; a victim that comes back has survived.
int raise_with(void (*how)(ucontext_t&, uint64_t), uint64_t argument) {
    change = how;
    change_argument = argument;
    install(SIGUSR1, on_signal);
    Native::call(SYS_tgkill, getpid(), gettid(), SIGUSR1);
    change = nullptr;
    return kSurvived;
}

// --- victims: each changes its frame in one way

int bad_rip(uint64_t rip) {
    return raise_with([](ucontext_t& c, uint64_t value) { reg(c, REG_RIP) = static_cast<greg_t>(value); }, rip);
}
int bad_mxcsr(uint64_t bits) {
    return raise_with(
        [](ucontext_t& c, uint64_t value) { field<uint32_t>(fpu(c), 24) |= static_cast<uint32_t>(value); }, bits);
}
int bad_state_bits(uint64_t bits) {
    return raise_with([](ucontext_t& c, uint64_t value) { field<uint64_t>(fpu(c), 512) |= value; }, bits);
}
int bad_compaction(uint64_t bits) {
    return raise_with([](ucontext_t& c, uint64_t value) { field<uint64_t>(fpu(c), 520) = value; }, bits);
}
int bad_header(uint64_t offset) {
    return raise_with([](ucontext_t& c, uint64_t at) { field<uint64_t>(fpu(c), static_cast<unsigned>(at)) = 1; },
                      offset);
}
int bad_fpu_address(uint64_t address) {
    return raise_with([](ucontext_t& c, uint64_t to) { c.uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(to); },
                      address);
}
int misaligned_fpu(uint64_t by) {
    return raise_with(
        [](ucontext_t& c, uint64_t bytes) { c.uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(fpu(c) + bytes); }, by);
}
/// rt_sigreturn with RSP anywhere.
int sigreturn_at(uint64_t rsp) {
    asm volatile("movq %0, %%rsp\n\tmovl %1, %%eax\n\tsyscall\n\tud2" : : "r"(rsp), "i"(SYS_rt_sigreturn));
    __builtin_unreachable();
}
/// ... and with a stack of zeros: RIP 0, no FPU state; the frame is good, what it leads to is not.
int sigreturn_zeros(uint64_t) {
    alignas(64) static unsigned char zeros[4096];
    return sigreturn_at(reinterpret_cast<uint64_t>(zeros + 1024));
}
int trap_flag(uint64_t) {
    return raise_with([](ucontext_t& c, uint64_t) { reg(c, REG_EFL) |= kTf; }, 0);
}

/// A signal whose frame would lie at a stack that is none.
int no_stack(uint64_t rsp) {
    install(SIGUSR1, on_signal);
    asm volatile("movq %0, %%rsp\n\tmovl %1, %%eax\n\tsyscall\n\tud2"
                 :
                 : "r"(rsp), "i"(SYS_tgkill), "D"(getpid()), "S"(gettid()), "d"(SIGUSR1));
    __builtin_unreachable();
}

/// Another thread writes all over the frame while it is handed back. Anything but a dead kernel is right.
std::atomic<unsigned char*> scribble_at{nullptr};
void* scribble(void*) {
    uint64_t random = 12345;
    for (;;) {
        unsigned char* const at = scribble_at.load();
        if (at == nullptr)
            continue;
        random = random * 6364136223846793005u + 1442695040888963407u;
        at[512 + (random >> 40) % 64] = static_cast<unsigned char>(random >> 33); // the XSAVE header
        at[24 + (random >> 30) % 8] = static_cast<unsigned char>(random >> 20);   // MXCSR and its mask
    }
    return nullptr;
}
int racing_scribbler(uint64_t) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, scribble, nullptr) != 0)
        return 1;
    for (int i = 0; i < 300; ++i)
        raise_with([](ucontext_t& c, uint64_t) { scribble_at.store(fpu(c)); }, 0);
    return 0;
}

constexpr Victim kVictims[] = {
    {"rip", bad_rip},
    {"mxcsr", bad_mxcsr},
    {"state-bits", bad_state_bits},
    {"compaction", bad_compaction},
    {"header", bad_header},
    {"fpu-address", bad_fpu_address},
    {"fpu-misaligned", misaligned_fpu},
    {"sigreturn-at", sigreturn_at},
    {"sigreturn-zeros", sigreturn_zeros},
    {"trap-flag", trap_flag},
    {"no-stack", no_stack},
    {"scribbler", racing_scribbler},
};

// --- the tests

void check_refused(Ktap& ktap, const char* victim, uint64_t argument) {
    const uint64_t before = counter(ProbeCounter::SigreturnRefused);
    const int status = run_victim(victim, argument);
    const uint64_t refused = counter(ProbeCounter::SigreturnRefused) - before;
    ktap.check(killed_by(status, {SIGSEGV}), "%s %#llx: %s", victim, static_cast<unsigned long long>(argument),
               describe(status));
    ktap.check(refused == 1, "%s %#llx: %llu frames refused, not 1", victim, static_cast<unsigned long long>(argument),
               static_cast<unsigned long long>(refused));
}

void test_return_addresses(Ktap& ktap) {
    for (unsigned bit = 47; bit < 64; ++bit)
        check_refused(ktap, "rip", uint64_t{1} << bit);
    check_refused(ktap, "rip", kUserTop);
    ktap.test("S1 rip beyond user space, each bit: refused");
    for (const uint64_t rip : {0xffff800000000000, 0xffffffff80000000, 0xffffffff80200000, 0xfffffe8000000000,
                               0xffffffffc0000000, 0xffffffffffffffff})
        check_refused(ktap, "rip", rip);
    ktap.test("S3 rip in the kernel: refused");
}

/// Sends SIGUSR1 to this thread and returns RFLAGS as they are right behind the call that sent it.
uint64_t flags_behind_signal(int process, int thread) {
    uint64_t flags;
    long result = SYS_tgkill;
    asm volatile("syscall\n\tpushfq\n\tpopq %1\n\tpushq $0x202\n\tpopfq"
                 : "+a"(result), "=&r"(flags)
                 : "D"(process), "S"(thread), "d"(SIGUSR1)
                 : "rcx", "r11", "memory", "cc");
    return flags;
}

void test_flags(Ktap& ktap) {
    constexpr uint64_t kFree = kCf | kPf | kAf | kZf | kSf | kDf | kOf | kAc;
    constexpr uint64_t kNever = kIopl | kVm | kVif | kVip;
    install(SIGUSR1, on_signal);
    const int process = getpid(), thread = gettid();
    change = [](ucontext_t& c, uint64_t value) { reg(c, REG_EFL) = static_cast<greg_t>(value); };
    for (const uint64_t flags :
         {uint64_t{0}, kIf, kIopl, kIopl | kIf, kVm, kVif, kVip, kVif | kVip | kIopl | kVm, kRf, kFree, kFree | kIf,
          kFree | kNever | kRf, uint64_t{1} << 32, ~uint64_t{0} & ~kTf & ~kNt}) {
        change_argument = flags;
        const uint64_t irets = counter(ProbeCounter::ReturnIret);
        const uint64_t seen = flags_behind_signal(process, thread);
        const uint64_t by_iret = counter(ProbeCounter::ReturnIret) - irets;
        ktap.check((seen & kIf) != 0, "flags %#llx: interrupts are off", static_cast<unsigned long long>(flags));
        ktap.check((seen & kNever) == 0, "flags %#llx: %#llx reached user code", static_cast<unsigned long long>(flags),
                   static_cast<unsigned long long>(seen & kNever));
        ktap.check((seen & kFree) == (flags & kFree), "flags %#llx: became %#llx",
                   static_cast<unsigned long long>(flags), static_cast<unsigned long long>(seen));
        ktap.check(by_iret >= 2, "flags %#llx: handler and sigreturn left by IRET %llu times",
                   static_cast<unsigned long long>(flags), static_cast<unsigned long long>(by_iret));
    }
    change = nullptr;
    ktap.test("S6 rflags of a frame: user bits only, interrupts on");
    ktap.test("S6 TF of a frame traps in user code", killed_by(run_victim("trap-flag"), {SIGTRAP}));
}

Registers wanted; // what S7's handler puts into its frame

void test_registers(Ktap& ktap) {
    install(SIGUSR1, on_signal);
    change = [](ucontext_t& c, uint64_t) {
        reg(c, REG_RAX) = static_cast<greg_t>(wanted.rax), reg(c, REG_RBX) = static_cast<greg_t>(wanted.rbx);
        reg(c, REG_RCX) = static_cast<greg_t>(wanted.rcx), reg(c, REG_RDX) = static_cast<greg_t>(wanted.rdx);
        reg(c, REG_RSI) = static_cast<greg_t>(wanted.rsi), reg(c, REG_RDI) = static_cast<greg_t>(wanted.rdi);
        reg(c, REG_RBP) = static_cast<greg_t>(wanted.rbp), reg(c, REG_R8) = static_cast<greg_t>(wanted.r8);
        reg(c, REG_R9) = static_cast<greg_t>(wanted.r9), reg(c, REG_R10) = static_cast<greg_t>(wanted.r10);
        reg(c, REG_R11) = static_cast<greg_t>(wanted.r11), reg(c, REG_R12) = static_cast<greg_t>(wanted.r12);
        reg(c, REG_R13) = static_cast<greg_t>(wanted.r13), reg(c, REG_R14) = static_cast<greg_t>(wanted.r14);
        reg(c, REG_R15) = static_cast<greg_t>(wanted.r15);
    };
    alignas(16) static unsigned char stack[65536];
    for (const bool by_int80 : {false, true}) {
        wanted = {.rax = 0xa1,
                  .rbx = 0xb2,
                  .rcx = 0xc3c3c3c3c3c3,
                  .rdx = 0xd4,
                  .rsi = 0xe5,
                  .rdi = 0xf6,
                  .rbp = 0x17,
                  .rsp = 0,
                  .r8 = 0x28,
                  .r9 = 0x39,
                  .r10 = 0x4a,
                  .r11 = 0x5b5b5b5b5b,
                  .r12 = 0x6c,
                  .r13 = 0x7d,
                  .r14 = 0x8e,
                  .r15 = 0x9f,
                  .flags = 0};
        Registers in = patterned(SYS_tgkill, static_cast<uint64_t>(getpid()), static_cast<uint64_t>(gettid()), SIGUSR1);
        in.rsp = reinterpret_cast<uint64_t>(stack + sizeof stack - 64);
        const Registers out = by_int80 ? cross_by_int80(in) : cross_by_syscall(in);
        ktap.check(out.rcx == wanted.rcx, "rcx %#llx", static_cast<unsigned long long>(out.rcx));
        ktap.check(out.r11 == wanted.r11, "r11 %#llx", static_cast<unsigned long long>(out.r11));
        ktap.check(out.rax == wanted.rax && out.rbx == wanted.rbx && out.rdx == wanted.rdx && out.rsi == wanted.rsi &&
                       out.rdi == wanted.rdi && out.rbp == wanted.rbp && out.r8 == wanted.r8 && out.r9 == wanted.r9 &&
                       out.r10 == wanted.r10 && out.r12 == wanted.r12 && out.r13 == wanted.r13 &&
                       out.r14 == wanted.r14 && out.r15 == wanted.r15 && out.rsp == in.rsp,
                   "a register is not the frame's");
    }
    change = nullptr;
    ktap.test("S7 every register of a frame, rcx and r11 too");
}

void test_selectors(Ktap& ktap) {
    install(SIGUSR1, on_signal);
    uint64_t cs, ss;
    asm volatile("movq %%cs, %0\n\tmovq %%ss, %1" : "=r"(cs), "=r"(ss));
    change = [](ucontext_t& c, uint64_t value) { reg(c, REG_CSGSFS) = static_cast<greg_t>(value); };
    for (const uint64_t selector :
         {0ul, 3ul, 4ul, 7ul, 8ul, 0x10ul, 0x13ul, 0x18ul, 0x28ul, 0x2bul, 0x33ul, 0x40ul, 0xfffful}) {
        change_argument = selector | selector << 16 | selector << 32 | selector << 48;
        Native::call(SYS_tgkill, getpid(), gettid(), SIGUSR1);
        uint64_t cs_now, ss_now;
        asm volatile("movq %%cs, %0\n\tmovq %%ss, %1" : "=r"(cs_now), "=r"(ss_now));
        ktap.check(cs_now == cs && ss_now == ss, "selector %#lx: cs %#lx ss %#lx", selector, cs_now, ss_now);
    }
    change = nullptr;
    ktap.test("I6 selectors of a frame are not looked at");
}

void test_fpu_images(Ktap& ktap) {
    for (const unsigned bit : {16u, 20u, 30u, 31u})
        check_refused(ktap, "mxcsr", uint64_t{1} << bit);
    ktap.test("L4 reserved bits of MXCSR: refused");
    for (const unsigned bit : {3u, 9u, 10u, 17u, 62u, 63u})
        check_refused(ktap, "state-bits", uint64_t{1} << bit);
    ktap.test("L4 components that are not enabled: refused");
    for (const uint64_t bits : {uint64_t{1} << 63, uint64_t{1} << 63 | 3, uint64_t{1}, uint64_t{7}})
        check_refused(ktap, "compaction", bits);
    for (const unsigned offset : {528u, 536u, 568u})
        check_refused(ktap, "header", offset);
    ktap.test("L4 the compacted format and a header that is not zero: refused");
    for (const uint64_t by : {1ul, 8ul, 16ul, 32ul})
        check_refused(ktap, "fpu-misaligned", by);
    for (const uint64_t address :
         {uint64_t{64}, kUserTop - 64, kUserTop, uint64_t{1} << 63, ~uint64_t{63}, uint64_t{0xffffffff80000000}})
        check_refused(ktap, "fpu-address", address);
    ktap.test("L4 FPU state at a bad address: refused");
}

struct Xmm {
    uint64_t low, high;
};

/// Loads xmm5, sends SIGUSR1, and reads xmm5 right behind the call.
Xmm xmm_over_signal(Xmm before, int process, int thread) {
    Xmm after;
    long result = SYS_tgkill;
    asm volatile("movups %2, %%xmm5\n\tsyscall\n\tmovups %%xmm5, %1"
                 : "+a"(result), "=m"(after)
                 : "m"(before), "D"(process), "S"(thread), "d"(SIGUSR1)
                 : "rcx", "r11", "memory", "xmm5");
    return after;
}

Xmm seen_in_handler;

void test_fpu_state(Ktap& ktap) {
    constexpr unsigned kXmm5 = 160 + 5 * 16;
    const int process = getpid(), thread = gettid();
    const Xmm pattern{0x1122334455667788, 0x99aabbccddeeff00};
    install(SIGUSR1, [](int, siginfo_t*, void* context) {
        asm volatile("movups %%xmm5, %0\n\tpcmpeqd %%xmm5, %%xmm5" : "=m"(seen_in_handler)::"xmm5");
        on_signal(0, nullptr, context);
    });
    change = nullptr;
    Xmm after = xmm_over_signal(pattern, process, thread);
    ktap.check(after.low == pattern.low && after.high == pattern.high, "xmm5 is %#lx", after.low);
    ktap.check(seen_in_handler.low == 0 && seen_in_handler.high == 0, "a handler sees xmm5 %#lx", seen_in_handler.low);
    ktap.test("vector registers over a handler; it starts with fresh ones");

    change = [](ucontext_t& c, uint64_t) { field<uint64_t>(fpu(c), kXmm5) = 0x4242; };
    after = xmm_over_signal(pattern, process, thread);
    ktap.check(after.low == 0x4242 && after.high == pattern.high, "xmm5 is %#lx", after.low);
    ktap.test("a handler may change them");

    change = [](ucontext_t& c, uint64_t) { c.uc_mcontext.fpregs = nullptr; };
    after = xmm_over_signal(pattern, process, thread);
    ktap.check(after.low == 0 && after.high == 0, "xmm5 is %#lx", after.low);
    ktap.test("L4 no FPU state: fresh registers");

    // Without good software bytes only what FXSAVE knows counts; whatever the header says is not looked at.
    const auto legacy = [&](void (*how)(ucontext_t&, uint64_t)) {
        change = how;
        const Xmm got = xmm_over_signal(pattern, process, thread);
        ktap.check(got.low == pattern.low && got.high == pattern.high, "xmm5 is %#lx", got.low);
    };
    const auto spoil = [](unsigned char* image) { field<uint64_t>(image, 520) = uint64_t{1} << 63; };
    legacy([](ucontext_t& c, uint64_t) { field<uint32_t>(fpu(c), 464) = 0; });
    legacy([](ucontext_t& c, uint64_t) { field<uint32_t>(fpu(c), 464) = 1, field<uint64_t>(fpu(c), 520) = ~0ul; });
    legacy([](ucontext_t& c, uint64_t) { field<uint32_t>(fpu(c), 480) = 4096, field<uint64_t>(fpu(c), 520) = ~0ul; });
    legacy([](ucontext_t& c, uint64_t) { field<uint32_t>(fpu(c), 480) = 0; });
    legacy([](ucontext_t& c, uint64_t) { field<uint32_t>(fpu(c), 468) = 0; });
    legacy([](ucontext_t& c, uint64_t) { field<uint32_t>(fpu(c), field<uint32_t>(fpu(c), 480)) = 0; });
    static_cast<void>(spoil);
    change = nullptr;
    ktap.test("L4 bad software bytes: the legacy part alone");
}

void test_bad_frames(Ktap& ktap) {
    for (const uint64_t rsp :
         {uint64_t{8}, uint64_t{4096}, kUserTop, kUserTop - 8, uint64_t{1} << 47, uint64_t{1} << 63,
          uint64_t{0xffff800000000000}, uint64_t{0xffffffff80000000}, ~uint64_t{0}})
        check_refused(ktap, "sigreturn-at", rsp);
    ktap.test("sigreturn where there is no frame: refused");
    const int status = run_victim("sigreturn-zeros");
    ktap.check(killed_by(status, {SIGSEGV}), "%s", describe(status));
    ktap.test("sigreturn with a frame of zeros");
    for (const uint64_t rsp : {uint64_t{8}, uint64_t{4096}, kUserTop, kUserTop + 512, uint64_t{1} << 47,
                               uint64_t{1} << 63, uint64_t{0xffff800000001000}, ~uint64_t{0}}) {
        const int end = run_victim("no-stack", rsp);
        ktap.check(killed_by(end, {SIGSEGV}), "rsp %#llx: %s", static_cast<unsigned long long>(rsp), describe(end));
    }
    ktap.test("no stack for a handler: killed");
}

sigjmp_buf out_of_fault;
siginfo_t fault_info;
uint64_t fault_rip;

void test_survivable(Ktap& ktap) {
    static unsigned char stack[65536];
    const stack_t alternate{.ss_sp = stack, .ss_flags = 0, .ss_size = sizeof stack};
    sigaltstack(&alternate, nullptr);
    install(
        SIGSEGV,
        [](int, siginfo_t* info, void* context) {
            fault_info = *info;
            fault_rip = static_cast<uint64_t>(reg(*static_cast<ucontext_t*>(context), REG_RIP));
            siglongjmp(out_of_fault, 1);
        },
        SA_ONSTACK);
    const uint64_t before = counter(ProbeCounter::SigreturnRefused);
    if (sigsetjmp(out_of_fault, 1) == 0) {
        bad_mxcsr(uint64_t{1} << 31);
        ktap.check(false, "a bad frame went through");
    }
    ktap.check(fault_info.si_code == SI_KERNEL && fault_info.si_signo == SIGSEGV, "code %d", fault_info.si_code);
    ktap.check(counter(ProbeCounter::SigreturnRefused) - before == 1, "refused: not 1");
    // The kernel's own test instrument: a return address that a handler of SIGSEGV gets to see.
    if (sigsetjmp(out_of_fault, 1) == 0) {
        probe(Probe::SetReturnRip, uint64_t{1} << 47);
        ktap.check(false, "went on");
    }
    ktap.check(fault_info.si_code == SI_KERNEL, "code %d", fault_info.si_code);
    ktap.check(fault_rip == uint64_t{1} << 47, "rip %#llx", static_cast<unsigned long long>(fault_rip));
    signal(SIGSEGV, SIG_DFL);
    ktap.test("a handler of SIGSEGV survives refused frames");
}

void test_mask(Ktap& ktap) {
    install(SIGUSR1, on_signal);
    change = [](ucontext_t& c, uint64_t) { std::memset(&c.uc_sigmask, 0xff, 8); };
    sigset_t before, after;
    sigprocmask(SIG_SETMASK, nullptr, &before);
    Native::call(SYS_tgkill, getpid(), gettid(), SIGUSR1);
    sigprocmask(SIG_SETMASK, &before, &after);
    change = nullptr;
    ktap.check(sigismember(&after, SIGKILL) == 0 && sigismember(&after, SIGSTOP) == 0, "SIGKILL is blocked");
    ktap.check(sigismember(&after, SIGTERM) == 1, "SIGTERM is not blocked");
    ktap.test("a frame's mask cannot block SIGKILL and SIGSTOP");
}

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims});
    Ktap ktap(20);
    test_return_addresses(ktap);
    test_flags(ktap);
    test_registers(ktap);
    test_selectors(ktap);
    test_fpu_images(ktap);
    test_fpu_state(ktap);
    test_bad_frames(ktap);
    test_survivable(ktap);
    test_mask(ktap);
    const int status = run_victim("scribbler");
    ktap.check(exited_with(status, 0) || killed_by(status, {SIGSEGV}), "%s", describe(status));
    ktap.test("L4 another thread writes to a frame as it is handed back");
    return ktap.finish();
}
