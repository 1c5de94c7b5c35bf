// timerfd and signalfd: making such files and setting them.
#include "cpu/clock.h"
#include "fs/signal_file.h"
#include "fs/timer_file.h"
#include "syscall/handlers.h"
#include "syscall/time.h"

namespace tollgate {
namespace {

Result<u64> add_file(Caller& caller, Ref<File> file, u32 flags) {
    constexpr u32 kReadWrite = kOpenReadWrite;
    auto open = TRY(make_ref<OpenFile>(std::move(file), kReadWrite | (flags & kOpenNonBlock)));
    return static_cast<u64>(TRY(caller.files->add(std::move(open), (flags & kOpenCloseOnExec) != 0)));
}

Result<fs::TimerFile*> timer_of(const OpenFile& open) {
    if (open.file->kind() != FileKind::Timer)
        return fail(Errno::Inval);
    return static_cast<fs::TimerFile*>(open.file.get());
}

Timespec as_timespec(u64 ns) {
    return {static_cast<i64>(ns / kNanosecondsPerSecond), static_cast<i64>(ns % kNanosecondsPerSecond)};
}

TimerSpan to_span(const fs::TimerFile::Setting& setting, u64 now) {
    u64 left = 0;
    if (setting.at > now)
        left = setting.at - now;
    else if (setting.at != 0)
        left = setting.interval != 0 ? setting.interval - (now - setting.at) % setting.interval : 1;
    return {as_timespec(setting.interval), as_timespec(left)};
}

} // namespace

Result<u64> sys_timerfd_create(Caller& caller, int clock, u32 flags) {
    if (clock != kClockRealtime && clock != kClockMonotonic && clock != kClockBoottime)
        return fail(Errno::Inval);
    if (flags & ~(kOpenNonBlock | kOpenCloseOnExec))
        return fail(Errno::Inval);
    Ref<File> file = TRY(make_ref<fs::TimerFile>(clock == kClockRealtime));
    return add_file(caller, std::move(file), flags);
}

Result<u64> sys_timerfd_settime(Caller& caller, int descriptor, u32 flags, UserPtr<const TimerSpan> from,
                                UserPtr<TimerSpan> old) {
    // TFD_TIMER_CANCEL_ON_SET is taken, and has nothing to do: a set wall clock does not move deadlines here.
    constexpr u32 kAbsolute = 1, kCancelOnSet = 2;
    const TimerSpan given = TRY(copy_from_user(from));
    if (flags & ~(kAbsolute | kCancelOnSet))
        return fail(Errno::Inval);
    const u64 value = TRY(to_nanoseconds(given.value));
    const u64 interval = TRY(to_nanoseconds(given.interval));
    const auto open = TRY(caller.files->get(descriptor));
    fs::TimerFile* const timer = TRY(timer_of(*open));
    u64 at = 0;
    if (value != 0) {
        at = flags & kAbsolute ? deadline_at(value, timer->wall()) : deadline_after(value);
        at += at == 0; // long past: at once
    }
    const fs::TimerFile::Setting before = timer->set({at, interval});
    if (!old.is_null())
        TRY(copy_to_user(old, to_span(before, clock_monotonic_ns())));
    return 0;
}

Result<u64> sys_timerfd_gettime(Caller& caller, int descriptor, UserPtr<TimerSpan> to) {
    const auto open = TRY(caller.files->get(descriptor));
    fs::TimerFile* const timer = TRY(timer_of(*open));
    TRY(copy_to_user(to, to_span(timer->setting(), clock_monotonic_ns())));
    return 0;
}

Result<u64> sys_signalfd4(Caller& caller, int descriptor, UserPtr<const SignalSet> from, u64 size, u32 flags) {
    constexpr SignalSet kNever = signal_bit(9) | signal_bit(19); // SIGKILL, SIGSTOP
    if (size != sizeof(SignalSet))
        return fail(Errno::Inval);
    const SignalSet set = TRY(copy_from_user(from))
    &~kNever;
    if (flags & ~(kOpenNonBlock | kOpenCloseOnExec))
        return fail(Errno::Inval);
    if (descriptor == -1)
        return add_file(caller, TRY(make_ref<fs::SignalFile>(set)), flags);
    const auto open = TRY(caller.files->get(descriptor));
    if (open->file->kind() != FileKind::Signal)
        return fail(Errno::Inval);
    static_cast<fs::SignalFile*>(open->file.get())->set_signals(set);
    return static_cast<u64>(descriptor);
}

Result<u64> sys_signalfd(Caller& caller, int descriptor, UserPtr<const SignalSet> from, u64 size) {
    return sys_signalfd4(caller, descriptor, from, size, 0);
}

} // namespace tollgate
