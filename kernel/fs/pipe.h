// Pipes and FIFOs: a ring of bytes in page frames, between the files that are its reading and its writing ends. Ends
// may be in several processes; each is one open file. docs/ipc.md has the wake protocol.
#pragma once

#include "mem/frames.h"
#include "sched/mutex.h"
#include "task/file.h"

namespace tollgate::fs {

class Node;

/// What the ends of a pipe share.
class Pipe : public RefCounted {
public:
    static constexpr u64 kDefaultCapacity = 65536, kMostCapacity = u64{16} << 20;
    /// What one write never mixes with another's [man 7 pipe, PIPE_BUF].
    static constexpr u64 kAtomicWrite = 4096;

    static Result<Ref<Pipe>> create();
    ~Pipe();

    Result<u64> read(IoBuffer& buffer, u32 flags);
    /// Errno::Pipe if there is no reader.
    Result<u64> write(IoBuffer& buffer, u32 flags);
    u64 bytes() const { return size_.load(kRelaxed); }
    u64 capacity() const { return capacity_.load(kRelaxed); }
    /// F_SETPIPE_SZ: rounds up; the new capacity. Errors: Busy (it holds more than that), Inval, NoMem.
    Result<u64> set_capacity(u64 wanted);

    /// Ends come and go.
    void add_end(bool reads, bool writes);
    void remove_end(bool reads, bool writes);
    bool has_readers() const { return readers_.load(kAcquire) != 0; }
    bool has_writers() const { return writers_.load(kAcquire) != 0; }
    /// How often such an end was opened, to tell "no writer yet" from "no writer any more".
    u32 reader_opens() const { return reader_opens_.load(kAcquire); }
    u32 writer_opens() const { return writer_opens_.load(kAcquire); }
    bool can_write() const { return capacity() - bytes() >= kAtomicWrite; }

    /// Woken with kPollIn for readers and kPollOut for writers.
    WaitQueue changed;

private:
    template <class T, class... Args>
    friend Result<Ref<T>> tollgate::make_ref(Args&&...);
    Pipe() = default;
    u64 slots() const { return capacity() / kPageSize; }
    u64 take_out(IoBuffer& buffer, Result<void>& outcome) REQUIRES(mutex_);
    u64 put_in(IoBuffer& buffer, u64 size, Result<void>& outcome) REQUIRES(mutex_);
    void drop_pages(u64 first) REQUIRES(mutex_);

    Mutex mutex_;                               // for the bytes; the counts are read without it
    Frame* pages_ GUARDED_BY(mutex_) = nullptr; // slots() of them; empty where no byte was yet
    u64 pages_used_ GUARDED_BY(mutex_) = 0;     // slots below this may have a frame
    u64 head_ GUARDED_BY(mutex_) = 0;           // where the oldest byte lies, below capacity()
    Atomic<u64> size_{0};                       // changed under the mutex
    Atomic<u64> capacity_{kDefaultCapacity};    // likewise
    Atomic<u32> readers_{0}, writers_{0}, reader_opens_{0}, writer_opens_{0};
};

/// pipe2(2): the reading end, then the writing end; `flags` may have kOpenNonBlock. Errno::NoMem.
struct PipeEnds {
    Ref<OpenFile> reader, writer;
};
Result<PipeEnds> make_pipe(u32 flags);

/// What a FIFO's node keeps: the pipe for those who have it open. Bytes are gone when all ends are closed.
class FifoPoint {
public:
    /// open(2) of a FIFO whose node is `node`: waits for the other side unless told not to. Errors: Nxio (O_WRONLY |
    /// O_NONBLOCK without a reader), RestartSys, NoMem.
    Result<Ref<File>> open(Node& node, u32 flags);

private:
    Mutex mutex_;
    Ref<Pipe> pipe_ GUARDED_BY(mutex_);
};

} // namespace tollgate::fs
