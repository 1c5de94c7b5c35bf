// The native gate: the syscall instruction, Linux' convention. Number in rax, arguments in rdi, rsi, rdx, r10, r8, r9;
// result in rax; lost are rcx and r11, which the instruction itself overwrites [SDM vol 2B, SYSCALL]. Runs on Linux as
// well.
#pragma once

#include "userland/lib/gate.h"

namespace tollgate {

struct Native {
    static constexpr std::string_view kName = "native";

    template <Word... A>
    requires(sizeof...(A) <= 6) [[gnu::always_inline]] static long call(long number, A... arguments) {
        return raw(number, word(arguments)...);
    }

private:
    [[gnu::always_inline]] static long raw(long rax) {
        asm volatile("syscall" : "+a"(rax) : : "rcx", "r11", "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long rax, long a) {
        asm volatile("syscall" : "+a"(rax) : "D"(a) : "rcx", "r11", "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long rax, long a, long b) {
        asm volatile("syscall" : "+a"(rax) : "D"(a), "S"(b) : "rcx", "r11", "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long rax, long a, long b, long c) {
        asm volatile("syscall" : "+a"(rax) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long rax, long a, long b, long c, long d) {
        register long r10 asm("r10") = d;
        asm volatile("syscall" : "+a"(rax) : "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long rax, long a, long b, long c, long d, long e) {
        register long r10 asm("r10") = d;
        register long r8 asm("r8") = e;
        asm volatile("syscall" : "+a"(rax) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long rax, long a, long b, long c, long d, long e, long f) {
        register long r10 asm("r10") = d;
        register long r8 asm("r8") = e;
        register long r9 asm("r9") = f;
        asm volatile("syscall"
                     : "+a"(rax)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
        return rax;
    }
};
static_assert(Gate<Native>);

} // namespace tollgate
