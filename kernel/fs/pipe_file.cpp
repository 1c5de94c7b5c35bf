// The ends of pipes and FIFOs as files, and how they are opened.
#include "fs/anonymous.h"
#include "fs/node.h"
#include "fs/pipe.h"

namespace tollgate::fs {
namespace {

constinit Atomic<u64> last_inode{0}; // global: numbers are unique in the whole system

constexpr u32 kBytesReady = 0x541b;                     // FIONREAD [asm-generic/ioctls.h]
constexpr u32 kSetPipeSize = 1031, kGetPipeSize = 1032; // [linux/fcntl.h]
constexpr u32 kModePipe = 0010000;                      // S_IFIFO

class PipeFile final : public File {
public:
    PipeFile(Ref<Pipe> pipe, bool reads, bool writes, u64 inode, Ref<Node> node)
        : pipe_(std::move(pipe)), node_(std::move(node)), inode_(inode), reads_(reads), writes_(writes),
          writers_seen_(node_ ? pipe_->writer_opens() : 0) {
        pipe_->add_end(reads, writes);
    }
    ~PipeFile() override { pipe_->remove_end(reads_, writes_); }

    Result<u64> read(IoBuffer& buffer, u64, u32 flags) override { return pipe_->read(buffer, flags); }
    Result<u64> write(IoBuffer& buffer, u64, u32 flags) override { return pipe_->write(buffer, flags); }
    u32 ready() override;
    WaitQueue* ready_queue() override { return &pipe_->changed; }
    Result<FileStatus> status() const override {
        return node_ ? node_->status() : anonymous_status(kModePipe | 0600, inode_);
    }
    Result<u64> control(Caller& caller, u32 request, u64 argument) override;
    Result<u64> command(u32 command, u64 argument) override;
    FileKind kind() const override { return FileKind::Pipe; }
    Node* node() const override { return node_.get(); }

private:
    const Ref<Pipe> pipe_;
    const Ref<Node> node_; // a FIFO's
    const u64 inode_;
    const bool reads_, writes_;
    const u32 writers_seen_; // how many there had been when this end of a FIFO was opened
};

u32 PipeFile::ready() {
    u32 state = 0;
    if (reads_) {
        if (!pipe_->has_writers() && pipe_->writer_opens() != writers_seen_)
            state |= kPollHangUp;
        if (pipe_->bytes() > 0)
            state |= kPollIn;
    }
    if (writes_) {
        if (!pipe_->has_readers())
            state |= kPollError;
        if (pipe_->can_write())
            state |= kPollOut;
    }
    return state;
}

Result<u64> PipeFile::control(Caller&, u32 request, u64 argument) {
    if (request != kBytesReady)
        return fail(Errno::NoTty);
    TRY(copy_to_user(UserPtr<i32>(argument), static_cast<i32>(pipe_->bytes())));
    return 0;
}

Result<u64> PipeFile::command(u32 command, u64 argument) {
    if (command == kGetPipeSize)
        return pipe_->capacity();
    if (command == kSetPipeSize)
        return pipe_->set_capacity(argument & 0xffffffff);
    return fail(Errno::Inval);
}

} // namespace

u64 next_anonymous_inode() { return last_inode.fetch_add(1, kRelaxed) + 1; }

Result<PipeEnds> make_pipe(u32 flags) {
    const Ref<Pipe> pipe = TRY(Pipe::create());
    const u64 inode = next_anonymous_inode();
    PipeEnds ends;
    ends.reader = TRY(make_ref<OpenFile>(Ref<File>(TRY(make_ref<PipeFile>(pipe, true, false, inode, Ref<Node>()))),
                                         kOpenReadOnly | flags));
    ends.writer = TRY(make_ref<OpenFile>(Ref<File>(TRY(make_ref<PipeFile>(pipe, false, true, inode, Ref<Node>()))),
                                         kOpenWriteOnly | flags));
    return ends;
}

Result<Ref<File>> FifoPoint::open(Node& node, u32 flags) {
    Ref<Pipe> pipe;
    {
        MutexGuard guard{mutex_};
        if (!pipe_)
            pipe_ = TRY(Pipe::create());
        pipe = pipe_;
    }
    const u32 access = flags & kOpenAccessMask;
    const bool reads = access != kOpenWriteOnly, writes = access != kOpenReadOnly;
    const bool waits = !(flags & kOpenNonBlock);
    if (!reads && !waits && !pipe->has_readers())
        return fail(Errno::Nxio);
    // The other side may come and go again while we wait; that it came counts, so we compare how often it has.
    const u32 readers = pipe->reader_opens(), writers = pipe->writer_opens();
    Ref<File> file = TRY(make_ref<PipeFile>(pipe, reads, writes, 0, Ref<Node>(node)));
    if (!writes && waits && !pipe->has_writers())
        TRY(pipe->changed.wait_while([&] { return pipe->writer_opens() == writers; }, kNoDeadline, kPollIn));
    if (!reads && waits && !pipe->has_readers())
        TRY(pipe->changed.wait_while([&] { return pipe->reader_opens() == readers; }, kNoDeadline, kPollOut));
    return file;
}

} // namespace tollgate::fs
