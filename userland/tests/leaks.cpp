// What one program may see of another, or of the kernel: threats L1-L3, L7, L8.
#include <cerrno>
#include <cpuid.h>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "api/fastcall.h"
#include "userland/lib/ktap.h"
#include "userland/tests/flexsc_pages.h"
#include "userland/tests/support.h"

/// What a thread found in its registers at its start; filled by spawn_capturing_thread's child.
struct ThreadStart {
    std::uint64_t rax, rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15, flags, rcx, r11;
    std::uint32_t mxcsr;
    std::uint16_t fcw, pad;
};
extern "C" {
ThreadStart thread_start_state;
long spawn_capturing_thread(std::uint64_t flags, void* stack, int* child_tid);
}
static_assert(offsetof(ThreadStart, mxcsr) == 128);

// clone() with known values in the registers that it does not use; the child stores all of its own and ends.
asm(R"(
    .text
    .globl spawn_capturing_thread
spawn_capturing_thread:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rdx, %r10
    xorl %edx, %edx
    xorl %r8d, %r8d
    movabsq $0x0909090909090909, %r9
    movabsq $0x1b1b1b1b1b1b1b1b, %rbx
    movabsq $0x1e1e1e1e1e1e1e1e, %rbp
    movabsq $0x1212121212121212, %r12
    movabsq $0x1313131313131313, %r13
    movabsq $0x1414141414141414, %r14
    movabsq $0x1515151515151515, %r15
    movl $56, %eax
    syscall
    testq %rax, %rax
    jz 1f
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
1:  movq %rcx, thread_start_state+112(%rip)
    movq %r11, thread_start_state+120(%rip)
    pushfq
    popq thread_start_state+104(%rip)
    movq %rax, thread_start_state(%rip)
    movq %rbx, thread_start_state+8(%rip)
    movq %rdx, thread_start_state+16(%rip)
    movq %rsi, thread_start_state+24(%rip)
    movq %rdi, thread_start_state+32(%rip)
    movq %rbp, thread_start_state+40(%rip)
    movq %r8, thread_start_state+48(%rip)
    movq %r9, thread_start_state+56(%rip)
    movq %r10, thread_start_state+64(%rip)
    movq %r12, thread_start_state+72(%rip)
    movq %r13, thread_start_state+80(%rip)
    movq %r14, thread_start_state+88(%rip)
    movq %r15, thread_start_state+96(%rip)
    stmxcsr thread_start_state+128(%rip)
    fnstcw thread_start_state+132(%rip)
    xorl %edi, %edi
    movl $60, %eax
    syscall
    ud2
)");

namespace {

using namespace tollgate;
using namespace tollgate::test;
using api::Probe;

bool has_avx() {
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0 || (c & bit_AVX) == 0)
        return false;
    uint32_t low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6;
}

// --- L1

struct alignas(32) Vectors {
    uint64_t words[16][4];
};

#define ALL_REGISTERS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

/// Loads all vector registers, gives others time to run (by yielding, or by spinning until preempted), stores them.
void keep_in_registers(const Vectors& in, Vectors& out, bool avx, bool yields) {
    long number = yields ? SYS_sched_yield : SYS_getpid;
#define LOAD_XMM(n) "movups 32*" #n "(%2), %%xmm" #n "\n\t"
#define STORE_XMM(n) "movups %%xmm" #n ", 32*" #n "(%3)\n\t"
#define LOAD_YMM(n) "vmovups 32*" #n "(%2), %%ymm" #n "\n\t"
#define STORE_YMM(n) "vmovups %%ymm" #n ", 32*" #n "(%3)\n\t"
#define VECTOR_CLOBBERS                                                                                                \
    "rcx", "r11", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",      \
        "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
    unsigned turns = yields ? 1 : 30'000;
    if (avx)
        asm volatile(
            ALL_REGISTERS(LOAD_YMM) "1:\tdecl %1\n\tjnz 1b\n\tsyscall\n\t" ALL_REGISTERS(STORE_YMM) "vzeroupper"
            : "+a"(number), "+r"(turns)
            : "r"(&in), "r"(&out)
            : VECTOR_CLOBBERS);
    else
        asm volatile(ALL_REGISTERS(LOAD_XMM) "1:\tdecl %1\n\tjnz 1b\n\tsyscall\n\t" ALL_REGISTERS(STORE_XMM)
                     : "+a"(number), "+r"(turns)
                     : "r"(&in), "r"(&out)
                     : VECTOR_CLOBBERS);
}

