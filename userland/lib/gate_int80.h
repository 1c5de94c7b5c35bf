// The int 0x80 gate: numbers and registers are those of the native gate, so that the two differ in the crossing alone;
// nothing but rax is lost. Tollgate's own convention: on Linux int 0x80 takes the i386 numbers, so never call it there.
#pragma once

#include "userland/lib/gate.h"

namespace tollgate {

struct Int80 {
    static constexpr std::string_view kName = "int80";

    template <Word... A>
    requires(sizeof...(A) <= 6) [[gnu::always_inline]] static long call(long number, A... arguments) {
        return raw(number, word(arguments)...);
    }

private:
    [[gnu::always_inline]] static long raw(long rax) {
        asm volatile("int $0x80" : "+a"(rax) : : "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long rax, long a) {
        asm volatile("int $0x80" : "+a"(rax) : "D"(a) : "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long rax, long a, long b) {
        asm volatile("int $0x80" : "+a"(rax) : "D"(a), "S"(b) : "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long rax, long a, long b, long c) {
        asm volatile("int $0x80" : "+a"(rax) : "D"(a), "S"(b), "d"(c) : "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long rax, long a, long b, long c, long d) {
        register long r10 asm("r10") = d;
        asm volatile("int $0x80" : "+a"(rax) : "D"(a), "S"(b), "d"(c), "r"(r10) : "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long rax, long a, long b, long c, long d, long e) {
        register long r10 asm("r10") = d;
        register long r8 asm("r8") = e;
        asm volatile("int $0x80" : "+a"(rax) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long rax, long a, long b, long c, long d, long e, long f) {
        register long r10 asm("r10") = d;
        register long r8 asm("r8") = e;
        register long r9 asm("r9") = f;
        asm volatile("int $0x80" : "+a"(rax) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "memory");
        return rax;
    }
};
static_assert(Gate<Int80>);

} // namespace tollgate
