// signalfd(2): signals read from a file instead of running handlers. Reading takes the signals of the thread that reads
// and of its process, whoever made the file.
#pragma once

#include "task/file.h"
#include "task/signal.h"

namespace tollgate::fs {

/// struct signalfd_siginfo [linux/signalfd.h].
struct SignalRecord {
    u32 signal;
    i32 error, code;
    u32 process, user;
    i32 descriptor;
    u32 timer, band, overrun, trap;
    i32 status, int_value;
    u64 value, user_time, system_time, address;
    u16 address_lsb, pad2;
    i32 system_call;
    u64 call_address;
    u32 architecture;
    u8 pad[28];
};
static_assert(sizeof(SignalRecord) == 128);

class SignalFile final : public File {
public:
    explicit SignalFile(SignalSet set);
    ~SignalFile() override;

    void set_signals(SignalSet set);

    Result<u64> read(IoBuffer& buffer, u64, u32 flags) override;
    u32 ready() override;
    WaitQueue* ready_queue() override;
    Result<FileStatus> status() const override;
    FileKind kind() const override { return FileKind::Signal; }

private:
    Atomic<SignalSet> set_;
};

} // namespace tollgate::fs
