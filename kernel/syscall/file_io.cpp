// Reading and writing: the calls that move data through an open file, or its position.
#include "cpu/layout.h"
#include "fs/tmpfs.h"
#include "lib/mutants.h"
#include "lib/unique_ptr.h"
#include "syscall/broken_pipe.h"
#include "syscall/handlers.h"
#include "task/signal.h"

namespace tollgate {
namespace {

/// The most that one call moves, as in Linux [man 2 read].
constexpr u64 kMaxTransfer = 0x7ffff000;
constexpr u64 kMaxVectors = 1024; // UIO_MAXIOV
constexpr int kSigFileSize = 25;  // SIGXFSZ

/// A buffer below kUserTop. The copies check again; this is for files that never copy, such as /dev/null.
Result<IoBuffer> user_buffer(u64 address, u64 size) {
    if ((size > kUserTop || address > kUserTop - size) && !mutant(Mutant::UserRange))
        return fail(Errno::Fault);
    return IoBuffer(address, size < kMaxTransfer ? size : kMaxTransfer);
}

/// Cuts a write at RLIMIT_FSIZE. Errno::FBig, and its signal, if nothing is left of it.
[[gnu::always_inline]] inline Result<void> limit_size(Caller& caller, u64 offset, IoBuffer& buffer) {
    const u64 limit = caller.process->limits[Limit::FileSize];
    if (limit == kUnlimited) [[likely]]
        return {};
    if (offset >= limit && buffer.size() > 0) {
        static_cast<void>(task::send_signal(*caller.owner, task::kernel_signal(kSigFileSize)).has_value());
        return fail(Errno::FBig);
    }
    buffer = buffer.first(limit - offset);
    return {};
}

/// Reads at the position and moves it, one call at a time: two threads that read one open file get different bytes.
Result<u64> read_at_position(OpenFile& open, IoBuffer& buffer) {
    if (!open.seekable)
        return open.file->read(buffer, 0, open.flags());
    MutexGuard guard{open.position_lock};
    const u64 position = open.position.load(kRelaxed);
    const u64 done = TRY(open.file->read(buffer, position, open.flags()));
    open.position.store(position + done, kRelaxed);
    return done;
}

u64 size_of(const OpenFile& open) {
    const fs::Node* const node = open.file->node();
    return node ? node->size() : 0;
}

Result<u64> write_at_position(Caller& caller, OpenFile& open, IoBuffer& buffer) {
    const u32 flags = open.flags();
    if (!open.seekable)
        return open.file->write(buffer, 0, flags);
    MutexGuard guard{open.position_lock};
    const bool append = flags & kOpenAppend;
    const u64 position = append ? size_of(open) : open.position.load(kRelaxed);
    TRY(limit_size(caller, position, buffer));
    const u64 done = TRY(open.file->write(buffer, position, flags));
    open.position.store(append ? size_of(open) : position + done, kRelaxed);
    return done;
}

[[gnu::always_inline]] inline Result<BorrowedFile> readable(Caller& caller, int descriptor) {
    auto open = caller.files->borrow(descriptor);
    if (open && !(*open)->readable()) [[unlikely]]
        return fail(Errno::BadF);
    return open;
}

[[gnu::always_inline]] inline Result<BorrowedFile> writable(Caller& caller, int descriptor) {
    auto open = caller.files->borrow(descriptor);
    if (open && !(*open)->writable()) [[unlikely]]
        return fail(Errno::BadF);
    return open;
}

/// Whether a call may name an offset: seekable files, and devices that take any (/dev/zero), but nothing that flows.
Result<void> check_offset(const OpenFile& open, i64 offset) {
    if (offset < 0)
        return fail(Errno::Inval);
    if (open.seekable)
        return {};
    constexpr u64 kMemoryDevices = 1; // the major number of /dev/null, zero, full, random
    const FileStatus status = TRY(open.file->status());
    const bool memory =
        (status.mode & fs::kModeTypeMask) == kModeCharacter && status.special_device >> 8 == kMemoryDevices;
    return memory ? Result<void>() : fail(Errno::SPipe);
}

/// A vector of buffers, copied in once and checked as a whole before the first byte moves.
class Vectors {
public:
    Result<void> read(UserPtr<const IoVector> from, u64 count) {
        if (count > kMaxVectors)
            return fail(Errno::Inval);
        if (count > kFew) {
            many_ = new (std::nothrow_t{}) IoVector[count];
            if (!many_)
                return fail(Errno::NoMem);
        }
        count_ = count;
        TRY(copy_from_user_bytes(begin(), from.address(), count * sizeof(IoVector)));
        u64 total = 0;
        for (IoVector& part : parts()) {
            if (static_cast<i64>(part.length) < 0)
                return fail(Errno::Inval);
            if (part.length > 0)
                TRY(user_buffer(part.base, part.length));
            if (part.length > kMaxTransfer - total)
                part.length = kMaxTransfer - total;
            total += part.length;
        }
        return {};
    }
    Vectors() = default;
    Vectors(const Vectors&) = delete;
    Vectors& operator=(const Vectors&) = delete;
    ~Vectors() { delete[] many_; }
    std::span<IoVector> parts() { return {begin(), count_}; }

private:
    static constexpr u64 kFew = 8;
    IoVector* begin() { return many_ ? many_ : few_; }
    IoVector few_[kFew];
    IoVector* many_ = nullptr;
    u64 count_ = 0;
};

/// Calls transfer(IoBuffer&, done so far) for each part of a vector; ends early at a short transfer. An error after
/// some bytes is not one.
template <class Transfer>
Result<u64> for_vectors(UserPtr<const IoVector> from, u64 count, Transfer transfer) {
    Vectors vectors;
    TRY(vectors.read(from, count));
    u64 done = 0;
    for (const IoVector& part : vectors.parts()) {
        if (part.length == 0)
            continue;
        IoBuffer buffer(part.base, part.length);
        const Result<u64> moved = transfer(buffer, done);
        if (!moved && done == 0)
            return fail(moved.error());
        if (!moved)
            break;
        done += *moved;
        if (*moved != part.length)
            break;
    }
    return done;
}

[[gnu::always_inline]] inline Result<u64> write_at(Caller& caller, OpenFile& open, IoBuffer& buffer, u64 offset,
                                                   u32 flags) {
    if (open.seekable)
        TRY(limit_size(caller, flags & kOpenAppend ? size_of(open) : offset, buffer));
    return open.file->write(buffer, offset, flags);
}

} // namespace

namespace {

[[gnu::noinline]] Result<u64> read_any(Caller& caller, int descriptor, u64 buffer, u64 size) {
    const BorrowedFile open = TRY(readable(caller, descriptor));
    IoBuffer to = TRY(user_buffer(buffer, size));
    return read_at_position(*open, to);
}

[[gnu::noinline]] Result<u64> write_any(Caller& caller, int descriptor, u64 buffer, u64 size) {
    const BorrowedFile open = TRY(writable(caller, descriptor));
    IoBuffer from = TRY(user_buffer(buffer, size));
    return with_broken_pipe_signal(caller, *open->file, write_at_position(caller, *open, from));
}

/// Whether a call takes the short way: a file without a position, which nobody else can close, and a sound buffer.
bool is_simple(const OpenFile* open, u64 buffer, u64 size) {
    return open && !open->seekable && size < kMaxTransfer && buffer <= kUserTop - size;
}

} // namespace

Result<u64> sys_read(Caller& caller, int descriptor, u64 buffer, u64 size) {
    OpenFile* const open = caller.files->borrow_alone(descriptor);
    if (!is_simple(open, buffer, size) || !open->readable()) [[unlikely]]
        return read_any(caller, descriptor, buffer, size);
    IoBuffer to(buffer, size);
    File& file = *open->file.get(); // every open file has one
    return file.read(to, 0, open->flags());
}

Result<u64> sys_write(Caller& caller, int descriptor, u64 buffer, u64 size) {
    OpenFile* const open = caller.files->borrow_alone(descriptor);
    if (!is_simple(open, buffer, size) || !open->writable()) [[unlikely]]
        return write_any(caller, descriptor, buffer, size);
    IoBuffer from(buffer, size);
    File& file = *open->file.get();
    const Result<u64> done = file.write(from, 0, open->flags());
    if (!done) [[unlikely]]
        return with_broken_pipe_signal(caller, file, done);
    return done;
}

Result<u64> sys_pread64(Caller& caller, int descriptor, u64 buffer, u64 size, i64 offset) {
    if (offset < 0)
        return fail(Errno::Inval);
    const BorrowedFile open = TRY(readable(caller, descriptor));
    TRY(check_offset(*open, offset));
    IoBuffer to = TRY(user_buffer(buffer, size));
    return open->file->read(to, static_cast<u64>(offset), open->flags());
}

Result<u64> sys_pwrite64(Caller& caller, int descriptor, u64 buffer, u64 size, i64 offset) {
    if (offset < 0)
        return fail(Errno::Inval);
    const BorrowedFile open = TRY(writable(caller, descriptor));
    TRY(check_offset(*open, offset));
    IoBuffer from = TRY(user_buffer(buffer, size));
    return write_at(caller, *open, from, static_cast<u64>(offset), open->flags());
}

Result<u64> sys_readv(Caller& caller, int descriptor, UserPtr<const IoVector> vectors, u64 count) {
    const BorrowedFile open = TRY(readable(caller, descriptor));
    return for_vectors(vectors, count, [&](IoBuffer& buffer, u64) { return read_at_position(*open, buffer); });
}

Result<u64> sys_writev(Caller& caller, int descriptor, UserPtr<const IoVector> vectors, u64 count) {
    const BorrowedFile open = TRY(writable(caller, descriptor));
    return with_broken_pipe_signal(caller, *open->file, for_vectors(vectors, count, [&](IoBuffer& buffer, u64) {
                                       return write_at_position(caller, *open, buffer);
                                   }));
}

// [linux/fs.h] RWF_*: what one call wants beside the open file's flags
static constexpr u32 kNoWait = 8, kAppend = 16, kKnownCallFlags = 31;

Result<u64> sys_preadv2(Caller& caller, int descriptor, UserPtr<const IoVector> vectors, u64 count, i64 offset,
                        u64 /*offset_high*/, u32 flags) {
    if (flags & ~kKnownCallFlags)
        return fail(Errno::NotSup);
    if (offset == -1)
        return sys_readv(caller, descriptor, vectors, count);
    const BorrowedFile open = TRY(readable(caller, descriptor));
    TRY(check_offset(*open, offset));
    const u32 open_flags = open->flags() | (flags & kNoWait ? kOpenNonBlock : 0);
    return for_vectors(vectors, count, [&](IoBuffer& buffer, u64 done) {
        return open->file->read(buffer, static_cast<u64>(offset) + done, open_flags);
    });
}

Result<u64> sys_pwritev2(Caller& caller, int descriptor, UserPtr<const IoVector> vectors, u64 count, i64 offset,
                         u64 /*offset_high*/, u32 flags) {
    if (flags & ~kKnownCallFlags)
        return fail(Errno::NotSup);
    if (offset == -1 && !(flags & kAppend))
        return sys_writev(caller, descriptor, vectors, count);
    const BorrowedFile open = TRY(writable(caller, descriptor));
    TRY(check_offset(*open, offset == -1 ? 0 : offset));
    const u32 open_flags = open->flags() | (flags & kNoWait ? kOpenNonBlock : 0) | (flags & kAppend ? kOpenAppend : 0);
    return for_vectors(vectors, count, [&](IoBuffer& buffer, u64 done) {
        return write_at(caller, *open, buffer, static_cast<u64>(offset) + done, open_flags);
    });
}

Result<u64> sys_preadv(Caller& caller, int descriptor, UserPtr<const IoVector> vectors, u64 count, i64 offset) {
    return offset < 0 ? fail(Errno::Inval) : sys_preadv2(caller, descriptor, vectors, count, offset, 0, 0);
}

Result<u64> sys_pwritev(Caller& caller, int descriptor, UserPtr<const IoVector> vectors, u64 count, i64 offset) {
    return offset < 0 ? fail(Errno::Inval) : sys_pwritev2(caller, descriptor, vectors, count, offset, 0, 0);
}

Result<u64> sys_ioctl(Caller& caller, int descriptor, u32 request, u64 argument) {
    // [asm-generic/ioctls.h] those that every file has
    constexpr u32 kCloseOnExec = 0x5451, kStayOpenOnExec = 0x5450, kNonBlock = 0x5421, kBytesToRead = 0x541b;
    const BorrowedFile open = TRY(caller.files->borrow(descriptor));
    switch (request) {
    case kCloseOnExec:
    case kStayOpenOnExec:
        TRY(caller.files->set_close_on_exec(descriptor, request == kCloseOnExec));
        return 0;
    case kNonBlock: {
        const i32 on = TRY(copy_from_user(UserPtr<const i32>(argument)));
        open->set_flags(on ? open->flags() | kOpenNonBlock : open->flags() & ~kOpenNonBlock);
        return 0;
    }
    case kBytesToRead:
        if (const fs::Node* const node = open->file->node(); node && node->type() == kModeRegular) {
            const u64 size = node->size(), position = open->position.load(kRelaxed);
            TRY(copy_to_user(UserPtr<i32>(argument), static_cast<i32>(size > position ? size - position : 0)));
            return 0;
        }
        break;
    default:
        break;
    }
    return open->file->control(caller, request, argument);
}

} // namespace tollgate
