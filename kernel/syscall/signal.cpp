// Signals, as far as they exist: actions and masks are remembered, nothing is delivered to a handler, and a signal
// whose default is to end the process does so.
#include "syscall/handlers.h"

namespace tollgate {
namespace {

// [asm/signal.h]
constexpr int kSigStop = 19, kSigContinue = 18, kSigTerminalStop = 20, kSigTerminalIn = 21, kSigTerminalOut = 22;
constexpr int kSigUrgent = 23, kSigWindow = 28;
constexpr u64 kDefaultAction = 0, kIgnore = 1;
constexpr u64 kMaskSize = 8;

constexpr u64 bit(int signal) { return u64{1} << (signal - 1); }
constexpr u64 kIgnoredByDefault = bit(task::kSigChild) | bit(kSigContinue) | bit(kSigUrgent) | bit(kSigWindow);
constexpr u64 kStops = bit(kSigStop) | bit(kSigTerminalStop) | bit(kSigTerminalIn) | bit(kSigTerminalOut);
constexpr u64 kUnstoppable = bit(task::kSigKill) | bit(kSigStop);

/// Masks are not looked at: a blocked signal acts at once. Errors: Inval, NoSys where a handler or a stop would be due.
Result<u64> send(Process& to, int signal) {
    if (signal < 0 || signal > kSignals)
        return fail(Errno::Inval);
    if (signal == 0)
        return 0;
    const u64 handler = bit(signal) & kUnstoppable ? kDefaultAction : to.signals.actions[signal - 1].handler;
    if (handler == kIgnore)
        return 0;
    if (handler != kDefaultAction || (bit(signal) & kStops))
        return fail(Errno::NoSys);
    if (!(bit(signal) & kIgnoredByDefault))
        task::kill_process(to, task::killed_by(signal));
    return 0;
}

} // namespace

Result<u64> sys_kill(Caller& caller, int id, int signal) {
    // There are no process groups: 0 is the caller alone, the other groups are empty.
    const Ref<Process> to = id == 0 ? Ref<Process>(*caller.process) : id > 0 ? task::find(id) : Ref<Process>();
    if (!to)
        return fail(Errno::Srch);
    return send(*to, signal);
}

/// The thread is not looked for: what a signal can do now, it does to the whole process.
Result<u64> sys_tgkill(Caller&, int group, int thread, int signal) {
    if (group <= 0 || thread <= 0)
        return fail(Errno::Inval);
    const Ref<Process> to = task::find(group);
    if (!to)
        return fail(Errno::Srch);
    return send(*to, signal);
}

Result<u64> sys_rt_sigaction(Caller& caller, int signal, UserPtr<const SignalAction> action, UserPtr<SignalAction> old,
                             u64 size) {
    if (size != kMaskSize || signal < 1 || signal > kSignals)
        return fail(Errno::Inval);
    SignalAction& stored = caller.process->signals.actions[signal - 1];
    const SignalAction before = stored;
    if (!action.is_null()) {
        if (bit(signal) & kUnstoppable)
            return fail(Errno::Inval);
        stored = TRY(copy_from_user(action));
    }
    if (!old.is_null())
        TRY(copy_to_user(old, before));
    return 0;
}

Result<u64> sys_rt_sigprocmask(Caller& caller, int how, UserPtr<const u64> mask, UserPtr<u64> old, u64 size) {
    constexpr int kBlock = 0, kUnblock = 1, kSet = 2;
    if (size != kMaskSize)
        return fail(Errno::Inval);
    auto& stored = caller.owner->signals.mask;
    const u64 before = stored.load(kRelaxed);
    if (!mask.is_null()) {
        const u64 given = TRY(copy_from_user(mask))
        &~kUnstoppable;
        switch (how) {
        case kBlock:
            stored = before | given;
            break;
        case kUnblock:
            stored = before & ~given;
            break;
        case kSet:
            stored = given;
            break;
        default:
            return fail(Errno::Inval);
        }
    }
    if (!old.is_null())
        TRY(copy_to_user(old, before));
    return 0;
}

/// Accepted, since no handler ever runs on it; reads back as disabled.
Result<u64> sys_sigaltstack(Caller&, UserPtr<const SignalStack> stack, UserPtr<SignalStack> old) {
    constexpr i32 kDisabled = 2;
    if (!stack.is_null())
        TRY(copy_from_user(stack));
    if (!old.is_null())
        TRY(copy_to_user(old, SignalStack{0, kDisabled, 0, 0}));
    return 0;
}

} // namespace tollgate
