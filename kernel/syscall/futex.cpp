// futex(2): what the operations mean. The queues are futex_queue.cpp's.
#include "syscall/futex.h"

#include "cpu/user_copy.h"
#include "syscall/futex_queue.h"
#include "syscall/handlers.h"
#include "syscall/time.h"

namespace tollgate {
namespace {

// [linux/futex.h]
enum Command : u32 {
    kWait = 0,
    kWake = 1,
    kRequeue = 3,
    kCompareRequeue = 4,
    kWakeOperation = 5,
    kWaitBits = 9,
    kWakeBits = 10,
};
constexpr u32 kPrivate = 128, kRealtime = 256;
constexpr u32 kAllBits = ~0u;

Result<void> check_word(u64 address) {
    if (address % sizeof(u32) != 0) [[unlikely]]
        return fail(Errno::Inval);
    if (address >= kUserTop) [[unlikely]]
        return fail(Errno::Fault);
    return {};
}

/// Private memory has the same key whether or not the program says FUTEX_PRIVATE_FLAG, which spares the look-up alone.
futex::Word word_at(Caller& caller, u64 address, u32 operation) {
    if (!(operation & kPrivate)) {
        SharedKey shared = caller.space->shared_key(address);
        if (shared.object) {
            const futex::Key key{shared.object.get(), shared.offset};
            return {key, std::move(shared.object)};
        }
    }
    return {futex::private_key(*caller.space, address)};
}

/// The deadline of a wait: none, from now (FUTEX_WAIT), or at a time of a clock (FUTEX_WAIT_BITSET).
Result<Deadline> deadline_of(UserPtr<const Timespec> timeout, bool absolute, bool wall_clock) {
    if (timeout.is_null())
        return kNoDeadline;
    const u64 ns = TRY(to_nanoseconds(TRY(copy_from_user(timeout))));
    return absolute ? deadline_at(ns, wall_clock) : deadline_after(ns);
}

/// FUTEX_WAIT until a deadline: not begun anew after a handler has run, since time has passed [man 7 signal], and
/// otherwise continued to the same one.
Result<u64> wait_until(Caller& caller, const u64* arguments) {
    const u64 address = arguments[0];
    const u32 operation = static_cast<u32>(arguments[1]), value = static_cast<u32>(arguments[2]);
    const futex::Word word = word_at(caller, address, operation);
    const auto waited = futex::wait(word.key, address, value, kAllBits, arguments[3]);
    if (waited || waited.error() != Errno::RestartSys)
        return waited;
    return restart_by(caller, {wait_until, {address, operation, value, arguments[3]}});
}

[[gnu::noinline]] Result<u64> wait(Caller& caller, u64 address, u32 operation, u32 value,
                                   UserPtr<const Timespec> timeout, u32 bits) {
    const bool absolute = (operation & ~(kPrivate | kRealtime)) == kWaitBits;
    if (bits == 0)
        return fail(Errno::Inval);
    const Deadline deadline = TRY(deadline_of(timeout, absolute, operation & kRealtime));
    if (!absolute && !timeout.is_null()) {
        const u64 arguments[] = {address, operation, value, deadline};
        return wait_until(caller, arguments);
    }
    const futex::Word word = word_at(caller, address, operation);
    const auto waited = futex::wait(word.key, address, value, bits, deadline);
    if (!waited && waited.error() == Errno::RestartSys && !timeout.is_null())
        return fail(Errno::RestartNoHandler);
    return waited;
}

[[gnu::noinline]] Result<u64> requeue(Caller& caller, u64 from, u64 to, u32 operation, i32 most_woken, i32 most_moved,
                                      const u32* expected) {
    if (most_woken < 0 || most_moved < 0)
        return fail(Errno::Inval);
    TRY(check_word(to));
    if (expected != nullptr) {
        // Not under the queue's lock: a waiter that came after a change in between is moved too, and is woken by
        // whoever wakes the other word.
        u32 value;
        TRY(copy_from_user(value, UserPtr<const u32>(from)));
        if (value != *expected)
            return fail(Errno::Again);
    }
    const futex::Word source = word_at(caller, from, operation), target = word_at(caller, to, operation);
    const auto done =
        futex::requeue(source.key, target.key, static_cast<u32>(most_woken), static_cast<u32>(most_moved));
    return done.woken + (expected != nullptr ? done.moved : 0);
}

/// The second word's change and comparison of FUTEX_WAKE_OP, as FUTEX_OP() packs them.
struct WakeOperation {
    explicit WakeOperation(u32 packed)
        : operation(packed >> 28 & 7), comparison(packed >> 24 & 15), argument(static_cast<i32>(packed << 8) >> 20),
          compared(static_cast<i32>(packed << 20) >> 20) {
        constexpr u32 kShift = 8;
        if (packed >> 28 & kShift)
            argument = static_cast<i32>(1u << (argument & 31));
    }
    u32 operation, comparison;
    i32 argument, compared;

