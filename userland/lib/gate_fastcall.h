// The fastcall gate: system call 442. Index in rdi, up to five arguments in rsi, rdx, r10, r8, r9, result in rax. A
// fastcall loses every one of these registers besides rcx and r11 (api/fastcall.h), hence the long lists. Called by
// bench and by tests.
#pragma once

#include "api/fastcall.h"
#include "api/numbers.h"
#include "userland/lib/gate.h"

namespace tollgate {

struct Fastcall {
    static constexpr std::string_view kName = "fastcall";

    template <Word... A>
    requires(sizeof...(A) <= 5) [[gnu::always_inline]] static long call(long index, A... arguments) {
        return raw(index, word(arguments)...);
    }

private:
    [[gnu::always_inline]] static long raw(long index) {
        long rax = api::kSysFastcall;
        asm volatile("syscall" : "+a"(rax), "+D"(index) : : "rcx", "r11", "rsi", "rdx", "r10", "r8", "r9", "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long index, long a) {
        long rax = api::kSysFastcall;
        asm volatile("syscall" : "+a"(rax), "+D"(index), "+S"(a) : : "rcx", "r11", "rdx", "r10", "r8", "r9", "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long index, long a, long b) {
        long rax = api::kSysFastcall;
        asm volatile("syscall"
                     : "+a"(rax), "+D"(index), "+S"(a), "+d"(b)
                     :
                     : "rcx", "r11", "r10", "r8", "r9", "memory");
        return rax;
    }
    [[gnu::always_inline]] static long raw(long index, long a, long b, long c, long d = 0, long e = 0) {
        long rax = api::kSysFastcall;
        register long r10 asm("r10") = c;
        register long r8 asm("r8") = d;
        register long r9 asm("r9") = e;
        asm volatile("syscall"
                     : "+a"(rax), "+D"(index), "+S"(a), "+d"(b), "+r"(r10), "+r"(r8), "+r"(r9)
                     :
                     : "rcx", "r11", "memory");
        return rax;
    }
};
static_assert(Gate<Fastcall>);

} // namespace tollgate
