// Input, reads and writes. A wait never misses a change: it compares events_, which counts them, with what it was
// before the caller looked.
#include "fs/tty.h"

#include "cpu/clock.h"
#include "fs/vfs.h"

namespace tollgate::fs {
namespace {

constexpr u64 kPiece = 256;               // bytes between looks at the lock, and on the stack
constexpr u64 kTenth = 100'000'000;       // ns; VTIME's unit
constexpr u64 kWidestExpansion = 8;       // a tab
constexpr u64 kWritableRoom = 2 * kPiece; // poll's idea of room: a piece of plain text, newlines expanded

/// When a read ends that has not filled its buffer [POSIX.1-2017, 11.1.7].
struct ReadRule {
    bool canonical;
    u32 minimum;     ///< bytes; 0: return at once
    u64 time;        ///< ns; 0: forever
    bool from_start; ///< the time counts from the start of the read, not from the last byte

    explicit ReadRule(const Termios& settings)
        : canonical(settings.has(kICanon)), minimum(settings.characters[kVMin]),
          time(settings.characters[kVTime] * kTenth), from_start(minimum == 0) {
        if (from_start && time != 0)
            minimum = 1;
    }
};

} // namespace

// ---- the screen ----

void Tty::TtyScreen::write(StringView text) NO_THREAD_SAFETY_ANALYSIS {
    if (tty_.stopped_)
        tty_.held_.write(text); // what does not fit is lost, as on a line that is slow
    else
        (void)tty_.transmit(text);
}

void Tty::TtyScreen::discard() NO_THREAD_SAFETY_ANALYSIS {
    tty_.held_.clear();
    tty_.discard_output();
}

void Tty::set_stopped_locked(bool stopped) {
    stopped_ = stopped;
    if (!stopped && !held_.empty()) {
        (void)transmit(held_.view());
        held_.clear();
    }
}

// ---- who waits ----

void Tty::update_ready_locked() {
    const Termios& settings = line_.settings();
    // With a time limit a single byte is worth waking for: the clock starts with it.
    const u32 least =
        settings.characters[kVTime] == 0 && settings.characters[kVMin] > 1 ? settings.characters[kVMin] : 1;
    takes_input_.store(line_.room() > 0, kRelease);
    ready_.store((line_.readable(least) ? kPollIn : 0) | (!stopped_ && transmit_room() >= kWritableRoom ? kPollOut : 0),
                 kRelease);
}

void Tty::wake() {
    events_.fetch_add(1, kAcqRel);
    queue_.wake_everything();
    changed_for_line();
}

void Tty::line_changed() {
    {
        Guard guard{lock_};
        update_ready_locked();
    }
    wake();
}

// ---- input ----

template <class Give>
u64 Tty::take_input(Give give) {
    LineDiscipline::Received received;
    {
        Guard guard{lock_};
        received = give();
        if (received.start || received.stop)
            set_stopped_locked(received.stop && !(received.start && stopped_));
        update_ready_locked();
    }
    wake();
    for (int signal = 1; signal < 32; ++signal)
        if (received.signals >> signal & 1)
            signal_group(foreground_group.load(kAcquire), signal);
    return received.taken;
}

u64 Tty::receive(StringView bytes) {
    u64 taken = 0;
    while (taken < bytes.size()) {
        const u64 some =
            take_input([&]() NO_THREAD_SAFETY_ANALYSIS { return line_.receive(bytes.substr(taken), screen_); });
        if (some == 0)
            break;
        taken += some;
    }
    return taken;
}

void Tty::receive_break() {
    (void)take_input([&]() NO_THREAD_SAFETY_ANALYSIS { return line_.receive_break(screen_); });
}

// ---- reads ----

Result<u64> Tty::read(IoBuffer& buffer, u32 flags, Generation opened) {
    if (is_stale(opened))
        return 0;
    TRY(admit(running_caller(), kSigTtin));
    u64 done = 0;
    Deadline deadline = kNoDeadline;
    while (buffer.size() > 0) {
        const u32 seen = events_.load(kAcquire);
        char bytes[kPiece];
        LineDiscipline::Piece piece;
        bool more;
        ReadRule rule{Termios{}};
        {
            Guard guard{lock_};
            rule = ReadRule(line_.settings());
            piece = line_.read(bytes, buffer.size() < kPiece ? buffer.size() : kPiece);
            more = !piece.end && line_.readable();
            update_ready_locked();
        }
        if (piece.size > 0) {
            changed_for_line();
            if (const auto put = buffer.put(bytes, piece.size); !put.has_value())
                return done > 0 ? Result<u64>(done) : fail(put.error());
            done += piece.size;
        }
        if (piece.end || is_stale(opened))
            break;
        if (more)
            continue;
        if (rule.canonical ? done > 0 : done >= rule.minimum)
            break;
        if (flags & kOpenNonBlock)
            return done > 0 ? Result<u64>(done) : fail(Errno::Again);
        if (!rule.canonical && rule.time != 0 && (rule.from_start ? deadline == kNoDeadline : piece.size > 0))
            deadline = clock_monotonic_ns() + rule.time;
        const auto woken = queue_.wait_while([&] { return events_.load(kAcquire) == seen; }, deadline);
        if (!woken.has_value()) {
            if (woken.error() == Errno::TimedOut || done > 0)
                break;
            return fail(woken.error());
        }
    }
    return done;
}

// ---- writes ----

u64 Tty::write_piece(StringView text) {
    Guard guard{lock_};
    if (stopped_)
        return 0;
    const Termios& settings = line_.settings();
    const u64 expansion = !settings.out(kOPost) ? 1 : (settings.output & kTabDelay) == kTabDelay ? kWidestExpansion : 2;
    const u64 room = transmit_room() / expansion;
    const StringView fits = text.substr(0, room < text.size() ? room : text.size());
    line_.write(fits, screen_);
    update_ready_locked();
    return fits.size();
}

Result<u64> Tty::write(IoBuffer& buffer, u32 flags, Generation opened) {
    if (settings().has(kToStop))
        TRY(admit(running_caller(), kSigTtou));
    u64 done = 0;
    while (buffer.size() > 0) {
        char bytes[kPiece];
        const u64 size = buffer.size() < kPiece ? buffer.size() : kPiece;
        if (const auto taken = buffer.take(bytes, size); !taken.has_value())
            return done > 0 ? Result<u64>(done) : fail(taken.error());
        for (u64 written = 0; written < size;) {
            const u32 seen = events_.load(kAcquire);
            if (is_stale(opened))
                return done > 0 ? Result<u64>(done) : fail(Errno::Io);
            const u64 some = write_piece(StringView(bytes, size).substr(written));
            written += some;
            done += some;
            if (some > 0) {
                changed_for_line();
                continue;
            }
            if (flags & kOpenNonBlock)
                return done > 0 ? Result<u64>(done) : fail(Errno::Again);
            const auto woken = queue_.wait_while([&] { return events_.load(kAcquire) == seen; });
            if (!woken.has_value())
                return done > 0 ? Result<u64>(done) : fail(woken.error());
        }
    }
    return done;
}

Termios Tty::settings() const {
    Guard guard{lock_};
    return line_.settings();
}

// ---- open files ----

TtyFile::TtyFile(Ref<Tty> tty, Ref<Node> node, Tty::Generation generation)
    : tty_(std::move(tty)), node_(std::move(node)), generation_(generation) {
    tty_->file_opened();
}
TtyFile::~TtyFile() { tty_->file_closed(); }

u32 TtyFile::ready() {
    return tty_->is_stale(generation_) ? kPollIn | kPollOut | kPollError | kPollHangUp : tty_->ready();
}

Result<u64> TtyFile::control(Caller& caller, u32 request, u64 argument) {
    if (tty_->is_stale(generation_))
        return fail(Errno::Io);
    return tty_->control(caller, request, argument, Tty::Through::Terminal);
}

} // namespace tollgate::fs
