// Input: each character is translated, then tried as flow control, signal, editing, line end, in this order
// [POSIX.1-2017, 11.1]; what is none of these is stored.
#include "fs/line_discipline.h"

namespace tollgate::fs {
namespace {

constexpr u32 kTabStop = 8;
constexpr u32 kSigInt = 2, kSigQuit = 3, kSigStop = 20; // SIGTSTP

constexpr bool is_word(u8 c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

} // namespace

void LineDiscipline::set(const Termios& settings) {
    const bool switched = (settings.local ^ settings_.local) & kICanon;
    settings_ = settings;
    if (!settings_.has(kIExten))
        literal_next_ = false;
    if (!switched)
        return;
    for (u8& mark : marks_)
        mark = kNone;
    if (head_ != tail_)
        marks_[(head_ - 1) & kMask] = kLineEnd;
    line_end_ = head_;
    literal_next_ = erasing_ = false;
}

// ---- input ----

u64 LineDiscipline::room() const {
    const u32 free = kSize - (head_ - tail_);
    // One place is kept for the newline, which a full line must still be able to get.
    return canonical() && line_end_ == tail_ ? kSize : free > 1 ? free - 1 : 0;
}

LineDiscipline::Received LineDiscipline::receive(StringView bytes, Screen& echo) {
    Received result;
    for (const char c : bytes) {
        if (room() == 0)
            return result;
        ++result.taken;
        receive_one(static_cast<u8>(c), echo, result);
        if (result.signals != 0 || result.start || result.stop)
            return result;
    }
    return result;
}

LineDiscipline::Received LineDiscipline::receive_break(Screen& echo) {
    Received result;
    if (settings_.in(kIgnBrk))
        return result;
    if (settings_.in(kBrkInt)) {
        result.signals = 1u << kSigInt;
        flush_input();
        echo.discard();
    } else {
        store(0, kNone, echo);
    }
    return result;
}

void LineDiscipline::receive_one(u8 c, Screen& echo, Received& result) {
    if (settings_.in(kIStrip))
        c &= 0x7f;
    if (settings_.in(kIuclc) && settings_.has(kIExten) && c >= 'A' && c <= 'Z')
        c |= 0x20;
    if (literal_next_) {
        literal_next_ = false;
        return store_literally(c, echo);
    }
    if (settings_.in(kIxOn)) {
        // One character may be both: then it toggles, and the owner knows which way.
        result.start = is(c, kVStart);
        result.stop = is(c, kVStop);
        if (result.start || result.stop)
            return;
        result.start = settings_.in(kIxAny);
    }
    if (settings_.has(kISig) && receive_signal(c, echo, result))
        return;
    if (c == '\r') {
        if (settings_.in(kIgnCr))
            return;
        if (settings_.in(kIcrNl))
            c = '\n';
    } else if (c == '\n' && settings_.in(kInlCr)) {
        c = '\r';
    }
    if (canonical()) {
        if (edit(c, echo))
            return;
        if (c == '\n')
            return finish_line(c, kLineEnd, echo);
        if (is(c, kVEof))
            return finish_line(0, kFileEnd, echo);
        if (is(c, kVEol) || (is(c, kVEol2) && settings_.has(kIExten)))
            return finish_line(c, kLineEnd, echo);
    }
    store_literally(c, echo);
}

bool LineDiscipline::receive_signal(u8 c, Screen& echo, Received& result) {
    u32 signal = 0;
    if (is(c, kVIntr))
        signal = kSigInt;
    else if (is(c, kVQuit))
        signal = kSigQuit;
    else if (is(c, kVSusp))
        signal = kSigStop;
    else
        return false;
    result.signals = 1u << signal;
    if (!settings_.has(kNoFlsh)) {
        flush_input();
        echo.discard();
    }
    if (settings_.in(kIxOn))
        result.start = true; // whoever interrupts wants to see something
    if (settings_.has(kEcho))
        echo_character(c, echo);
    return true;
}

bool LineDiscipline::edit(u8 c, Screen& echo) {
    const bool extended = settings_.has(kIExten);
    if (is(c, kVErase))
        erase(Erase::Character, echo);
    else if (is(c, kVKill))
        erase(Erase::Line, echo);
    else if (is(c, kVWerase) && extended)
        erase(Erase::Word, echo);
    else if (is(c, kVLnext) && extended) {
        literal_next_ = true;
        if (settings_.has(kEcho) && settings_.has(kEchoCtl))
            emit_raw("^\b", echo);
    } else if (is(c, kVReprint) && extended && settings_.has(kEcho))
        reprint(echo);
    else
        return false;
    return true;
}

void LineDiscipline::store_literally(u8 c, Screen& echo) {
    if (settings_.has(kEcho)) {
        end_erasing(echo);
        if (head_ == line_end_)
            line_column_ = column_;
        if (c == '\n')
            emit(c, echo);
        else
            echo_character(c, echo);
    }
    store(c, kNone, echo);
}

void LineDiscipline::finish_line(u8 c, Mark mark, Screen& echo) {
    end_erasing(echo);
    if (mark == kLineEnd && (settings_.has(kEcho) || (c == '\n' && settings_.has(kEchoNl)))) {
        if (c == '\n')
            emit(c, echo);
        else
            echo_character(c, echo);
    }
    store(c, mark, echo);
}

void LineDiscipline::store(u8 c, Mark mark, Screen& echo) {
    const u32 free = kSize - (head_ - tail_);
    if (free == 0 || (free == 1 && canonical() && mark == kNone)) {
        if (settings_.in(kIMaxBel))
            echo.write("\a");
        return;
    }
    at(head_) = c;
    marks_[head_ & kMask] = mark;
    ++head_;
    if (mark != kNone || !canonical())
        line_end_ = head_;
}

// ---- editing ----

void LineDiscipline::erase(Erase what, Screen& echo) {
    if (head_ == line_end_)
        return;
    const bool echoes = settings_.has(kEcho);
    if (what == Erase::Line) {
        if (!echoes) {
            head_ = line_end_;
            return;
        }
        if (!settings_.has(kEchoK) || !settings_.has(kEchoKe) || !settings_.has(kEchoE)) {
            head_ = line_end_;
            end_erasing(echo);
            echo_character(settings_.characters[kVKill], echo);
            if (settings_.has(kEchoK))
                emit('\n', echo);
            return;
        }
    }
    bool in_word = false;
    while (head_ != line_end_) {
        u32 start = head_;
        u8 c;
        do
            c = at(--start);
        while (continues(c) && start != line_end_);
        if (continues(c))
            break; // half a character, whose first byte has been read already
        if (what == Erase::Word) {
            if (is_word(c))
                in_word = true;
            else if (in_word)
                break;
        }
        head_ = start;
        if (echoes)
            erase_shown(c, what, echo);
        if (what == Erase::Character)
            break;
    }
    if (head_ == line_end_ && echoes)
        end_erasing(echo);
}

/// Takes one character off the screen that stood at head_.
void LineDiscipline::erase_shown(u8 c, Erase what, Screen& echo) {
    if (settings_.has(kEchoPrt)) {
        if (!erasing_)
            emit_raw("\\", echo);
        erasing_ = true;
        echo_character(c, echo);
    } else if (what == Erase::Character && !settings_.has(kEchoE)) {
        echo_character(settings_.characters[kVErase], echo);
    } else if (c == '\t') {
        // As wide as what stands before it leaves of a tab stop; no tab stop lies further back than the last one.
        u32 before = 0;
        bool after_tab = false;
        for (u32 n = head_; n != line_end_ && !after_tab;) {
            const u8 d = at(--n);
            if (d == '\t')
                after_tab = true;
            else if (is_control(d))
                before += settings_.has(kEchoCtl) ? 2 : 0;
            else if (!continues(d))
                ++before;
        }
        if (!after_tab)
            before += line_column_;
        for (u32 width = kTabStop - before % kTabStop; width > 0; --width)
            emit_raw("\b", echo);
    } else {
        if (is_control(c) && settings_.has(kEchoCtl))
            emit_raw("\b \b", echo);
        if (!is_control(c) || settings_.has(kEchoCtl))
            emit_raw("\b \b", echo);
    }
}

void LineDiscipline::end_erasing(Screen& echo) {
    if (erasing_)
        emit_raw("/", echo);
    erasing_ = false;
}

void LineDiscipline::reprint(Screen& echo) {
    end_erasing(echo);
    echo_character(settings_.characters[kVReprint], echo);
    emit('\n', echo);
    for (u32 n = line_end_; n != head_; ++n)
        echo_character(at(n), echo);
}

void LineDiscipline::flush_input() {
    head_ = line_end_ = tail_;
    literal_next_ = erasing_ = false;
}

// ---- reading ----

LineDiscipline::Piece LineDiscipline::read(char* to, u64 size) {
    Piece piece;
    const u32 limit = canonical() ? line_end_ : head_;
    while (tail_ != limit) {
        const Mark mark = canonical() ? static_cast<Mark>(marks_[tail_ & kMask]) : kNone;
        if (mark == kFileEnd) { // never a byte, and taken along by a read that ends just before it
            ++tail_;
            piece.end = true;
            break;
        }
        if (piece.size == size)
            break;
        to[piece.size++] = static_cast<char>(at(tail_++));
        if (mark == kLineEnd) {
            piece.end = true;
            break;
        }
    }
    return piece;
}

u64 LineDiscipline::waiting() const {
    if (!canonical())
        return head_ - tail_;
    u64 count = 0;
    for (u32 n = tail_; n != line_end_; ++n)
        count += marks_[n & kMask] == kFileEnd ? 0 : 1;
    return count;
}

// ---- output ----

void LineDiscipline::write(StringView text, Sink& to) {
    if (!settings_.out(kOPost)) {
        to.write(text);
        return;
    }
    // What needs no processing goes out in whole stretches.
    size_t start = 0;
    for (size_t n = 0; n < text.size(); ++n) {
        const u8 c = static_cast<u8>(text[n]);
        if (!is_control(c) && !settings_.out(kOlcuc)) {
            column_ += continues(c) ? 0 : 1;
            continue;
        }
        if (n > start)
            to.write(text.substr(start, n - start));
        start = n + 1;
        emit(c, to);
    }
    if (start < text.size())
        to.write(text.substr(start));
}

void LineDiscipline::echo_character(u8 c, Screen& echo) {
    if (settings_.has(kEchoCtl) && is_control(c) && c != '\t') {
        emit('^', echo);
        emit(c ^ 0x40, echo);
    } else {
        emit(c, echo);
    }
}

void LineDiscipline::emit(u8 c, Sink& to) {
    if (settings_.out(kOPost)) {
        switch (c) {
        case '\n':
            if (settings_.out(kOnlRet))
                column_ = 0;
            if (settings_.out(kOnlCr)) {
                column_ = line_column_ = 0;
                to.write("\r\n");
                return;
            }
            break;
        case '\r':
            if (settings_.out(kOnoCr) && column_ == 0)
                return;
            if (settings_.out(kOcrNl)) {
                c = '\n';
                if (settings_.out(kOnlRet))
                    column_ = line_column_ = 0;
                break;
            }
            column_ = line_column_ = 0;
            break;
        case '\t': {
            const u32 width = kTabStop - column_ % kTabStop;
            column_ += width;
            if ((settings_.output & kTabDelay) == kTabDelay) {
                to.write(StringView("        ", width));
                return;
            }
            break;
        }
        case '\b':
            column_ -= column_ > 0 ? 1 : 0;
            break;
        default:
            if (settings_.out(kOlcuc) && c >= 'a' && c <= 'z')
                c &= ~0x20;
            column_ += is_control(c) || continues(c) ? 0 : 1;
        }
    }
    const char byte = static_cast<char>(c);
    to.write(StringView(&byte, 1));
}

/// What moves the cursor on the screen as the discipline itself means it, whatever OPOST says.
void LineDiscipline::emit_raw(StringView text, Sink& to) {
    for (const char c : text) {
        if (c == '\b')
            column_ -= column_ > 0 ? 1 : 0;
        else
            ++column_;
    }
    to.write(text);
}

} // namespace tollgate::fs
