// Making a handler's frame and taking one back. Everything read from a frame is copied into the kernel first and
// checked there: another thread may write to it at any time.
#include "task/signal_frame.h"

#include "cpu/fpu_signal.h"
#include "cpu/segments.h"
#include "cpu/user_return.h"
#include "lib/mutants.h"
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

/// The part of a SignalFrame that every handler gets.
struct FrameTop {
    u64 return_address;
    SignalContext context;
};
static_assert(sizeof(FrameTop) == __builtin_offsetof(SignalFrame, info));

void fill_context(SignalContext& to, const UserThread& self, const TrapFrame& from, u64 fpu, SignalSet mask) {
    to.flags = kContextSs | kContextStrictSs | (fpu_images.components != 0 ? kContextHasXsave : 0);
    to.link = 0;
    to.stack = self.signals.alternate_stack;
    to.mask = mask;
    SignalRegisters& r = to.registers; // one by one: a whole structure would be built elsewhere and copied
    r.r8 = from.args[4];
    r.r9 = from.args[5];
    r.r10 = from.args[3];
    r.r11 = from.r11;
    r.r12 = from.r12;
    r.r13 = from.r13;
    r.r14 = from.r14;
    r.r15 = from.r15;
    r.rdi = from.args[0];
    r.rsi = from.args[1];
    r.rbp = from.rbp;
    r.rbx = from.rbx;
    r.rdx = from.args[2];
    r.rax = from.rax;
    r.rcx = from.rcx;
    r.rsp = from.rsp;
    r.rip = from.rip;
    r.rflags = from.rflags;
    r.cs = kUserCode;
    r.gs = r.fs = 0;
    r.ss = kUserData;
    r.error = self.signals.fault_error;
    r.vector = self.signals.fault_vector;
    r.old_mask = mask;
    r.fault_address = self.signals.fault_address;
    r.fpu = fpu;
    for (u64& word : r.reserved)
        word = 0;
}

/// A copy of a frame's FPU state, and of the magic word behind it, on the kernel stack.
struct alignas(kFpuAlignment) FpuImage {
    u8 bytes[kFpuMostBytes + sizeof kFpuMagic2];

    /// Whether it is the whole image that push_fpu() makes.
    bool has_magic() const {
        const auto& software = *reinterpret_cast<const FpuSoftwareBytes*>(bytes + kFpuSoftwareOffset);
        return software.magic1 == kFpuMagic1 && software.size == fpu_images.size &&
               software.extended_size >= software.size &&
               *reinterpret_cast<const u32*>(bytes + software.size) == kFpuMagic2;
    }
    u64& state_bits() { return *reinterpret_cast<u64*>(bytes + kFpuLegacySize); }
    u64 saved_components() const {
        return reinterpret_cast<const FpuSoftwareBytes*>(bytes + kFpuSoftwareOffset)->components;
    }
};

/// Turns an image without (valid) software bytes into one that resets what FXSAVE does not know.
void keep_legacy_only(FpuImage& image) {
    u64* const header = reinterpret_cast<u64*>(image.bytes + kFpuLegacySize);
    for (u64 word = 0; word < kFpuHeaderSize / 8; ++word)
        header[word] = 0;
    header[0] = 3 & fpu_images.components; // x87 and SSE
}

/// The image at `address` that rt_sigreturn loads. Errors: Fault (unreadable), Inval (the CPU would refuse it).
Result<void> take_fpu(u64 address) {
    if (address == 0) {
        fpu_reset();
        return {};
    }
    const bool has_xsave = fpu_images.components != 0;
    if (address % (has_xsave ? kFpuAlignment : 16) != 0)
        return fail(Errno::Inval); // #GP of XRSTOR and FXRSTOR
    FpuImage image;
    const bool whole = has_xsave &&
                       copy_from_user_bytes(image.bytes, address, fpu_images.size + sizeof kFpuMagic2).has_value() &&
                       image.has_magic();
    if (!whole) {
        TRY(copy_from_user_bytes(image.bytes, address, kFpuLegacySize));
        keep_legacy_only(image);
    } else if (!mutant(Mutant::SigreturnFpu)) {
        // Components that the program says it did not save start anew.
        image.state_bits() &= image.saved_components() | ~fpu_images.components;
    }
    if (!fpu_image_valid(image.bytes) && !mutant(Mutant::SigreturnFpu)) // [threats L4]
        return fail(Errno::Inval);
    if (!fpu_restore_image(image.bytes))
        return fail(Errno::Inval);
    return {};
}

/// The registers of a frame that user code has written, made safe: selectors are constants [threats I6], RFLAGS a
/// subset [threats S6], RIP user code's or the frame is refused [threats S1, S7].
Result<void> take_registers(TrapFrame& to, const SignalRegisters& from) {
    if (from.rip >= kUserTop && !mutant(Mutant::SigreturnRip))
        return fail(Errno::Fault);
    to.r15 = from.r15;
    to.r14 = from.r14;
    to.r13 = from.r13;
    to.r12 = from.r12;
    to.rbp = from.rbp;
    to.rbx = from.rbx;
    to.r11 = from.r11;
    to.rcx = from.rcx;
    to.args[0] = from.rdi;
    to.args[1] = from.rsi;
    to.args[2] = from.rdx;
    to.args[3] = from.r10;
    to.args[4] = from.r8;
    to.args[5] = from.r9;
    to.rax = from.rax;
    to.vector = kVectorNone;
    to.error = 0;
    to.rip = from.rip;
    to.cs = kUserCode;
    to.rflags = (from.rflags & kUserFlags) | x86::kFlagIf | x86::kFlagFixed;
    to.rsp = from.rsp;
    to.ss = kUserData;
    if (mutant(Mutant::SigreturnFlags))
        to.rflags = from.rflags | x86::kFlagIf | x86::kFlagFixed;
    return {};
}

Result<void> take_frame(UserThread& self, TrapFrame& registers) {
    // The handler's RET has popped the return address: rsp points behind it.
    const u64 address = registers.rsp - sizeof(SignalFrame::return_address);
    SignalContext context;
    TRY(copy_from_user_bytes(&context, address + __builtin_offsetof(SignalFrame, context), sizeof context));
    task::set_signal_mask(self, context.mask);
    TRY(take_registers(registers, context.registers));
    TRY(take_fpu(context.registers.fpu));
    // Linux takes no notice of a stack that cannot be set either.
    static_cast<void>(set_alternate_stack(self, context.stack, registers.rsp).has_value());
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
    FrameTop top;
    top.return_address = action.restorer;
    fill_context(top.context, self, frame, places.fpu, saved_mask);
    TRY(copy_to_user_bytes(places.frame, &top, sizeof top));
    if (action.flags & kWithInfo)
        TRY(copy_to_user_bytes(places.frame + sizeof top, &info, sizeof info));
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
