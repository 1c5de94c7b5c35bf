// Reading and writing: the calls that move data through an open file, or its position.
#include "cpu/layout.h"
#include "lib/mutants.h"
#include "syscall/broken_pipe.h"
#include "syscall/handlers.h"

namespace tollgate {
namespace {

/// The most that one call moves, as in Linux [man 2 read].
constexpr u64 kMaxTransfer = 0x7ffff000;
constexpr u64 kMaxVectors = 1024; // UIO_MAXIOV

/// A buffer below kUserTop. The copies check again; this is for files that never copy, such as /dev/null.
Result<IoBuffer> user_buffer(u64 address, u64 size) {
    if ((size > kUserTop || address > kUserTop - size) && !mutant(Mutant::UserRange))
        return fail(Errno::Fault);
    return IoBuffer(address, size < kMaxTransfer ? size : kMaxTransfer);
}

/// Reads at the position and advances it. Two threads that read one open file at once may see the same bytes.
Result<u64> read_at_position(OpenFile& open, IoBuffer buffer) {
    if (!open.file->seekable())
        return open.file->read(buffer, 0, open.flags());
    const u64 position = open.position.load(kRelaxed);
    const u64 done = TRY(open.file->read(buffer, position, open.flags()));
    open.position.store(position + done, kRelaxed);
    return done;
}

Result<u64> write_at_position(OpenFile& open, IoBuffer buffer) {
    if (!open.file->seekable())
        return open.file->write(buffer, 0, open.flags());
    const u64 position = open.position.load(kRelaxed);
    const u64 done = TRY(open.file->write(buffer, position, open.flags()));
    if (open.flags() & kOpenAppend)
        open.position.store(static_cast<u64>(TRY(open.file->status()).size), kRelaxed);
    else
        open.position.store(position + done, kRelaxed);
    return done;
}

Result<Ref<OpenFile>> readable(Caller& caller, int descriptor) {
    auto open = TRY(caller.files->get(descriptor));
    if (!open->readable())
        return fail(Errno::BadF);
    return open;
}

Result<Ref<OpenFile>> writable(Caller& caller, int descriptor) {
    auto open = TRY(caller.files->get(descriptor));
    if (!open->writable())
        return fail(Errno::BadF);
    return open;
}

/// Calls transfer(IoBuffer) for each part of a vector; ends early at a short transfer. An error after some bytes is
/// not one.
template <class Transfer>
Result<u64> for_vectors(UserPtr<const IoVector> vectors, u64 count, Transfer transfer) {
    if (count > kMaxVectors)
        return fail(Errno::Inval);
    u64 done = 0;
    for (u64 i = 0; i < count; ++i) {
        const auto step = [&]() -> Result<bool> {
            const IoVector part = TRY(copy_from_user(vectors.offset(i)));
            if (static_cast<i64>(part.length) < 0)
                return fail(Errno::Inval);
            if (part.length == 0)
                return true;
            IoBuffer buffer = TRY(user_buffer(part.base, part.length));
            if (buffer.size() > kMaxTransfer - done)
                buffer = IoBuffer(buffer.address(), kMaxTransfer - done);
            const u64 moved = TRY(transfer(buffer));
            done += moved;
            return moved == part.length;
        }();
        if (!step && done == 0)
            return fail(step.error());
        if (!step || !*step)
            break;
    }
    return done;
}

} // namespace

Result<u64> sys_read(Caller& caller, int descriptor, u64 buffer, u64 size) {
    const auto open = TRY(readable(caller, descriptor));
    return read_at_position(*open, TRY(user_buffer(buffer, size)));
}

Result<u64> sys_write(Caller& caller, int descriptor, u64 buffer, u64 size) {
    const auto open = TRY(writable(caller, descriptor));
    return with_broken_pipe_signal(caller, *open->file, write_at_position(*open, TRY(user_buffer(buffer, size))));
}

Result<u64> sys_pread64(Caller& caller, int descriptor, u64 buffer, u64 size, i64 offset) {
    if (offset < 0)
        return fail(Errno::Inval);
    const auto open = TRY(readable(caller, descriptor));
    if (!open->file->seekable())
        return fail(Errno::SPipe);
    IoBuffer to = TRY(user_buffer(buffer, size));
    return open->file->read(to, static_cast<u64>(offset), open->flags());
}

Result<u64> sys_pwrite64(Caller& caller, int descriptor, u64 buffer, u64 size, i64 offset) {
    if (offset < 0)
        return fail(Errno::Inval);
    const auto open = TRY(writable(caller, descriptor));
    if (!open->file->seekable())
        return fail(Errno::SPipe);
    IoBuffer from = TRY(user_buffer(buffer, size));
    return open->file->write(from, static_cast<u64>(offset), open->flags());
}

Result<u64> sys_readv(Caller& caller, int descriptor, UserPtr<const IoVector> vectors, u64 count) {
    const auto open = TRY(readable(caller, descriptor));
    return for_vectors(vectors, count, [&](IoBuffer buffer) { return read_at_position(*open, buffer); });
}

Result<u64> sys_writev(Caller& caller, int descriptor, UserPtr<const IoVector> vectors, u64 count) {
    const auto open = TRY(writable(caller, descriptor));
    return with_broken_pipe_signal(caller, *open->file, for_vectors(vectors, count, [&](IoBuffer buffer) {
                                       return write_at_position(*open, buffer);
                                   }));
}

Result<u64> sys_lseek(Caller& caller, int descriptor, i64 offset, u32 origin) {
    constexpr u32 kFromPosition = 1, kFromEnd = 2; // 0 is from the start
    const auto open = TRY(caller.files->get(descriptor));
    if (origin > kFromEnd)
        return fail(Errno::Inval);
    if (!open->file->seekable())
        return fail(Errno::SPipe);
    i64 base = 0;
    if (origin == kFromPosition)
        base = static_cast<i64>(open->position.load(kRelaxed));
    else if (origin == kFromEnd)
        base = TRY(open->file->status())
    .size;
    i64 position = 0;
    if (__builtin_add_overflow(base, offset, &position))
        return fail(Errno::Overflow);
    if (position < 0)
        return fail(Errno::Inval);
    open->position.store(static_cast<u64>(position), kRelaxed);
    return static_cast<u64>(position);
}

Result<u64> sys_ioctl(Caller& caller, int descriptor, u32 request, u64 argument) {
    const auto open = TRY(caller.files->get(descriptor));
    return open->file->control(caller, request, argument);
}

Result<u64> sys_getdents64(Caller& caller, int descriptor, u64 buffer, u32 size) {
    const auto open = TRY(caller.files->get(descriptor));
    u64 position = open->position.load(kRelaxed);
    IoBuffer user = TRY(user_buffer(buffer, size));
    const u64 done = TRY(open->file->read_directory(&caller, user, position));
    open->position.store(position, kRelaxed);
    return done;
}

} // namespace tollgate
