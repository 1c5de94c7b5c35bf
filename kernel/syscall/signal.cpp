// Actions, masks and sending. Delivery is task/signal_delivery.cpp; what waits for signals is signal_wait.cpp.
#include "syscall/handlers.h"
#include "task/signal_frame.h"
#include "task/signal_internal.h"

namespace tollgate {
namespace {

constexpr u64 kSetSize = sizeof(SignalSet);
/// The flags that mean something; others are dropped, so that a program can find out [man 2 sigaction].
constexpr u64 kKnownFlags = task::kKnownActionFlags;

/// SI_USER or SI_TKILL, from the caller.
SignalInfo signal_from(const Caller& caller, int signal, i32 code) {
    SignalInfo info = task::user_signal(caller, signal);
    info.code = code;
    return info;
}

/// What a program may claim about a signal that it sends to others: nothing that only the kernel can know.
Result<SignalInfo> take_info(const Caller& caller, i32 target, int signal, UserPtr<const SignalInfo> from) {
    SignalInfo info = TRY(copy_from_user(from));
    if ((info.code >= 0 || info.code == kCodeTgkill) && caller.process->id() != target)
        return fail(Errno::Perm);
    info.signal = signal;
    return info;
}

bool is_valid(int signal) { return signal >= 0 && signal <= kSignals; }

/// Signal 0 only asks.
Result<void> send_to_process(Caller& caller, Process& to, const SignalInfo& info) {
    if (!is_valid(info.signal))
        return fail(Errno::Inval);
    if (!task::may_signal(caller, to, info.signal))
        return fail(Errno::Perm);
    return info.signal == 0 ? Result<void>{} : task::send_signal(to, info);
}

Result<void> send_to_thread(Caller& caller, i32 group, i32 id, const SignalInfo& info) {
    const Ref<UserThread> to = task::find_thread(id);
    if (!to || (group != 0 && to->process->id() != group))
        return fail(Errno::Srch);
    if (!is_valid(info.signal))
        return fail(Errno::Inval);
    if (!task::may_signal(caller, *to->process, info.signal))
        return fail(Errno::Perm);
    return info.signal == 0 ? Result<void>{} : task::send_signal(*to, info);
}

/// kill(2) to several: succeeds if one of them could be sent the signal.
template <class Chosen>
Result<void> send_to_all(Caller& caller, const SignalInfo& info, Chosen chosen) {
    bool found = false, sent = false;
    Errno error = Errno::Srch;
    for (Ref<Process> process = task::next_process(0); process; process = task::next_process(process->id())) {
        if (!chosen(*process))
            continue;
        found = true;
        const auto outcome = send_to_process(caller, *process, info);
        sent |= outcome.has_value();
        if (!outcome)
            error = outcome.error();
    }
    if (found && sent)
        return {};
    return fail(error);
}

} // namespace

Result<u64> sys_kill(Caller& caller, int id, int signal) {
    const SignalInfo info = task::user_signal(caller, signal);
    if (id > 0) {
        if (id == caller.process->id()) {
            TRY(send_to_process(caller, *caller.process, info));
            return 0;
        }
        const Ref<Process> to = task::find(id);
        if (!to)
            return fail(Errno::Srch);
        TRY(send_to_process(caller, *to, info));
    } else if (id == -1) {
        TRY(send_to_all(caller, info, [&](const Process& process) {
            return process.id() != 1 && process.id() != caller.process->id();
        }));
    } else {
        const i64 group = id == 0 ? caller.process->group_id() : -static_cast<i64>(id);
        TRY(send_to_all(caller, info, [&](const Process& process) { return process.group_id() == group; }));
    }
    return 0;
}

Result<u64> sys_tkill(Caller& caller, int thread, int signal) {
    if (thread <= 0)
        return fail(Errno::Inval);
    TRY(send_to_thread(caller, 0, thread, signal_from(caller, signal, kCodeTgkill)));
    return 0;
}

Result<u64> sys_tgkill(Caller& caller, int group, int thread, int signal) {
    if (group <= 0 || thread <= 0)
        return fail(Errno::Inval);
    TRY(send_to_thread(caller, group, thread, signal_from(caller, signal, kCodeTgkill)));
    return 0;
}

Result<u64> sys_rt_sigqueueinfo(Caller& caller, int id, int signal, UserPtr<const SignalInfo> from) {
    const SignalInfo info = TRY(take_info(caller, id, signal, from));
    const Ref<Process> to = id > 0 ? task::find(id) : Ref<Process>();
    if (!to)
        return fail(Errno::Srch);
    TRY(send_to_process(caller, *to, info));
    return 0;
}

Result<u64> sys_rt_tgsigqueueinfo(Caller& caller, int group, int thread, int signal, UserPtr<const SignalInfo> from) {
    if (group <= 0 || thread <= 0)
        return fail(Errno::Inval);
    const SignalInfo info = TRY(take_info(caller, group, signal, from));
    TRY(send_to_thread(caller, group, thread, info));
    return 0;
}

Result<u64> sys_rt_sigaction(Caller& caller, int signal, UserPtr<const SignalAction> from, UserPtr<SignalAction> old,
                             u64 size) {
    if (size != kSetSize)
        return fail(Errno::Inval);
    SignalAction action, before;
    if (!from.is_null())
        TRY(copy_from_user(action, from));
    if (signal < 1 || signal > kSignals)
        return fail(Errno::Inval);
    if (from.is_null()) {
        task::get_signal_action(*caller.process, signal, before);
    } else {
        if (signal_bit(signal) & task::kUnstoppable)
            return fail(Errno::Inval);
        action.flags &= kKnownFlags;
        action.mask &= ~task::kUnstoppable;
        task::exchange_signal_action(*caller.process, signal, action, before);
    }
    if (!old.is_null())
        TRY(copy_to_user(old, before));
    return 0;
}

Result<u64> sys_rt_sigprocmask(Caller& caller, int how, UserPtr<const SignalSet> mask, UserPtr<SignalSet> old,
                               u64 size) {
    constexpr int kBlock = 0, kUnblock = 1, kSet = 2;
    if (size != kSetSize)
        return fail(Errno::Inval);
    const SignalSet before = caller.owner->signals.mask.load(kRelaxed);
    if (!mask.is_null()) {
        const SignalSet given = TRY(copy_from_user(mask));
        switch (how) {
        case kBlock:
            task::set_signal_mask(*caller.owner, before | given);
            break;
        case kUnblock:
            task::set_signal_mask(*caller.owner, before & ~given);
            break;
        case kSet:
            task::set_signal_mask(*caller.owner, given);
            break;
        default:
            return fail(Errno::Inval);
        }
    }
    if (!old.is_null())
        TRY(copy_to_user(old, before));
    return 0;
}

Result<u64> sys_rt_sigpending(Caller& caller, u64 to, u64 size) {
    if (size > kSetSize)
        return fail(Errno::Inval);
    const SignalSet pending = task::blocked_and_pending(*caller.owner);
    TRY(copy_to_user_bytes(to, &pending, size));
    return 0;
}

Result<u64> sys_sigaltstack(Caller& caller, UserPtr<const SignalStack> stack, UserPtr<SignalStack> old) {
    const u64 rsp = caller.thread->user_frame().rsp;
    const SignalStack before = alternate_stack(*caller.owner, rsp);
    if (!stack.is_null())
        TRY(set_alternate_stack(*caller.owner, TRY(copy_from_user(stack)), rsp));
    if (!old.is_null())
        TRY(copy_to_user(old, before));
    return 0;
}

Result<u64> sys_rt_sigreturn(Caller& caller) { return_from_signal(*caller.owner); }

} // namespace tollgate