    bool known() const { return operation <= 4 && comparison <= 5; }
    u32 changed(u32 old) const {
        const u32 by = static_cast<u32>(argument);
        switch (operation) {
        case 0:
            return by;
        case 1:
            return old + by;
        case 2:
            return old | by;
        case 3:
            return old & ~by;
        default:
            return old ^ by;
        }
    }
    bool holds(i32 old) const {
        switch (comparison) {
        case 0:
            return old == compared;
        case 1:
            return old != compared;
        case 2:
            return old < compared;
        case 3:
            return old <= compared;
        case 4:
            return old > compared;
        default:
            return old >= compared;
        }
    }
};

[[gnu::noinline]] Result<u64> wake_operation(Caller& caller, u64 first, u64 second, u32 flags, u32 most_first,
                                             u32 most_second, u32 packed) {
    TRY(check_word(second));
    const WakeOperation operation(packed);
    if (!operation.known())
        return fail(Errno::NoSys);
    auto* const at = reinterpret_cast<u32*>(second);
    u32 old;
    TRY(copy_from_user(old, UserPtr<const u32>(second)));
    for (;;) {
        u32 seen;
        if (user_exchange32(at, old, operation.changed(old), &seen) != 0)
            return fail(Errno::Fault);
        if (seen == old)
            break;
        old = seen;
    }
    u64 woken = futex::wake(word_at(caller, first, flags).key, most_first, kAllBits);
    if (operation.holds(static_cast<i32>(old)))
        woken += futex::wake(word_at(caller, second, flags).key, most_second, kAllBits);
    return woken;
}

} // namespace

void futex_wake_one(Caller& caller, u64 address) { (void)futex::wake(word_at(caller, address, 0).key, 1, kAllBits); }

Result<u64> futex_operation(Caller& caller, u64 address, u32 operation, u32 value, u64 timeout_or_count,
                            u64 second_address, u32 value3) {
    const u32 command = operation & ~(kPrivate | kRealtime);
    if ((operation & kRealtime) && command != kWaitBits) [[unlikely]]
        return fail(Errno::NoSys);
    TRY(check_word(address));
    const u32 count = static_cast<u32>(timeout_or_count);
    switch (command) {
    case kWake:
        return futex::wake(word_at(caller, address, operation).key, value, kAllBits);
    case kWakeBits:
        if (value3 == 0)
            return fail(Errno::Inval);
        return futex::wake(word_at(caller, address, operation).key, value, value3);
    case kWait:
        return wait(caller, address, operation, value, UserPtr<const Timespec>(timeout_or_count), kAllBits);
    case kWaitBits:
        return wait(caller, address, operation, value, UserPtr<const Timespec>(timeout_or_count), value3);
    case kRequeue:
        return requeue(caller, address, second_address, operation, static_cast<i32>(value), static_cast<i32>(count),
                       nullptr);
    case kCompareRequeue:
        return requeue(caller, address, second_address, operation, static_cast<i32>(value), static_cast<i32>(count),
                       &value3);
    case kWakeOperation:
        return wake_operation(caller, address, second_address, operation, value, count, value3);
    default:
        return fail(Errno::NoSys); // priority inheritance
    }
}

} // namespace tollgate
