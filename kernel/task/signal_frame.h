// The frame that a handler finds on its stack, byte for byte Linux' [asm/sigcontext.h, asm/ucontext.h]: libraries walk
// it, change it, and hand it back to rt_sigreturn. From the lowest address up:
//
//   SignalFrame   return address, ucontext, siginfo
//   FPU state     XSAVE's standard format, 64-byte aligned, with Linux' magic words in its software bytes
//   128 bytes     the red zone of whatever was interrupted [System V ABI, 3.2.2]; not on an alternate stack
#pragma once

#include "task/signal.h"

namespace tollgate {

struct SignalRegisters { // struct sigcontext
    u64 r8, r9, r10, r11, r12, r13, r14, r15;
    u64 rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    u16 cs, gs, fs, ss;
    u64 error, vector, old_mask, fault_address;
    u64 fpu; ///< address of the FPU state; 0: none, and the FPU is reset
    u64 reserved[8];
};
static_assert(sizeof(SignalRegisters) == 256 && __builtin_offsetof(SignalRegisters, fpu) == 184);

struct SignalContext { // struct ucontext
    u64 flags, link;
    SignalStack stack;
    SignalRegisters registers;
    SignalSet mask;
};
static_assert(sizeof(SignalContext) == 304);

struct SignalFrame { // struct rt_sigframe
    u64 return_address;
    SignalContext context;
    SignalInfo info;
};
static_assert(sizeof(SignalFrame) == 440);

/// SignalContext::flags
inline constexpr u64 kContextHasXsave = 1, kContextSs = 2, kContextStrictSs = 4;

/// rt_sigreturn(2) of the calling thread: its registers are those of the frame above rsp. Refuses what user code may
/// not have: RIP beyond user space, a malformed FPU state, a frame that cannot be read; SIGSEGV then. Leaves by IRET in
/// any case.
[[noreturn]] void return_from_signal(UserThread& self);

/// sigaltstack(2).
Result<void> set_alternate_stack(UserThread& self, const SignalStack& stack, u64 user_rsp);
SignalStack alternate_stack(const UserThread& self, u64 user_rsp);

} // namespace tollgate
