// Pseudo terminals: /dev/ptmx makes one, whose master end is the open file, and whose slave end is a terminal like any
// other, called /dev/pts/N [man 7 pty].
#pragma once

#include "fs/directory.h"
#include "fs/tty.h"

namespace tollgate::fs {

class PtySlave final : public Tty {
public:
    static constexpr u32 kMost = 64;
    /// A new one, locked, with a number and a name. Errors: NoSpc (all numbers are taken), NoMem.
    static Result<Ref<PtySlave>> create();
    ~PtySlave() override;

    u32 major() const override { return kPtyMajor; }
    u32 minor() const override { return number_; }
    void file_opened() override;
    void file_closed() override;
    /// open(2) of its name. Errno::Io while it is locked, and without a master.
    Result<Ref<File>> open_slave(const Caller* caller, u32 flags, Ref<Node> node);

    // ---- what the master does ----
    Result<u64> master_read(IoBuffer& buffer, u32 flags) EXCLUDES(lock_);
    Result<u64> master_write(IoBuffer& buffer, u32 flags) EXCLUDES(lock_);
    u32 master_ready() const;
    WaitQueue& master_queue() { return master_queue_; }
    Result<u64> master_control(Caller& caller, u32 request, u64 argument);
    void master_closed();

private:
    template <class T, class... A>
    friend Result<Ref<T>> tollgate::make_ref(A&&...);
    explicit PtySlave(u32 number) : Tty(Termios{.input = kIcrNl | kIxOn}), number_(number) {}

    // The line: a ring of what the slave has written and the master has not read.
    static constexpr u32 kRing = 8192, kRingMask = kRing - 1;
    u64 transmit(StringView bytes) override;
    u64 transmit_room() const override { return kRing - (head_.load(kRelaxed) - tail_.load(kRelaxed)); }
    void discard_output() override { tail_.store(head_.load(kRelaxed), kRelease); }
    void changed_for_line() override;
    bool slave_gone() const { return was_open_.load(kAcquire) && slaves_.load(kAcquire) == 0; }
    u64 take_output(char* to, u64 size) EXCLUDES(lock_);
    Result<u64> open_peer(Caller& caller, u64 flags);

    const u32 number_;
    Atomic<u32> head_{0}, tail_{0}; // written under the lock, read without it too
    char ring_[kRing];
    Atomic<u32> slaves_{0};        // open files
    Atomic<bool> was_open_{false}; // before the first is opened the master only waits
    Atomic<bool> locked_{true}, master_open_{true};
    Atomic<u32> line_events_{0}; // as Tty::events_, for the master's waits
    WaitQueue master_queue_;
};

/// open(2) of /dev/ptmx.
Result<Ref<File>> open_ptmx(const Caller* caller, u32 flags, Ref<Node> node);
/// Makes /dev/pts. Called once at boot. Errno::NoMem.
Result<void> make_pty_directory(Directory& dev);

} // namespace tollgate::fs
