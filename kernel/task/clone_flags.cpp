// The rules of clone_flags.h [man 2 clone, ERRORS].
#include "task/clone_flags.h"

#include "lib/address.h"

namespace tollgate::task {

namespace {

constexpr u64 kExitSignalMask = 0xff;
/// Hints that change nothing here: there is no tracer, no I/O context and no System V semaphore.
constexpr u64 kIgnored = kClonePtrace | kCloneUntraced | kCloneIo | kCloneSysVSem;
constexpr u64 kWords = kCloneSetTls | kCloneParentSetTid | kCloneChildClearTid | kCloneChildSetTid;
constexpr u64 kKnown = kCloneVm | kCloneFs | kCloneFiles | kCloneSigHand | kCloneVfork | kCloneParent | kCloneThread |
                       kCloneClearSigHand | kIgnored | kWords;
/// What a thread shares, always: a process has one table of each.
constexpr u64 kThreadNeeds = kCloneVm | kCloneFs | kCloneFiles | kCloneSigHand;

constexpr bool has(u64 flags, u64 all) { return (flags & all) == all; }

} // namespace

Result<void> check_clone(const CloneArguments& arguments) {
    const u64 flags = arguments.flags;
    if (flags & ~kKnown)
        return fail(Errno::Inval);
    const bool thread = flags & kCloneThread;
    if (thread && !has(flags, kThreadNeeds))
        return fail(Errno::Inval);
    if ((flags & kCloneSigHand) && !thread)
        return fail(Errno::Inval);
    if (has(flags, kCloneSigHand | kCloneClearSigHand))
        return fail(Errno::Inval);
    if (arguments.stack > kUserTop)
        return fail(Errno::Inval);
    if ((flags & kCloneSetTls) && arguments.tls >= kUserTop)
        return fail(Errno::Perm);
    return {};
}

CloneArguments clone_arguments(u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls) {
    constexpr i32 kLastSignal = 64;
    const auto signal = static_cast<i32>(flags & kExitSignalMask);
    // The upper half is not looked at, and CLONE_DETACHED means nothing any more.
    return {.flags = flags & 0xffff'ffff & ~(kExitSignalMask | kCloneDetached),
            .exit_signal = signal <= kLastSignal ? signal : 0,
            .stack = stack,
            .parent_tid = parent_tid,
            .child_tid = child_tid,
            .tls = tls};
}

Result<CloneArguments> clone_arguments(const Clone3Arguments& given) {
    constexpr u64 kLastSignal = 64, kMostIds = 32;
    if (given.set_tid_size > kMostIds || (given.set_tid == 0) != (given.set_tid_size == 0))
        return fail(Errno::Inval);
    if (given.set_tid_size != 0)
        return fail(Errno::Perm);
    if (given.flags & (kExitSignalMask | kCloneDetached))
        return fail(Errno::Inval);
    if (given.exit_signal > kLastSignal)
        return fail(Errno::Inval);
    if ((given.flags & (kCloneThread | kCloneParent)) && given.exit_signal != 0)
        return fail(Errno::Inval);
    if ((given.stack == 0) != (given.stack_size == 0))
        return fail(Errno::Inval);
    const auto stack_end = checked_add(given.stack, given.stack_size);
    if (!stack_end || *stack_end > kUserTop)
        return fail(Errno::Inval);
    return CloneArguments{.flags = given.flags,
                          .exit_signal = static_cast<i32>(given.exit_signal),
                          .stack = *stack_end,
                          .parent_tid = given.parent_tid,
                          .child_tid = given.child_tid,
                          .tls = given.tls};
}

} // namespace tollgate::task
