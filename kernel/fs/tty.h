// A terminal: a line discipline with readers, writers and job control, and a line behind it: the serial port
// (tty_serial.cpp) or the master of a pseudo terminal (pty.cpp). Signals are sent with no lock held.
#pragma once

#include "fs/job_control.h"
#include "fs/line_discipline.h"
#include "fs/node.h"
#include "lib/fixed_string.h"
#include "task/terminal.h"

namespace tollgate::fs {

class Tty : public Terminal {
public:
    /// What a file remembers of its terminal's past: a hang-up makes all open files stale.
    using Generation = u32;
    /// Never stale: /dev/console.
    static constexpr Generation kForever = ~Generation{0};
    Generation generation() const { return generation_.load(kAcquire); }
    bool is_stale(Generation opened) const { return opened != kForever && opened != generation(); }

    // ---- from the line ----
    /// Input; how much was taken: all, unless readers are behind.
    u64 receive(StringView bytes) EXCLUDES(lock_);
    void receive_break() EXCLUDES(lock_);
    /// Whoever has it open now has lost it, and the session gets SIGHUP.
    void hang_up() EXCLUDES(lock_);

    // ---- from files ----
    Result<u64> read(IoBuffer& buffer, u32 flags, Generation opened) EXCLUDES(lock_);
    Result<u64> write(IoBuffer& buffer, u32 flags, Generation opened) EXCLUDES(lock_);
    u32 ready() const { return ready_.load(kAcquire); }
    WaitQueue& queue() { return queue_; }
    /// ioctl(2). `through_master`: by a pseudo terminal's other end, to which job control does not apply.
    enum class Through : u8 { Terminal, Master };
    Result<u64> control(Caller& caller, u32 request, u64 argument, Through through) EXCLUDES(lock_);

    // ---- sessions ----
    void session_ended() override;
    i32 session() const { return session_.load(kAcquire); }

    /// open(2) of a name of it. /dev/console is nobody's controlling terminal, and outlives hang-ups.
    Result<Ref<File>> open_as(const Caller* caller, u32 flags, Ref<Node> node);
    /// st_rdev of its own name [Linux: Documentation/admin-guide/devices.txt].
    virtual u32 major() const = 0;
    virtual u32 minor() const = 0;
    u32 device_number() const override { return major() << 8 | minor(); }

    /// Of what open files there are; a pseudo terminal's master wants to know.
    virtual void file_opened() {}
    virtual void file_closed() {}

protected:
    explicit Tty(const Termios& settings) : screen_(*this) { line_.set(settings); }

    // The line, as derived classes make it. The first four are called under the lock.
    /// Bytes to the line; how many it took.
    virtual u64 transmit(StringView bytes) = 0;
    /// Bytes that transmit() takes for sure.
    virtual u64 transmit_room() const { return ~u64{0}; }
    /// Throws away what transmit() took and the line has not got yet.
    virtual void discard_output() {}
    /// Bytes in that state, for TIOCOUTQ.
    virtual u64 untransmitted() const { return 0; }
    /// What is possible now may have changed: whoever waits at the other end must look. No lock is held.
    virtual void changed_for_line() {}

    /// Whether receive() would take anything; old as soon as it is known.
    bool takes_input() const { return takes_input_.load(kAcquire); }
    /// After something has changed that readers and writers may wait for; no lock is held.
    void line_changed() EXCLUDES(lock_);

    mutable Spinlock lock_{LockRank::Terminal};

private:
    /// Where echo and output go: out, or, while output is stopped, into a small store.
    class TtyScreen final : public Screen {
    public:
        constexpr explicit TtyScreen(Tty& tty) : tty_(tty) {}
        void write(StringView text) override;
        void discard() override;

    private:
        Tty& tty_;
    };

    void opened_by(const Caller& caller);
    template <class Give>
    u64 take_input(Give give) EXCLUDES(lock_);
    void set_stopped_locked(bool stopped) REQUIRES(lock_);
    void update_ready_locked() REQUIRES(lock_);
    void wake();
    u64 write_piece(StringView text) EXCLUDES(lock_);

    Result<void> admit(const Caller* caller, int signal);
    Result<u64> set_settings(u32 request, u64 argument);
    Result<u64> set_window(u64 argument);
    Result<u64> flow(u64 action);
    Result<u64> flush(u64 queues);
    Result<u64> acquire(const Caller& caller, bool steal);
    Result<u64> give_up(const Caller& caller);
    Result<u64> set_group(u64 argument);
    Termios settings() const EXCLUDES(lock_);

    LineDiscipline line_ GUARDED_BY(lock_);
    TtyScreen screen_;
    WindowSize window_ GUARDED_BY(lock_);
    bool stopped_ GUARDED_BY(lock_) = false;  // by ^S
    FixedString<256> held_ GUARDED_BY(lock_); // echo that waits for ^Q
    Atomic<Generation> generation_{0};
    Atomic<i32> session_{0}; // that it controls; 0: none
    // What waits look at, since they may not take the lock: a wait ends when the number has changed.
    Atomic<u32> events_{0};
    Atomic<u32> ready_{kPollOut};
    Atomic<bool> takes_input_{true};
    WaitQueue queue_;
};

/// A terminal's open file, with the node it was opened by: /dev/tty and /dev/console have numbers of their own.
class TtyFile final : public File {
public:
    TtyFile(Ref<Tty> tty, Ref<Node> node, Tty::Generation generation);
    ~TtyFile() override;
    Result<u64> read(IoBuffer& buffer, u64, u32 flags) override { return tty_->read(buffer, flags, generation_); }
    Result<u64> write(IoBuffer& buffer, u64, u32 flags) override { return tty_->write(buffer, flags, generation_); }
    u32 ready() override;
    WaitQueue* ready_queue() override { return &tty_->queue(); }
    Result<FileStatus> status() const override { return node_->status(); }
    Result<u64> control(Caller& caller, u32 request, u64 argument) override;
    Node* node() const override { return node_.get(); }
    Tty& tty() const { return *tty_; }

private:
    const Ref<Tty> tty_;
    const Ref<Node> node_;
    const Tty::Generation generation_;
};

} // namespace tollgate::fs
