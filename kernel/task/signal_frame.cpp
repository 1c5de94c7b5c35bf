// Making a handler's frame and taking one back, word by word between user memory and the saved registers. Another
// thread may write to a frame at any time: each word is read once, and what has been read is checked.
#include "task/signal_frame.h"

#include "cpu/fpu_signal.h"
#include "cpu/segments.h"
#include "cpu/user_return.h"
#include "lib/mutants.h"
#include "mem/user_copy.h"
#include "task/signal_internal.h"

namespace tollgate {
namespace {

constexpr u64 kRedZone = 128;
constexpr u64 kFpuAlignment = 64;
/// What a handler does not inherit: DF by the ABI, TF and RF so that a debugger's or a program's stepping stays where
/// it was.
constexpr u64 kClearedFlags = x86::kFlagDf | x86::kFlagTf | x86::kFlagRf;
constexpr u64 kSmallestStack = 2048; // MINSIGSTKSZ

constexpr u64 align_down(u64 value, u64 alignment) { return value & ~(alignment - 1); }

/// Whether the thread runs on its alternate stack. With SS_AUTODISARM it never counts as there: the stack is free for
/// the next handler, since the frame remembers it.
bool is_on(const SignalStack& stack, u64 rsp) {
    if (stack.flags & kStackAutoDisarm)
        return false;
    return rsp > stack.address && rsp - stack.address <= stack.size;
}

/// Where the FPU state and below it the frame go.
struct Places {
    u64 fpu, frame;
};

Result<Places> find_room(const UserThread& self, const TrapFrame& registers, u64 action_flags) {
    const SignalStack& alternate = self.signals.alternate_stack;
    u64 rsp = registers.rsp - kRedZone;
    const bool already_on = is_on(alternate, registers.rsp);
    const bool switches = (action_flags & kOnAlternateStack) && alternate.size != 0 && !already_on;
    if (switches)
        rsp = alternate.address + alternate.size;
    const u64 fpu = align_down(rsp - fpu_images.size - sizeof kFpuMagic2, kFpuAlignment);
    // At a handler's first instruction rsp + 8 is a multiple of 16 [System V ABI, 3.2.2].
    const u64 frame = align_down(fpu - sizeof(SignalFrame), 16) - 8;
    if (frame > rsp)
        return fail(Errno::Fault); // wrapped
    if ((switches || already_on) && frame < alternate.address)
        return fail(Errno::Fault);
    return Places{fpu, frame};
}

Result<void> push_fpu(u64 address) {
    TRY(check_user_range(address, fpu_images.size + sizeof kFpuMagic2));
    if (!fpu_save_to_user(address))
        return fail(Errno::Fault);
    return {};
}

/// The part of a SignalFrame that every handler gets, at a checked address. False on a fault.
bool put_context(SignalFrame& frame, const UserThread& self, const TrapFrame& from, u64 restorer, u64 fpu,
                 SignalSet mask) {
    SignalContext& to = frame.context;
    SignalRegisters& r = to.registers;
    const SignalStack& stack = self.signals.alternate_stack;
    const u64 flags = kContextSs | kContextStrictSs | (fpu_images.components != 0 ? kContextHasXsave : 0);
    bool failed = false;
    UserAccess access;
    user_put(&frame.return_address, restorer, failed);
    user_put(&to.flags, flags, failed);
    user_put(&to.link, u64{0}, failed);
    user_put(&to.stack.address, stack.address, failed);
    user_put(&to.stack.flags, stack.flags, failed);
    user_put(&to.stack.pad, u32{0}, failed);
    user_put(&to.stack.size, stack.size, failed);
    user_put(&r.r8, from.args[4], failed);
    user_put(&r.r9, from.args[5], failed);
    user_put(&r.r10, from.args[3], failed);
    user_put(&r.r11, from.r11, failed);
    user_put(&r.r12, from.r12, failed);
    user_put(&r.r13, from.r13, failed);
    user_put(&r.r14, from.r14, failed);
    user_put(&r.r15, from.r15, failed);
    user_put(&r.rdi, from.args[0], failed);
    user_put(&r.rsi, from.args[1], failed);
    user_put(&r.rbp, from.rbp, failed);
    user_put(&r.rbx, from.rbx, failed);
    user_put(&r.rdx, from.args[2], failed);
    user_put(&r.rax, from.rax, failed);
    user_put(&r.rcx, from.rcx, failed);
    user_put(&r.rsp, from.rsp, failed);
    user_put(&r.rip, from.rip, failed);
    user_put(&r.rflags, from.rflags, failed);
    // cs, gs, fs and ss are one word.
    user_put(reinterpret_cast<u64*>(&r.cs), kUserCode | u64{kUserData} << 48, failed);
    user_put(&r.error, self.signals.fault_error, failed);
    user_put(&r.vector, self.signals.fault_vector, failed);
    user_put(&r.old_mask, mask, failed);
    user_put(&r.fault_address, self.signals.fault_address, failed);
    user_put(&r.fpu, fpu, failed);
#pragma GCC unroll 8
    for (u64& word : r.reserved)
        user_put(&word, u64{0}, failed);
    user_put(&to.mask, mask, failed);
    return !failed;
}
static_assert(__builtin_offsetof(SignalRegisters, ss) == __builtin_offsetof(SignalRegisters, cs) + 6);

/// Whether the FPU image at `address` is a whole one, as push_fpu() makes it, and then which components it holds.
bool is_whole_image(u64 address, u64& components) {
    if (fpu_images.components == 0 || !is_user_range(address, fpu_images.size + sizeof kFpuMagic2))
        return false;
    const auto& software = *reinterpret_cast<const FpuSoftwareBytes*>(address + kFpuSoftwareOffset);
    u32 magic1, size, extended_size, magic2;
    bool failed = false;
    {
        UserAccess access;
        user_get(magic1, &software.magic1, failed);
        user_get(size, &software.size, failed);
        user_get(extended_size, &software.extended_size, failed);
        user_get(components, &software.components, failed);
        user_get(magic2, reinterpret_cast<const u32*>(address + fpu_images.size), failed);
    }
    components &= fpu_images.components;
    return !failed && magic1 == kFpuMagic1 && size == fpu_images.size && extended_size >= size && magic2 == kFpuMagic2;
}

/// What decides whether the CPU takes an image; the header only if it has one. False on a fault.
bool get_claims(FpuClaims& claims, u64 address, bool has_header) {
    const auto* const words = reinterpret_cast<const u64*>(address + kFpuLegacySize);
    u32 mxcsr;
    u64 components = 0, reserved = 0;
    bool failed = false;
    UserAccess access;
    user_get(mxcsr, reinterpret_cast<const u32*>(address + kFpuMxcsrOffset), failed);
    if (has_header) {
        user_get(components, words, failed);
#pragma GCC unroll 8
        for (u64 i = 1; i < kFpuHeaderSize / 8; ++i) {
            u64 word;
            user_get(word, words + i, failed);
            reserved |= word;
        }
    }
    claims = {mxcsr, components, reserved};
    return !failed;
}

/// The image at `address` that rt_sigreturn loads. Errors: Fault (unreadable), Inval (the CPU would refuse it).
Result<void> take_fpu(u64 address) {
    if (address == 0) {
        fpu_reset();
        return {};
    }
    if (address % (fpu_images.components != 0 ? kFpuAlignment : 16) != 0)
        return fail(Errno::Inval); // #GP of XRSTOR and FXRSTOR
    TRY(check_user_range(address, kFpuLegacySize));
    u64 components = 0;
    const bool whole = is_whole_image(address, components);
    FpuClaims claims;
    if (!get_claims(claims, address, whole))
        return fail(Errno::Fault);
    if (!fpu_claims_valid(claims) && !mutant(Mutant::SigreturnFpu)) // [threats L4]
        return fail(Errno::Inval);
    // Components that the program says it did not save start anew, all but the legacy ones if it has saved no more.
    if (!whole || components != fpu_images.components)
        fpu_reset();
    const bool loaded = whole ? fpu_load_from_user(address, components) : fpu_load_legacy_from_user(address);
    return loaded ? Result<void>() : fail(Errno::Inval);
}

/// The registers of a frame that user code has written, made safe: selectors are constants [threats I6], RFLAGS a
/// subset [threats S6], RIP user code's or the frame is refused [threats S1, S7]. The range has been checked.
Result<void> take_registers(TrapFrame& to, const SignalRegisters& from) {
    bool failed = false;
    u64 rip, rflags, rsp;
    {
        UserAccess access;
        user_get(rip, &from.rip, failed);
        user_get(rflags, &from.rflags, failed);
        user_get(to.r15, &from.r15, failed);
        user_get(to.r14, &from.r14, failed);
        user_get(to.r13, &from.r13, failed);
        user_get(to.r12, &from.r12, failed);
        user_get(to.rbp, &from.rbp, failed);
        user_get(to.rbx, &from.rbx, failed);
        user_get(to.r11, &from.r11, failed);
        user_get(to.rcx, &from.rcx, failed);
        user_get(to.args[0], &from.rdi, failed);
        user_get(to.args[1], &from.rsi, failed);
        user_get(to.args[2], &from.rdx, failed);
        user_get(to.args[3], &from.r10, failed);
        user_get(to.args[4], &from.r8, failed);
        user_get(to.args[5], &from.r9, failed);
        user_get(to.rax, &from.rax, failed);
        user_get(rsp, &from.rsp, failed);
    }
    to.vector = kVectorNone;
    to.error = 0;
    to.cs = kUserCode;
    to.ss = kUserData;
    if (failed || (rip >= kUserTop && !mutant(Mutant::SigreturnRip)))
        return fail(Errno::Fault);
    to.rip = rip;
    to.rsp = rsp;
    to.rflags = (mutant(Mutant::SigreturnFlags) ? rflags : rflags & kUserFlags) | x86::kFlagIf | x86::kFlagFixed;
    return {};
}

Result<void> take_frame(UserThread& self, TrapFrame& registers) {
    // The handler's RET has popped the return address: rsp points behind it.
    const u64 address = registers.rsp - sizeof(SignalFrame::return_address);
    TRY(check_user_range(address, __builtin_offsetof(SignalFrame, info)));
    const SignalContext& context = reinterpret_cast<const SignalFrame*>(address)->context;
    SignalStack stack;
    SignalSet mask;
    u64 fpu;
    bool failed = false;
    {
        UserAccess access;
        user_get(mask, &context.mask, failed);
        user_get(fpu, &context.registers.fpu, failed);
        user_get(stack.address, &context.stack.address, failed);
        user_get(stack.flags, &context.stack.flags, failed);
        user_get(stack.size, &context.stack.size, failed);
    }
    if (failed)
        return fail(Errno::Fault);
    task::set_signal_mask(self, mask);
    TRY(take_registers(registers, context.registers));
    TRY(take_fpu(fpu));
    // Linux takes no notice of a stack that cannot be set either.
    static_cast<void>(set_alternate_stack(self, stack, registers.rsp).has_value());
    return {};
}

} // namespace

namespace task {

Result<void> push_signal_frame(UserThread& self, TrapFrame& frame, const SignalInfo& info, const SignalAction& action,
                               SignalSet saved_mask) {
    if (!(action.flags & kHasRestorer) || action.handler >= kUserTop)
        return fail(Errno::Fault);
    const Places places = TRY(find_room(self, frame, action.flags));
    TRY(push_fpu(places.fpu));
    TRY(check_user_range(places.frame, sizeof(SignalFrame)));
    if (!put_context(*reinterpret_cast<SignalFrame*>(places.frame), self, frame, action.restorer, places.fpu,
                     saved_mask))
        return fail(Errno::Fault);
    if (action.flags & kWithInfo)
        TRY(copy_to_user_bytes(places.frame + __builtin_offsetof(SignalFrame, info), &info, sizeof info));
    if (self.signals.alternate_stack.flags & kStackAutoDisarm)
        self.signals.alternate_stack = {0, kStackDisabled, 0, 0};
    frame.args[0] = static_cast<u64>(info.signal);
    frame.args[1] = places.frame + __builtin_offsetof(SignalFrame, info);
    frame.args[2] = places.frame + __builtin_offsetof(SignalFrame, context);
    frame.rax = 0; // no vector registers hold arguments, should the handler take a variable number
    frame.rip = action.handler;
    frame.rsp = places.frame;
    frame.rflags &= ~kClearedFlags;
    frame.vector = kVectorNone;
    fpu_reset();
    return {};
}

} // namespace task

void return_from_signal(UserThread& self) {
    TrapFrame& frame = self.thread->user_frame();
    // The handler may have come just before a restart_syscall, and have had calls interrupted itself.
    self.restart = {};
    if (!take_frame(self, frame).has_value()) {
        ++this_cpu().counters.sigreturn_refused;
        frame.vector = kVectorNone;
        cpu_request_work(kWorkFullReturn); // whatever of it has been taken is checked again
        task::force_signal(self, task::kernel_signal(task::kSigSegv), frame, "sigreturn with a bad frame");
    }
    ++this_cpu().counters.native_slow;
    // Straight to IRET: rcx and r11 are the frame's own, which the way out of a system call would overwrite.
    enter_user_mode(frame);
}

SignalStack alternate_stack(const UserThread& self, u64 user_rsp) {
    const SignalStack& stack = self.signals.alternate_stack;
    const i32 state = stack.size == 0 ? kStackDisabled : is_on(stack, user_rsp) ? kStackInUse : 0;
    return {stack.address, state | (stack.flags & kStackAutoDisarm), 0, stack.size};
}

Result<void> set_alternate_stack(UserThread& self, const SignalStack& stack, u64 user_rsp) {
    if (is_on(self.signals.alternate_stack, user_rsp))
        return fail(Errno::Perm);
    const i32 mode = stack.flags & ~kStackAutoDisarm;
    if (mode != 0 && mode != kStackInUse && mode != kStackDisabled)
        return fail(Errno::Inval);
    if (mode == kStackDisabled) {
        self.signals.alternate_stack = {0, stack.flags, 0, 0};
        return {};
    }
    if (stack.size < kSmallestStack)
        return fail(Errno::NoMem);
    self.signals.alternate_stack = {stack.address, stack.flags, 0, stack.size};
    return {};
}

} // namespace tollgate
