// wait4 and waitid: their options, and what they tell.
#include "syscall/handlers.h"
#include "syscall/usage.h"

namespace tollgate {
namespace {

// [linux/wait.h]
constexpr u32 kNoHang = 1, kStopped = 2, kExited = 4, kContinued = 8, kNoWait = 0x0100'0000;
constexpr u32 kNoThread = 1u << 29, kAll = 1u << 30, kClone = 1u << 31;
constexpr u32 kAlways = kNoHang | kNoThread | kAll | kClone;

void use_options(WaitFor& what, u32 options) {
    what.stopped = options & kStopped;
    what.continued = options & kContinued;
    what.may_not_wait = options & kNoHang;
    what.any_exit_signal = options & kAll;
    what.clones_only = options & kClone;
}

/// How waitid and SIGCHLD name a wait status: a code and its detail.
struct Told {
    i32 code, status;
};
Told told_by(int status) {
    constexpr int kStoppedMark = 0x7f, kContinuedMark = 0xffff, kCoreMark = 0x80;
    if (status == kContinuedMark)
        return {kChildContinued, task::kSigContinue};
    if ((status & 0xff) == kStoppedMark)
        return {kChildStopped, status >> 8};
    if ((status & 0x7f) == 0)
        return {kChildExited, status >> 8 & 0xff};
    return {status & kCoreMark ? kChildDumped : kChildKilled, status & 0x7f};
}

} // namespace

Result<u64> sys_wait4(Caller& caller, int id, UserPtr<int> status, u32 options, UserPtr<ResourceUsage> usage) {
    if (options & ~(kAlways | kStopped | kContinued))
        return fail(Errno::Inval);
    constexpr int kLeast = -1 - 0x7fffffff;
    if (id == kLeast)
        return fail(Errno::Srch);
    WaitFor what;
    use_options(what, options);
    if (id != -1) {
        what.who = id > 0 ? WaitFor::Who::Id : WaitFor::Who::Group;
        what.id = id > 0 ? id : id == 0 ? caller.process->group_id() : -id;
    }
    const task::Waited found = TRY(task::wait_for_child(caller, what));
    if (found.id == 0)
        return 0;
    if (!status.is_null())
        TRY(copy_to_user(status, found.status));
    if (!usage.is_null())
        TRY(copy_to_user(usage, usage_for_user(found.usage)));
    return static_cast<u64>(found.id);
}

Result<u64> sys_waitid(Caller& caller, u32 kind, int id, UserPtr<SignalInfo> info, u32 options,
                       UserPtr<ResourceUsage> usage) {
    constexpr u32 kAny = 0, kId = 1, kGroup = 2; // P_PIDFD, 3: there are no process descriptors
    if ((options & ~(kAlways | kExited | kStopped | kContinued | kNoWait)) ||
        !(options & (kExited | kStopped | kContinued)))
        return fail(Errno::Inval);
    WaitFor what;
    use_options(what, options);
    what.exited = options & kExited;
    what.take = !(options & kNoWait);
    what.id = id;
    switch (kind) {
    case kAny:
        break;
    case kId:
        if (id <= 0)
            return fail(Errno::Inval);
        what.who = WaitFor::Who::Id;
        break;
    case kGroup:
        if (id < 0)
            return fail(Errno::Inval);
        what.who = WaitFor::Who::Group;
        if (id == 0)
            what.id = caller.process->group_id();
        break;
    default:
        return fail(Errno::Inval);
    }
    const task::Waited found = TRY(task::wait_for_child(caller, what));
    if (!usage.is_null() && found.id != 0)
        TRY(copy_to_user(usage, usage_for_user(found.usage)));
    if (info.is_null())
        return 0;
    SignalInfo result{}; // zeros if there was nothing
    if (found.id != 0) {
        const Told child = told_by(found.status);
        result.signal = task::kSigChild;
        result.code = child.code;
        result.child.process = found.id;
        result.child.user = found.user;
        result.child.status = child.status;
    }
    TRY(copy_to_user(info, result));
    return 0;
}

} // namespace tollgate