/// Data segment selectors mean nothing in 64-bit mode, but they are registers like others. FS stays: loading it would
/// take away the C library's thread pointer.
void load_selectors(uint16_t selector) {
    asm volatile("movw %0, %%ds\n\tmovw %0, %%es\n\tmovw %0, %%gs" : : "r"(selector) : "memory");
}
bool selectors_are(uint16_t selector) {
    uint16_t ds, es, gs;
    asm volatile("movw %%ds, %0\n\tmovw %%es, %1\n\tmovw %%gs, %2" : "=r"(ds), "=r"(es), "=r"(gs));
    return ds == selector && es == selector && gs == selector;
}
constexpr uint16_t kUserDataSelector = 0x2b;

/// Keeps a pattern of its own in every register while others like it do the same.
int hold_pattern(uint64_t which) {
    const bool avx = has_avx();
    Vectors in{}, out{};
    for (unsigned reg = 0; reg < 16; ++reg)
        for (unsigned word = 0; word < (avx ? 4u : 2u); ++word)
            in.words[reg][word] = which << 56 | uint64_t{reg} << 32 | word | 0xa5000000;
    const uint16_t selector = which % 2 == 0 ? 0 : kUserDataSelector;
    load_selectors(selector);
    for (unsigned round = 0; round < 600; ++round) {
        keep_in_registers(in, out, avx, round % 4 != 0);
        if (!selectors_are(selector))
            return 3;
        if (std::memcmp(&in, &out, sizeof in) != 0)
            return 1;
        Registers general = patterned(SYS_sched_yield, which, ~which, which << 32);
        general.r12 = general.r9 = general.rbx = which * 0x0101010101010101;
        Registers after = cross_by_syscall(general);
        after.rax = general.rax;
        after.rcx = general.rcx;
        after.r11 = general.r11;
        after.flags = general.flags;
        if (std::memcmp(&general, &after, sizeof general) != 0)
            return 2;
    }
    return 0;
}

void test_context_switches(Ktap& ktap) {
    constexpr unsigned kProcesses = 4;
    int children[kProcesses];
    for (unsigned i = 0; i < kProcesses; ++i)
        children[i] = start_victim("hold-pattern", i + 1);
    for (const int child : children) {
        const int status = wait_status(child);
        ktap.check(exited_with(status, 0), "%s (1: vector registers, 2: general, 3: selectors)", describe(status));
    }
    ktap.test("L1 registers survive context switches and mix with nobody's");

    Vectors pattern, ignored;
    std::memset(&pattern, 0x5a, sizeof pattern);
    for (unsigned round = 0; round < 20; ++round) {
        keep_in_registers(pattern, ignored, has_avx(), false);
        load_selectors(kUserDataSelector);
        const int status = wait_status(start_program(sibling("test-raw"), "check"));
        load_selectors(0);
        ktap.check(exited_with(status, 0), "%s (raw.cpp says what the number means)", describe(status));
    }
    ktap.test("L1 L3 a new program starts with empty registers");
}

// --- L2

