// The epoll calls: checks of arguments around fs/epoll.h.
#include "fs/epoll.h"
#include "cpu/layout.h"
#include "syscall/handlers.h"
#include "syscall/wait_mask.h"

namespace tollgate {
namespace {

using fs::Epoll, fs::EpollEvent;

// [linux/eventpoll.h]
constexpr int kAdd = 1, kDelete = 2, kModify = 3;
constexpr u64 kMostEvents = 0x7fffffff / sizeof(EpollEvent);
/// What may stand beside EPOLLEXCLUSIVE [man 2 epoll_ctl].
constexpr u32 kWithExclusive = kPollIn | kPollOut | kPollError | kPollHangUp | fs::kPollReadNormal |
                               fs::kPollWriteNormal | fs::kEpollWakeUp | fs::kEpollEdge | fs::kEpollExclusive;

/// The instance behind an open file. Errno::Inval.
Result<Epoll*> epoll_of(const OpenFile& open) {
    if (open.file->kind() != FileKind::Epoll)
        return fail(Errno::Inval);
    return static_cast<Epoll*>(open.file.get());
}

Result<u64> wait(Caller& caller, int instance, u64 events, i32 most, Deadline deadline) {
    if (most <= 0 || static_cast<u64>(most) > kMostEvents)
        return fail(Errno::Inval);
    const u64 size = static_cast<u64>(most) * sizeof(EpollEvent);
    TRY(check_user_range(events, size));
    const auto open = TRY(caller.files->borrow(instance));
    Epoll* const epoll = TRY(epoll_of(*open));
    const auto found = epoll->wait(IoBuffer(events, size), static_cast<u64>(most), deadline);
    // Never made again, whatever SA_RESTART says [man 7 signal].
    if (!found && found.error() == Errno::RestartSys)
        return fail(Errno::Intr);
    return found;
}

Deadline deadline_in(i32 milliseconds) {
    if (milliseconds < 0)
        return kNoDeadline;
    return milliseconds == 0 ? 0 : deadline_after(static_cast<u64>(milliseconds) * 1'000'000);
}

} // namespace

Result<u64> sys_epoll_create1(Caller& caller, u32 flags) {
    if (flags & ~kOpenCloseOnExec)
        return fail(Errno::Inval);
    auto open = TRY(make_ref<OpenFile>(Ref<File>(TRY(Epoll::create())), kOpenReadWrite));
    return static_cast<u64>(TRY(caller.files->add(std::move(open), flags & kOpenCloseOnExec)));
}

Result<u64> sys_epoll_create(Caller& caller, i32 size) {
    if (size <= 0)
        return fail(Errno::Inval);
    return sys_epoll_create1(caller, 0);
}

Result<u64> sys_epoll_ctl(Caller& caller, int instance, int operation, int descriptor, UserPtr<const EpollEvent> from) {
    EpollEvent event{};
    if (operation != kDelete)
        event = TRY(copy_from_user(from));
    const auto open = TRY(caller.files->borrow(instance));
    const auto target = TRY(caller.files->borrow(descriptor));
    if (!target->file->ready_queue())
        return fail(Errno::Perm);
    if (open->file.get() == target->file.get())
        return fail(Errno::Inval);
    Epoll* const epoll = TRY(epoll_of(*open));
    if (event.events & fs::kEpollExclusive) {
        if (operation == kModify || target->file->kind() == FileKind::Epoll || (event.events & ~kWithExclusive))
            return fail(Errno::Inval);
    }
    switch (operation) {
    case kAdd:
        TRY(epoll->add(*target, descriptor, event));
        return 0;
    case kModify:
        TRY(epoll->modify(*target, descriptor, event));
        return 0;
    case kDelete:
        TRY(epoll->remove(*target, descriptor));
        return 0;
    default:
        return fail(Errno::Inval);
    }
}

Result<u64> sys_epoll_wait(Caller& caller, int instance, u64 events, i32 most, i32 milliseconds) {
    return wait(caller, instance, events, most, deadline_in(milliseconds));
}

Result<u64> sys_epoll_pwait(Caller& caller, int instance, u64 events, i32 most, i32 milliseconds,
                            UserPtr<const u64> mask, u64 mask_size) {
    auto temporary = TRY(TemporaryMask::begin(caller, mask, mask_size));
    return temporary.finish(wait(caller, instance, events, most, deadline_in(milliseconds)));
}

Result<u64> sys_epoll_pwait2(Caller& caller, int instance, u64 events, i32 most, UserPtr<const Timespec> timeout,
                             UserPtr<const u64> mask, u64 mask_size) {
    Deadline deadline = kNoDeadline;
    if (!timeout.is_null()) {
        const u64 ns = TRY(to_nanoseconds(TRY(copy_from_user(timeout))));
        deadline = ns == 0 ? 0 : deadline_after(ns);
    }
    auto temporary = TRY(TemporaryMask::begin(caller, mask, mask_size));
    return temporary.finish(wait(caller, instance, events, most, deadline));
}

} // namespace tollgate
