// What makes a line of bytes a terminal: editing, echo, special characters, output processing [POSIX.1-2017, chapter
// 11; man 3 termios]. Pure: no lock, no device and no process in here, so that it runs on the host under test. Whoever
// owns it (tty.cpp) has a lock, carries bytes, and sends the signals that it asks for.
#pragma once

#include "fs/termios.h"
#include "lib/format.h"

namespace tollgate::fs {

/// Where echo and output go.
class Screen : public Sink {
public:
    /// Throws away what has been written and not been shown yet: somebody interrupts.
    virtual void discard() = 0;
};

class LineDiscipline {
public:
    /// Longest line and most bytes that wait to be read [limits.h, MAX_CANON counts the newline].
    static constexpr u32 kSize = 4096;

    const Termios& settings() const { return settings_; }
    /// tcsetattr(3). A change between canonical and other input turns all that waits into one readable piece.
    void set(const Termios& settings);

    // ---- from the line ----

    /// What became of input: how much was taken, and the signals that its characters ask for (bit n: signal n).
    struct Received {
        u64 taken = 0;
        u32 signals = 0;
        bool start = false, stop = false; ///< XON and XOFF
    };
    /// Takes characters until one asks for something or there is no room; call again with the rest. `echo` gets what
    /// the terminal is to show.
    Received receive(StringView bytes, Screen& echo);
    /// The line was held down (a break): a signal, or a NUL character.
    Received receive_break(Screen& echo);
    /// Bytes that receive() takes for sure. In canonical mode with no finished line it takes anything: too long a line
    /// loses its surplus.
    u64 room() const;

    // ---- to the reader ----

    /// Whether a read has something: a finished line, or at least `least` bytes.
    bool readable(u32 least = 1) const { return canonical() ? line_end_ != tail_ : head_ - tail_ >= least; }
    struct Piece {
        u64 size = 0;
        bool end = false; ///< canonical: the line ends here, or the end of file does
    };
    /// Moves up to `size` bytes out; no more than what is left of a line in canonical mode.
    Piece read(char* to, u64 size);
    /// FIONREAD.
    u64 waiting() const;
    void flush_input();

    // ---- from the writer ----

    /// Output as the terminal is to get it. Takes all of it.
    void write(StringView text, Sink& to);

    bool canonical() const { return settings_.has(kICanon); }

private:
    // An edited line is [line_end_, head_), finished ones are [tail_, line_end_). All three only grow.
    static constexpr u32 kMask = kSize - 1;
    enum Mark : u8 { kNone, kLineEnd, kFileEnd };

    bool is(u8 c, ControlCharacter which) const {
        return c != 0 && settings_.characters[which] == c; // 0: disabled
    }
    u8& at(u32 index) { return bytes_[index & kMask]; }
    void receive_one(u8 c, Screen& echo, Received& result);
    bool receive_signal(u8 c, Screen& echo, Received& result);
    bool edit(u8 c, Screen& echo);
    void store(u8 c, Mark mark, Screen& echo);
    void store_literally(u8 c, Screen& echo);
    void finish_line(u8 c, Mark mark, Screen& echo);

    enum class Erase : u8 { Character, Word, Line };
    void erase(Erase what, Screen& echo);
    void erase_shown(u8 c, Erase what, Screen& echo);
    void end_erasing(Screen& echo);
    void reprint(Screen& echo);
    void echo_character(u8 c, Screen& echo);
    void emit(u8 c, Sink& to);
    void emit_raw(StringView text, Sink& to);
    static bool is_control(u8 c) { return c < 32 || c == 127; }
    bool continues(u8 c) const { return settings_.in(kIUtf8) && (c & 0xc0) == 0x80; }

    Termios settings_;
    u32 head_ = 0, line_end_ = 0, tail_ = 0;
    u32 column_ = 0, line_column_ = 0; // of the cursor, and where the edited line begins
    bool literal_next_ = false;        // after ^V
    bool erasing_ = false;             // ECHOPRT: between '\' and '/'
    u8 bytes_[kSize] = {};
    u8 marks_[kSize] = {};
};

} // namespace tollgate::fs
