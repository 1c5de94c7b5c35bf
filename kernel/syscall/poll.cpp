// poll(2) and select(2) with their siblings: look at the files; if nothing is ready, watch them all, look again, and
// wait until something has changed.
#include "fs/poll.h"
#include "cpu/clock.h"
#include "syscall/handlers.h"
#include "syscall/room.h"
#include "syscall/wait_mask.h"

namespace tollgate {
namespace {

using fs::kPollAlways, fs::kPollReadNormal, fs::kPollWriteNormal, fs::PollSet;

constexpr u64 kFewFiles = 8; // so many are kept on the stack

/// Runs `look(set)`, which returns how many files are ready and adds what it looks at to the set if it gets one, until
/// there are some or the deadline has come. Interrupted: RestartNoHandler.
template <class Look>
Result<u64> wait_for_files(Deadline deadline, Look look) {
    u64 ready = TRY(look(static_cast<PollSet*>(nullptr)));
    if (ready > 0 || deadline == 0)
        return ready;
    PollSet set;
    ready = TRY(look(&set));
    while (ready == 0) {
        const auto waited = set.wait(deadline);
        if (!waited && waited.error() == Errno::RestartSys)
            return fail(Errno::RestartNoHandler);
        if (!waited && waited.error() != Errno::TimedOut)
            return fail(waited.error());
        ready = TRY(look(static_cast<PollSet*>(nullptr)));
        if (!waited)
            break;
    }
    return ready;
}

Result<u64> poll_files(Caller& caller, UserPtr<PollFile> files, u64 count, Deadline deadline) {
    if (count > caller.process->limits[Limit::OpenFiles])
        return fail(Errno::Inval);
    Room<PollFile, kFewFiles> room;
    const auto list = TRY(room.get(count));
    TRY(copy_from_user_bytes(list.data(), files.address(), list.size_bytes()));
    const u64 ready = TRY(wait_for_files(deadline, [&](PollSet* set) -> Result<u64> {
        u64 found = 0;
        for (PollFile& file : list) {
            file.returned = 0;
            if (file.descriptor < 0)
                continue;
            const u32 wanted = static_cast<u16>(file.events) | kPollAlways;
            if (const auto open = caller.files->borrow(file.descriptor)) {
                if (set)
                    TRY(set->add(open->share(), wanted));
                file.returned = static_cast<i16>(fs::poll_state(*(*open)->file) & wanted);
            } else {
                file.returned = kPollInvalid;
            }
            found += file.returned != 0;
        }
        return found;
    }));
    // Only what poll(2) writes: another thread may be changing the rest.
    for (u64 i = 0; i < count; ++i)
        TRY(copy_to_user_bytes(files.offset(i).address() + __builtin_offsetof(PollFile, returned), &list[i].returned,
                               sizeof list[i].returned));
    return ready;
}

/// The bits of one set of select(2), in words, as user code has them.
constexpr u64 kWordBits = 64, kMostBits = 65536;

struct SelectSets {
    std::span<u64> asked[3], found[3]; // reading, writing, exceptional
};

constexpr u32 kSelectStates[3] = {kPollIn | kPollReadNormal | fs::kPollReadBand | kPollHangUp | kPollError,
                                  kPollOut | kPollWriteNormal | fs::kPollWriteBand | kPollError, kPollPriority};

Result<u64> look_at_sets(Caller& caller, const SelectSets& sets, PollSet* set) {
    u64 count = 0;
    for (u64 word = 0; word < sets.asked[0].size(); ++word) {
        u64 any = sets.asked[0][word] | sets.asked[1][word] | sets.asked[2][word];
        for (auto& found : sets.found)
            found[word] = 0;
        for (; any != 0; any &= any - 1) {
            const unsigned bit = static_cast<unsigned>(__builtin_ctzll(any));
            const auto open = TRY(caller.files->borrow(static_cast<int>(word * kWordBits + bit)));
            if (set)
                TRY(set->add(open.share(), kPollIn | kPollOut | kPollPriority));
            const u32 state = fs::poll_state(*open->file);
            for (int i = 0; i < 3; ++i) {
                if (!(sets.asked[i][word] >> bit & 1) || !(state & kSelectStates[i]))
                    continue;
                sets.found[i][word] |= u64{1} << bit;
                ++count;
            }
        }
    }
    return count;
}

Result<u64> select_files(Caller& caller, i32 count, const UserPtr<u64> (&user_sets)[3], Deadline deadline) {
    if (count < 0)
        return fail(Errno::Inval);
    // Bits beyond what can be open are not looked at, as in Linux.
    const u64 bits = static_cast<u64>(count) < kMostBits ? static_cast<u64>(count) : kMostBits;
    const u64 words = (bits + kWordBits - 1) / kWordBits;
    Room<u64, 6 * 4> room;
    const auto all = TRY(room.get(6 * words));
    SelectSets sets;
    for (u64 i = 0; i < 3; ++i) {
        sets.asked[i] = all.subspan(i * words, words);
        sets.found[i] = all.subspan((3 + i) * words, words);
        for (u64& word : sets.asked[i])
            word = 0;
        if (user_sets[i].is_null() || words == 0)
            continue;
        TRY(copy_from_user_bytes(sets.asked[i].data(), user_sets[i].address(), words * sizeof(u64)));
        if (bits % kWordBits != 0)
            sets.asked[i][words - 1] &= (u64{1} << bits % kWordBits) - 1;
    }
    const u64 ready = TRY(wait_for_files(deadline, [&](PollSet* set) { return look_at_sets(caller, sets, set); }));
    for (u64 i = 0; i < 3; ++i)
        if (!user_sets[i].is_null())
            TRY(copy_to_user_bytes(user_sets[i].address(), sets.found[i].data(), words * sizeof(u64)));
    return ready;
}

/// poll(2) until a deadline: interrupted, it goes on to the same one.
Result<u64> poll_until(Caller& caller, const u64* arguments) {
    const auto outcome = poll_files(caller, UserPtr<PollFile>{arguments[0]}, arguments[1], arguments[2]);
    if (outcome || outcome.error() != Errno::RestartNoHandler)
        return outcome;
    return restart_by(caller, {poll_until, {arguments[0], arguments[1], arguments[2]}});
}

/// A deadline from a time that may be absent; 0 stands for "do not wait".
Result<Deadline> deadline_of(UserPtr<const Timespec> timeout) {
    if (timeout.is_null())
        return kNoDeadline;
    const u64 ns = TRY(to_nanoseconds(TRY(copy_from_user(timeout))));
    return ns == 0 ? 0 : deadline_after(ns);
}

u64 nanoseconds_left(Deadline deadline) {
    const u64 now = clock_monotonic_ns();
    return deadline > now ? deadline - now : 0;
}

/// ppoll and pselect6 tell what is left of the time, also to a call that is made again. A time that cannot be written
/// is not an error, as in Linux.
void tell_time_left(UserPtr<Timespec> timeout, Deadline deadline) {
    if (timeout.is_null())
        return;
    const u64 ns = nanoseconds_left(deadline);
    (void)copy_to_user(
        timeout, Timespec{static_cast<i64>(ns / kNanosecondsPerSecond), static_cast<i64>(ns % kNanosecondsPerSecond)});
}

} // namespace

Result<u64> sys_poll(Caller& caller, UserPtr<PollFile> files, u32 count, i32 milliseconds) {
    const Deadline deadline = milliseconds < 0    ? kNoDeadline
                              : milliseconds == 0 ? 0
                                                  : deadline_after(static_cast<u64>(milliseconds) * 1'000'000);
    const u64 arguments[] = {files.address(), count, deadline};
    return poll_until(caller, arguments);
}

Result<u64> sys_ppoll(Caller& caller, UserPtr<PollFile> files, u32 count, UserPtr<Timespec> timeout,
                      UserPtr<const u64> mask, u64 mask_size) {
    const Deadline deadline = TRY(deadline_of(UserPtr<const Timespec>(timeout.address())));
    auto temporary = TRY(TemporaryMask::begin(caller, mask, mask_size));
    const auto outcome = temporary.finish(poll_files(caller, files, count, deadline));
    tell_time_left(timeout, deadline);
    return outcome;
}

Result<u64> sys_select(Caller& caller, i32 count, UserPtr<u64> reading, UserPtr<u64> writing, UserPtr<u64> exceptional,
                       UserPtr<Timeval> timeout) {
    Deadline deadline = kNoDeadline;
    if (!timeout.is_null()) {
        // Microseconds beyond a second count as seconds, as in Linux.
        const Timeval time = TRY(copy_from_user(UserPtr<const Timeval>(timeout.address())));
        if (time.seconds < 0 || time.microseconds < 0)
            return fail(Errno::Inval);
        i64 seconds = 0;
        if (__builtin_add_overflow(time.seconds, time.microseconds / 1'000'000, &seconds))
            seconds = time.seconds;
        const u64 ns = TRY(to_nanoseconds({seconds, time.microseconds % 1'000'000 * 1000}));
        deadline = ns == 0 ? 0 : deadline_after(ns);
    }
    const auto outcome = select_files(caller, count, {reading, writing, exceptional}, deadline);
    if (!timeout.is_null()) {
        const u64 microseconds = nanoseconds_left(deadline) / 1000;
        (void)copy_to_user(
            timeout, Timeval{static_cast<i64>(microseconds / 1'000'000), static_cast<i64>(microseconds % 1'000'000)});
    }
    return outcome;
}

Result<u64> sys_pselect6(Caller& caller, i32 count, UserPtr<u64> reading, UserPtr<u64> writing,
                         UserPtr<u64> exceptional, UserPtr<Timespec> timeout, UserPtr<const SelectMask> mask) {
    const Deadline deadline = TRY(deadline_of(UserPtr<const Timespec>(timeout.address())));
    SelectMask with{};
    if (!mask.is_null())
        with = TRY(copy_from_user(mask));
    auto temporary = TRY(TemporaryMask::begin(caller, UserPtr<const u64>(with.address), with.size));
    const auto outcome = temporary.finish(select_files(caller, count, {reading, writing, exceptional}, deadline));
    tell_time_left(timeout, deadline);
    return outcome;
}

} // namespace tollgate