void check_registers(Ktap& ktap, const char* what, const Registers& in, bool by_syscall) {
    const Registers out = by_syscall ? cross_by_syscall(in) : cross_by_int80(in);
    struct Pair {
        const char* name;
        uint64_t before, after;
    };
    const Pair kept[] = {{"rbx", in.rbx, out.rbx}, {"rdx", in.rdx, out.rdx}, {"rsi", in.rsi, out.rsi},
                         {"rdi", in.rdi, out.rdi}, {"rbp", in.rbp, out.rbp}, {"rsp", in.rsp, out.rsp},
                         {"r8", in.r8, out.r8},    {"r9", in.r9, out.r9},    {"r10", in.r10, out.r10},
                         {"r12", in.r12, out.r12}, {"r13", in.r13, out.r13}, {"r14", in.r14, out.r14},
                         {"r15", in.r15, out.r15}};
    for (const Pair& pair : kept)
        ktap.check(pair.before == pair.after, "%s: %s is %#llx", what, pair.name,
                   static_cast<unsigned long long>(pair.after));
    if (by_syscall) {
        ktap.check(out.rcx == address_after_syscall(), "%s: rcx is %#llx", what,
                   static_cast<unsigned long long>(out.rcx));
        // TCG and hardware both leave RFLAGS in R11; RF never shows.
        ktap.check((out.r11 & ~kRf) == (out.flags & ~kRf), "%s: r11 is %#llx", what,
                   static_cast<unsigned long long>(out.r11));
    } else {
        ktap.check(out.rcx == in.rcx && out.r11 == in.r11, "%s: rcx or r11 changed", what);
    }
    const auto result = static_cast<int64_t>(out.rax);
    ktap.check(result >= -4095 && result < (int64_t{1} << 47), "%s: rax is %#llx", what,
               static_cast<unsigned long long>(out.rax));
}

void test_registers_after_calls(Ktap& ktap) {
    for (const bool by_syscall : {true, false}) {
        check_registers(ktap, "getpid", patterned(SYS_getpid), by_syscall);
        check_registers(ktap, "unknown number", patterned(499), by_syscall);
        check_registers(ktap, "EFAULT", patterned(api::kSysCopy64, 0x10), by_syscall);
        check_registers(ktap, "kernel pointer", patterned(api::kSysCopy64, 0xffffffff80000000), by_syscall);
        check_registers(ktap, "EBADF", patterned(SYS_read, 77, 0x10, 5), by_syscall);
        check_registers(ktap, "sched_yield", patterned(SYS_sched_yield), by_syscall);
        check_registers(ktap, "mmap", patterned(SYS_mmap, 0, kPage, PROT_READ), by_syscall);
        // The slow way back, with an edited frame.
        check_registers(ktap, "edited flags",
                        patterned(api::kSysProbe, static_cast<uint64_t>(Probe::SetReturnFlags), kRf | kIf | kFixed),
                        by_syscall);
    }
    ktap.test("L2 after a call only rax, rcx and r11 have changed, and to known values");
}

// --- L3

void test_thread_start(Ktap& ktap) {
    alignas(16) static char stack[16 * 1024];
    static int child_tid;
    constexpr uint64_t kFlags =
        CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
    child_tid = 1;
    const long id = spawn_capturing_thread(kFlags, stack + sizeof stack - 64, &child_tid);
    ktap.check(id > 0, "clone: %ld", id);
    ktap.check(wait_until([] { return __atomic_load_n(&child_tid, __ATOMIC_ACQUIRE) == 0; }),
               "the thread does not end");
    const ThreadStart& start = thread_start_state;
    ktap.check(start.rax == 0, "rax %#llx", static_cast<unsigned long long>(start.rax));
    ktap.check(start.rbx == 0x1b1b1b1b1b1b1b1b && start.rbp == 0x1e1e1e1e1e1e1e1e && start.r9 == 0x0909090909090909 &&
                   start.r12 == 0x1212121212121212 && start.r13 == 0x1313131313131313 &&
                   start.r14 == 0x1414141414141414 && start.r15 == 0x1515151515151515,
               "a register is not the parent's");
    ktap.check(start.rdi == kFlags && start.rdx == 0 && start.r8 == 0 &&
                   start.r10 == reinterpret_cast<uint64_t>(&child_tid),
               "an argument register is not the parent's");
    ktap.check((start.rcx >> 47) == 0 && (start.r11 >> 32) == 0, "rcx %#llx, r11 %#llx",
               static_cast<unsigned long long>(start.rcx), static_cast<unsigned long long>(start.r11));
    ktap.check((start.flags & (kIf | kDf | kTf | kNt | kIopl | kAc)) == kIf, "flags %#llx",
               static_cast<unsigned long long>(start.flags));
    ktap.check(start.mxcsr == 0x1f80 && start.fcw == 0x37f, "mxcsr %#x, fcw %#x", start.mxcsr, start.fcw);
    ktap.test("L3 a new thread has its parent's registers, rax = 0 and sane flags");
}

