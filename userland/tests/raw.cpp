// A program without a C library, so that it sees what the kernel gave it and nothing else. `test-raw check` looks at
// the state in which it was started (L1, L3) and exits with 0 or the number of what is wrong; `test-raw exit N` exits
// with N; `test-raw spin` never ends. Called by test-leaks and test-process.
#include <cstdint>

extern "C" {

/// Filled by _start, in this order.
struct Initial {
    std::uint64_t registers[16]; // rax rbx rcx rdx rsi rdi rbp rsp r8 .. r15
    std::uint64_t flags;
    std::uint32_t mxcsr;
    std::uint16_t fcw, fsw;
    std::uint16_t segments[6]; // cs ss ds es fs gs
    std::uint32_t pad;
    std::uint64_t vectors[32]; // xmm0 .. xmm15
} initial;
static_assert(__builtin_offsetof(Initial, mxcsr) == 136 && __builtin_offsetof(Initial, segments) == 144 &&
              __builtin_offsetof(Initial, vectors) == 160);

[[noreturn]] void raw_main(const std::uint64_t* stack);
}

asm(R"(
    .text
    .globl _start
_start:
    movq %rax, initial(%rip)
    movq %rbx, initial+8(%rip)
    movq %rcx, initial+16(%rip)
    movq %rdx, initial+24(%rip)
    movq %rsi, initial+32(%rip)
    movq %rdi, initial+40(%rip)
    movq %rbp, initial+48(%rip)
    movq %rsp, initial+56(%rip)
    movq %r8, initial+64(%rip)
    movq %r9, initial+72(%rip)
    movq %r10, initial+80(%rip)
    movq %r11, initial+88(%rip)
    movq %r12, initial+96(%rip)
    movq %r13, initial+104(%rip)
    movq %r14, initial+112(%rip)
    movq %r15, initial+120(%rip)
    pushfq
    popq initial+128(%rip)
    stmxcsr initial+136(%rip)
    fnstcw initial+140(%rip)
    fnstsw initial+142(%rip)
    movw %cs, initial+144(%rip)
    movw %ss, initial+146(%rip)
    movw %ds, initial+148(%rip)
    movw %es, initial+150(%rip)
    movw %fs, initial+152(%rip)
    movw %gs, initial+154(%rip)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups %xmm\n, initial+160+16*\n(%rip)
    .endr
    movq %rsp, %rdi
    andq $-16, %rsp
    xorl %ebp, %ebp
    call raw_main
    ud2
)");

namespace {

long call(long number, long a = 0, long b = 0) {
    asm volatile("syscall" : "+a"(number) : "D"(a), "S"(b) : "rcx", "r11", "memory");
    return number;
}

[[noreturn]] void leave(int code) {
    for (;;)
        call(231, code);
}

bool same(const char* left, const char* right) {
    while (*left != '\0' && *left == *right)
        ++left, ++right;
    return *left == *right;
}

int number_of(const char* text) {
    int value = 0;
    for (; *text >= '0' && *text <= '9'; ++text)
        value = value * 10 + (*text - '0');
    return value;
}

/// 0, or: 1 + n for register n, 20 flags, 21 MXCSR, 22 FCW, 23 FSW, 24 .. 29 segments, 30 fs base, 31 gs base, 32 rsp,
/// 40 + n for xmm n.
int problem_with_initial_state(const std::uint64_t* stack) {
    constexpr int kRcx = 2, kRsp = 7, kR11 = 11;
    for (int i = 0; i < 16; ++i) {
        if (i == kRsp)
            continue;
        // RCX and R11 may also be what SYSRET leaves there: RIP and RFLAGS, known to the program anyway.
        extern const char entry[] asm("_start");
        const std::uint64_t allowed = i == kRcx ? reinterpret_cast<std::uint64_t>(entry) : i == kR11 ? 0x202 : 0;
        if (initial.registers[i] != 0 && initial.registers[i] != allowed)
            return 1 + i;
    }
    if (initial.flags != 0x202)
        return 20;
    if (initial.mxcsr != 0x1f80)
        return 21;
    if (initial.fcw != 0x37f)
        return 22;
    if (initial.fsw != 0)
        return 23;
    // [Linux' values] cs 0x33, ss 0x2b, the others null (or the flat user data segment)
    constexpr std::uint16_t kExpected[6] = {0x33, 0x2b, 0, 0, 0, 0};
    for (int i = 0; i < 6; ++i)
        if (initial.segments[i] != kExpected[i])
            return 24 + i;
    std::uint64_t base = ~0ull;
    constexpr long kArchPrctl = 158, kGetFs = 0x1003, kGetGs = 0x1004;
    if (call(kArchPrctl, kGetFs, reinterpret_cast<long>(&base)) != 0 || base != 0)
        return 30;
    base = ~0ull;
    if (call(kArchPrctl, kGetGs, reinterpret_cast<long>(&base)) != 0 || base != 0)
        return 31;
    if (reinterpret_cast<std::uint64_t>(stack) % 16 != 0 || initial.registers[kRsp] % 16 != 0)
        return 32;
    for (int i = 0; i < 32; ++i)
        if (initial.vectors[i] != 0)
            return 40 + i / 2;
    return 0;
}

} // namespace

void raw_main(const std::uint64_t* stack) {
    const std::uint64_t count = stack[0];
    const char* const* arguments = reinterpret_cast<const char* const*>(stack + 1);
    if (count >= 2 && same(arguments[1], "check"))
        leave(problem_with_initial_state(stack));
    if (count >= 3 && same(arguments[1], "exit"))
        leave(number_of(arguments[2]));
    if (count >= 2 && same(arguments[1], "spin"))
        for (;;) // no PAUSE: a QEMU full of it hardly comes to delivering timers
            asm volatile("");
    leave(96);
}
