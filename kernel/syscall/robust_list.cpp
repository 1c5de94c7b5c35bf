// Robust futexes [Linux: Documentation/robust-futex-ABI]: a list in user memory of the locks that a thread holds, which
// the kernel walks when the thread ends. Everything on it is user data: read once, bounded, and believed in nothing.
#include "cpu/user_copy.h"
#include "syscall/futex.h"
#include "syscall/futex_queue.h"
#include "syscall/handlers.h"

namespace tollgate {
namespace {

// [linux/futex.h]
struct RobustListHead {
    u64 first, offset, pending;
};
constexpr u64 kHeadSize = sizeof(RobustListHead);
static_assert(kHeadSize == 24);
constexpr u32 kWaiters = 0x80000000, kOwnerDied = 0x40000000, kOwnerMask = 0x3fffffff;
constexpr unsigned kMostLocks = 2048;  // Linux' ROBUST_LIST_LIMIT: the list may be a circle
constexpr u64 kPriorityInheriting = 1; // in the lowest bit of a pointer

/// One lock. False if its memory cannot be reached: the rest of the list is not to be trusted either.
bool release(Caller& caller, u64 address, bool pending, bool inheriting) {
    if (address % sizeof(u32) != 0 || address >= kUserTop)
        return false;
    auto* const word = reinterpret_cast<u32*>(address);
    u32 value;
    if (!copy_from_user(value, UserPtr<const u32>(reinterpret_cast<u64>(word))))
        return false;
    // It died between unlocking and waking.
    if (pending && !inheriting && value == 0) {
        futex_wake_one(caller, address);
        return true;
    }
    while ((value & kOwnerMask) == static_cast<u32>(caller.thread_id)) {
        u32 seen;
        if (user_exchange32(word, value, (value & kWaiters) | kOwnerDied, &seen) != 0)
            return false;
        if (seen == value) {
            if ((value & kWaiters) && !inheriting)
                futex_wake_one(caller, address);
            return true;
        }
        value = seen;
    }
    return true;
}

} // namespace

void futex_release_robust_list(Caller& caller) {
    const u64 list = caller.owner->robust_list;
    caller.owner->robust_list = 0;
    const auto head = copy_from_user(UserPtr<const RobustListHead>(list));
    if (!head)
        return;
    const u64 pending = head->pending & ~kPriorityInheriting;
    u64 entry = head->first;
    for (unsigned n = 0; n < kMostLocks && (entry & ~kPriorityInheriting) != list; ++n) {
        const u64 at = entry & ~kPriorityInheriting;
        const auto next = copy_from_user(UserPtr<const u64>(at)); // before the lock is free and its memory goes
        if (at != pending && !release(caller, at + head->offset, false, entry & kPriorityInheriting))
            return;
        if (!next)
            return;
        entry = *next;
    }
    if (pending != 0)
        (void)release(caller, pending + head->offset, true, head->pending & kPriorityInheriting);
}

Result<u64> sys_set_robust_list(Caller& caller, u64 head, u64 size) {
    if (size != kHeadSize)
        return fail(Errno::Inval);
    caller.owner->robust_list = head;
    return 0;
}

Result<u64> sys_get_robust_list(Caller& caller, int id, UserPtr<u64> head, UserPtr<u64> size) {
    u64 list = caller.owner->robust_list;
    if (id != 0 && id != caller.thread_id) {
        const Ref<UserThread> thread = task::find_thread(id);
        if (!thread)
            return fail(Errno::Srch);
        const u32 user = caller.process->credentials.user.effective.load(kRelaxed);
        if (user != 0 && user != thread->process->credentials.user.effective.load(kRelaxed))
            return fail(Errno::Perm);
        list = thread->robust_list;
    }
    TRY(copy_to_user(size, kHeadSize));
    TRY(copy_to_user(head, list));
    return 0;
}

/// Every program asks for it as it starts and does without: no line in the log.
Result<u64> sys_rseq(Caller&) { return fail(Errno::NoSys); }

} // namespace tollgate
