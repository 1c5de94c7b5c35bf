// eventfd(2): a counter as a file. Writes add to it, reads take it all, or one at a time.
#pragma once

#include "task/file.h"

namespace tollgate::fs {

/// [linux/eventfd.h] EFD_SEMAPHORE
inline constexpr u32 kEventSemaphore = 1;

enum class EventKind : u8 { Counter, Semaphore };

class EventFile final : public File {
public:
    EventFile(u64 count, EventKind kind) : count_(count), kind_(kind) {}

    Result<u64> read(IoBuffer& buffer, u64, u32 flags) override;
    Result<u64> write(IoBuffer& buffer, u64, u32 flags) override;
    u32 ready() override;
    WaitQueue* ready_queue() override { return &changed_; }
    Result<FileStatus> status() const override;
    FileKind kind() const override { return FileKind::Event; }

private:
    /// One more than the counter may ever be [man 2 eventfd].
    static constexpr u64 kTooMuch = ~u64{0};

    Atomic<u64> count_;
    WaitQueue changed_; // kPollIn, kPollOut
    const EventKind kind_;
};

} // namespace tollgate::fs
