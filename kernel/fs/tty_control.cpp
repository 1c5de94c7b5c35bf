// ioctl(2) on terminals [man 2 ioctl_tty], and what they do with sessions [POSIX.1-2017, 11.1.3].
#include "fs/tty.h"

namespace tollgate::fs {
namespace {

// [asm-generic/termbits.h] B0 to B38400, then from BOTHER | 1 on B57600 to B4000000
constexpr u32 kSlowSpeeds[] = {0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
constexpr u32 kFastSpeeds[] = {57600,   115200,  230400,  460800,  500000,  576000,  921600, 1000000,
                               1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000};

u32 speed_of(u32 control, u32 other) {
    const u32 code = control & kBaudMask;
    if (code < kBaudOther)
        return kSlowSpeeds[code];
    const u32 index = code - kBaudOther;
    return index == 0 || index > sizeof kFastSpeeds / sizeof kFastSpeeds[0] ? other : kFastSpeeds[index - 1];
}

/// What a background process must wait to do.
constexpr bool changes_terminal(u32 request) {
    switch (request) {
    case kTcSets:
    case kTcSetsW:
    case kTcSetsF:
    case kTcSets2:
    case kTcSetsW2:
    case kTcSetsF2:
    case kTcXonc:
    case kTcFlush:
    case kTcSendBreak:
    case kTcSendBreakTime:
    case kTiocSetGroup:
        return true;
    default:
        return false;
    }
}

Result<u64> put_int(u64 to, i32 value) {
    TRY(copy_to_user(UserPtr<i32>(to), value));
    return 0;
}

} // namespace

Result<u64> Tty::control(Caller& caller, u32 request, u64 argument, Through through) {
    const bool own = through == Through::Master || worker_of(caller).session == session_.load(kAcquire);
    if (through == Through::Terminal && changes_terminal(request))
        TRY(admit(&caller, kSigTtou));
    switch (request) {
    case kTcGets:
    case kTcGets2: {
        const Termios now = settings();
        TRY(copy_to_user_bytes(argument, &now, request == kTcGets ? kTermiosSize : sizeof now));
        return 0;
    }
    case kTcSets:
    case kTcSetsW:
    case kTcSetsF:
    case kTcSets2:
    case kTcSetsW2:
    case kTcSetsF2:
        return set_settings(request, argument);
    case kTiocGetWindow: {
        WindowSize window;
        {
            Guard guard{lock_};
            window = window_;
        }
        TRY(copy_to_user(UserPtr<WindowSize>(argument), window));
        return 0;
    }
    case kTiocSetWindow:
        return set_window(argument);
    case kTcSendBreak:
    case kTcSendBreakTime:
    case kTiocExcl: // root may open it all the same
    case kTiocNxcl:
        return 0;
    case kTcXonc:
        return flow(argument);
    case kTcFlush:
        return flush(argument);
    case kFionRead: {
        u64 count;
        {
            Guard guard{lock_};
            count = line_.waiting();
        }
        return put_int(argument, static_cast<i32>(count));
    }
    case kTiocOutQ: {
        u64 count;
        {
            Guard guard{lock_};
            count = untransmitted();
        }
        return put_int(argument, static_cast<i32>(count));
    }
    case kTiocInject: // a program could type for the user who started it (CVE-2016-2568 and its kind)
        return fail(Errno::Io);
    case kTiocGetLine:
        return put_int(argument, 0);
    case kTiocSetLine: {
        const i32 discipline = TRY(copy_from_user(UserPtr<const i32>(argument)));
        return discipline == 0 ? Result<u64>(0) : fail(Errno::Inval);
    }
    case kTiocSetTerminal:
        return acquire(caller, argument == 1);
    case kTiocNoTerminal:
        return own && session() != 0 ? give_up(caller) : fail(Errno::NoTty);
    case kTiocGetGroup:
        return own ? put_int(argument, foreground_group.load(kAcquire)) : fail(Errno::NoTty);
    case kTiocSetGroup:
        return own && session() != 0 ? set_group(argument) : fail(Errno::NoTty);
    case kTiocGetSession:
        return own && session() != 0 ? put_int(argument, session()) : fail(Errno::NoTty);
    default:
        return fail(Errno::NoTty);
    }
}

// ---- job control ----

// A background process that touches the terminal is stopped, unless nobody could ever continue it.
Result<void> Tty::admit(const Caller* caller, int signal) {
    const i32 foreground = foreground_group.load(kAcquire);
    if (caller == nullptr || foreground == 0)
        return {};
    const Worker worker = worker_of(*caller);
    if (worker.group == foreground || worker.session != session_.load(kAcquire))
        return {};
    if (signal == kSigTtin ? worker.ignores_input_stop : worker.ignores_output_stop) {
        if (signal == kSigTtin)
            return fail(Errno::Io);
        return {};
    }
    if (is_orphaned(worker.group))
        return fail(Errno::Io);
    signal_group(worker.group, signal);
    return fail(Errno::RestartSys);
}

// ---- settings ----

Result<u64> Tty::set_settings(u32 request, u64 argument) {
    const bool second = request != kTcSets && request != kTcSetsW && request != kTcSetsF;
    Termios wanted = settings();
    TRY(copy_from_user_bytes(&wanted, argument, second ? sizeof wanted : kTermiosSize));
    wanted.output_speed = speed_of(wanted.control, wanted.output_speed);
    wanted.input_speed = wanted.output_speed;
    {
        Guard guard{lock_};
        // Nothing to wait for with TCSETSW: output is with the line as soon as it is written.
        if (request == kTcSetsF || request == kTcSetsF2)
            line_.flush_input();
        line_.set(wanted);
        if (!wanted.in(kIxOn) && stopped_)
            set_stopped_locked(false); // else there were no way to start it again
    }
    line_changed();
    return 0;
}

Result<u64> Tty::set_window(u64 argument) {
    const WindowSize wanted = TRY(copy_from_user(UserPtr<const WindowSize>(argument)));
    {
        Guard guard{lock_};
        if (wanted == window_)
            return 0;
        window_ = wanted;
    }
    signal_group(foreground_group.load(kAcquire), kSigWinch);
    return 0;
}

// [man 3 tcflow] TCOOFF, TCOON, TCIOFF, TCION
Result<u64> Tty::flow(u64 action) {
    {
        Guard guard{lock_};
        switch (action) {
        case 0:
        case 1:
            set_stopped_locked(action == 0);
            break;
        case 2:
        case 3: {
            const char c = static_cast<char>(line_.settings().characters[action == 2 ? kVStop : kVStart]);
            if (c != 0)
                (void)transmit(StringView(&c, 1));
            break;
        }
        default:
            return fail(Errno::Inval);
        }
    }
    line_changed();
    return 0;
}

// [man 3 tcflush] TCIFLUSH, TCOFLUSH, TCIOFLUSH
Result<u64> Tty::flush(u64 queues) {
    if (queues > 2)
        return fail(Errno::Inval);
    {
        Guard guard{lock_};
        if (queues != 1)
            line_.flush_input();
        if (queues != 0)
            screen_.discard();
    }
    line_changed();
    return 0;
}

// ---- sessions ----

Result<Ref<File>> Tty::open_as(const Caller* caller, u32 flags, Ref<Node> node) {
    constexpr u64 kConsole = u64{kTtyMajor} << 8 | kConsoleMinor;
    const bool is_console = node->special_device() == kConsole;
    auto file = TRY(make_ref<TtyFile>(Ref<Tty>(*this), std::move(node), is_console ? kForever : generation()));
    if (caller != nullptr && !is_console && !(flags & kOpenNoTty) && (flags & kOpenAccessMask) != kOpenWriteOnly)
        opened_by(*caller);
    return Ref<File>(std::move(file));
}

void Tty::opened_by(const Caller& caller) {
    const Worker worker = worker_of(caller);
    if (worker.leads_session && !terminal_of(caller) && session() == 0)
        (void)acquire(caller, false);
}

// TIOCSCTTY
Result<u64> Tty::acquire(const Caller& caller, bool steal) {
    const Worker worker = worker_of(caller);
    if (worker.leads_session && session() == worker.session)
        return 0;
    if (!worker.leads_session || terminal_of(caller))
        return fail(Errno::Perm);
    i32 former = 0;
    if (!session_.compare_exchange_strong(former, worker.session, kAcqRel)) {
        if (!steal || !worker.is_root)
            return fail(Errno::Perm);
        set_terminal(former, nullptr);
        session_.store(worker.session, kRelease);
    }
    foreground_group.store(worker.group, kRelease);
    set_terminal(worker.session, Ref<Tty>(*this));
    return 0;
}

// TIOCNOTTY. A session's processes share their terminal, so only its leader can give it up; for others nothing changes.
Result<u64> Tty::give_up(const Caller& caller) {
    if (worker_of(caller).leads_session)
        session_ended();
    return 0;
}

void Tty::session_ended() {
    const i32 session = session_.exchange(0, kAcqRel);
    const i32 foreground = foreground_group.exchange(0, kAcqRel);
    if (session == 0)
        return;
    set_terminal(session, nullptr);
    signal_group(foreground, kSigHup);
    signal_group(foreground, kSigCont);
}

void Tty::hang_up() {
    generation_.fetch_add(1, kAcqRel);
    const i32 session = session_.exchange(0, kAcqRel);
    const i32 foreground = foreground_group.exchange(0, kAcqRel);
    {
        Guard guard{lock_};
        line_.flush_input();
        screen_.discard();
        stopped_ = false;
    }
    line_changed();
    if (session == 0)
        return;
    set_terminal(session, nullptr);
    signal_process(session, kSigHup);
    signal_process(session, kSigCont);
    signal_group(foreground, kSigHup);
}

// TIOCSPGRP
Result<u64> Tty::set_group(u64 argument) {
    const i32 group = TRY(copy_from_user(UserPtr<const i32>(argument)));
    if (group < 0)
        return fail(Errno::Inval);
    if (!has_group(session(), group))
        return fail(has_group(0, group) ? Errno::Perm : Errno::Srch);
    foreground_group.store(group, kRelease);
    return 0;
}

} // namespace tollgate::fs