// --- L7

constexpr unsigned char kPoison = 0xa5, kUntouched = 0x5a;

/// The kernel's stack is full of 0xa5 before the call; what it writes must hold none of it.
struct Window {
    unsigned char bytes[1024];
};

template <class Call>
void check_call(Ktap& ktap, const char* name, Call&& call) {
    static Window window;
    std::memset(&window, kUntouched, sizeof window);
    probe(Probe::PoisonStack);
    const long result = call(window.bytes);
    ktap.check(result >= 0, "%s: result %ld", name, result);
    unsigned longest = 0, run = 0;
    for (const unsigned char byte : window.bytes) {
        run = byte == kPoison ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    ktap.check(longest < 2, "%s: %u bytes of the kernel's stack came out", name, longest);
}

void test_padding(Ktap& ktap) {
    using Bytes = unsigned char*;
    const int root = open("/", O_RDONLY | O_DIRECTORY);
    const int own = open("/proc/self/exe", O_RDONLY);
    check_call(ktap, "uname", [](Bytes to) { return Native::call(SYS_uname, to); });
    check_call(ktap, "sysinfo", [](Bytes to) { return Native::call(SYS_sysinfo, to); });
    check_call(ktap, "stat", [](Bytes to) { return Native::call(SYS_stat, "/dev/null", to); });
    check_call(ktap, "fstat", [&](Bytes to) { return Native::call(SYS_fstat, root, to); });
    check_call(ktap, "newfstatat", [](Bytes to) { return Native::call(SYS_newfstatat, AT_FDCWD, "/bin", to, 0); });
    check_call(ktap, "getdents64", [&](Bytes to) { return Native::call(SYS_getdents64, root, to, 1000); });
    check_call(ktap, "getcwd", [](Bytes to) { return Native::call(SYS_getcwd, to, 1000); });
    check_call(ktap, "readlink", [](Bytes to) { return Native::call(SYS_readlink, "/proc/self/exe", to, 1000); });
    check_call(ktap, "clock_gettime", [](Bytes to) { return Native::call(SYS_clock_gettime, CLOCK_MONOTONIC, to); });
    check_call(ktap, "clock_getres", [](Bytes to) { return Native::call(SYS_clock_getres, CLOCK_MONOTONIC, to); });
    check_call(ktap, "gettimeofday", [](Bytes to) { return Native::call(SYS_gettimeofday, to, to + 64); });
    check_call(ktap, "getrlimit", [](Bytes to) { return Native::call(SYS_getrlimit, int{RLIMIT_STACK}, to); });
    check_call(ktap, "prlimit64",
               [](Bytes to) { return Native::call(SYS_prlimit64, 0, int{RLIMIT_NOFILE}, nullptr, to); });
    check_call(ktap, "sched_getaffinity", [](Bytes to) { return Native::call(SYS_sched_getaffinity, 0, 128, to); });
    check_call(ktap, "rt_sigaction", [](Bytes to) { return Native::call(SYS_rt_sigaction, SIGUSR1, nullptr, to, 8); });
    check_call(ktap, "rt_sigprocmask",
               [](Bytes to) { return Native::call(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, to, 8); });
    check_call(ktap, "sigaltstack", [](Bytes to) { return Native::call(SYS_sigaltstack, nullptr, to); });
    check_call(ktap, "arch_prctl", [](Bytes to) { return Native::call(SYS_arch_prctl, 0x1003, to); });
    check_call(ktap, "getcpu", [](Bytes to) { return Native::call(SYS_getcpu, to, to + 8, nullptr); });
    check_call(ktap, "wait4", [](Bytes to) {
        const int child = start_program(sibling("test-raw"), "exit", "7");
        probe(Probe::PoisonStack);
        return Native::call(SYS_wait4, child, to, 0, nullptr);
    });
    check_call(ktap, "fastcall ioctl", [](Bytes to) {
        const int device = open(api::kFastcallDevice, O_RDONLY);
        probe(Probe::PoisonStack);
        const long result = Native::call(SYS_ioctl, device, api::kFastcallIoctlArray, to);
        close(device);
        return result;
    });
    check_call(ktap, "flexsc_register", [](Bytes to) {
        api::FlexscParams params{.size = sizeof params,
                                 .version = api::kFlexscVersion,
                                 .policy = api::FlexscPolicy::Own,
                                 .pages = 1,
                                 .flags = 0,
                                 .spin_us = 0,
                                 .address = 0};
        std::memcpy(to, &params, sizeof params);
        return Native::call(api::kSysFlexscRegister, to);
    });
    check_call(ktap, "read of a short rest", [&](Bytes to) {
        const long end = Native::call(SYS_lseek, own, -5, SEEK_END);
        return end < 0 ? end : Native::call(SYS_read, own, to, 1000);
    });
    close(root);
    close(own);
    ktap.test("L7 no byte of the kernel's stack in what calls write");
}

// --- L8

bool all_zero(const uint64_t* words, size_t bytes) {
    for (size_t i = 0; i < bytes / 8; ++i)
        if (words[i] != 0)
            return false;
    return true;
}

int dirty_memory(uint64_t megabytes) {
    const size_t size = megabytes << 20;
    void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 1;
    std::memset(memory, 0xa5, size);
    return 0;
}

void test_fresh_pages(Ktap& ktap) {
    constexpr size_t kSize = 4 << 20;
    for (unsigned round = 0; round < 4; ++round) {
        const int status = run_victim("dirty-memory", 8);
        ktap.check(exited_with(status, 0), "%s", describe(status));
        void* const memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ktap.check(memory != MAP_FAILED, "mmap");
        if (memory == MAP_FAILED)
            break;
        ktap.check(all_zero(static_cast<uint64_t*>(memory), kSize), "an old page came back with its contents");
        std::memset(memory, 0xa5, kSize);
        munmap(memory, kSize);
    }
    auto* const old_break = static_cast<char*>(sbrk(0));
    auto* const heap = static_cast<char*>(sbrk(1 << 20));
    ktap.check(heap == old_break &&
                   all_zero(reinterpret_cast<uint64_t*>((reinterpret_cast<uint64_t>(heap) + 7) & ~7ull), (1 << 20) - 8),
               "brk: pages with contents");
    std::memset(heap, 0xa5, 1 << 20);
    sbrk(-(1 << 20));
    auto* const again = static_cast<char*>(sbrk(1 << 20));
    // The byte range up to the next page boundary was never given back.
    const uint64_t first = (reinterpret_cast<uint64_t>(again) + kPage - 1) & ~(kPage - 1);
    ktap.check(again == heap && all_zero(reinterpret_cast<uint64_t*>(first), (1 << 20) - 2 * kPage),
               "brk: a page came back with its contents");
    ktap.test("L8 fresh, regained and brk pages are zero");
}

constexpr Victim kVictims[] = {{"hold-pattern", hold_pattern}, {"dirty-memory", dirty_memory}};

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims});
    Ktap ktap(6);
    test_context_switches(ktap);
    test_registers_after_calls(ktap);
    test_thread_start(ktap);
    test_padding(ktap);
    test_fresh_pages(ktap);
    return ktap.finish();
}
