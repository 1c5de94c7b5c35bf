// Moving bytes from one open file to another without user memory: sendfile(2) and its relatives, as copies through a
// page of the kernel's.
#include "lib/unique_ptr.h"
#include "syscall/broken_pipe.h"
#include "syscall/handlers.h"

namespace tollgate {
namespace {

constexpr u64 kPiece = 4096, kMostBytes = 0x7ffff000;

struct Piece {
    u8 bytes[kPiece];
};

/// Writes kernel bytes where the open file stands, and moves its position on.
Result<u64> write_bytes(OpenFile& to, u8* bytes, u64 size) {
    IoBuffer buffer = IoBuffer::of_kernel(bytes, size);
    if (!to.file->seekable())
        return to.file->write(buffer, 0, to.flags());
    const u64 position = to.position.load(kRelaxed);
    const u64 done = TRY(to.file->write(buffer, position, to.flags()));
    to.position.store(position + done, kRelaxed);
    return done;
}

/// Copies up to `count` bytes from an offset, which moves by what has arrived.
Result<u64> copy_bytes(OpenFile& from, u64& offset, OpenFile& to, u64 count) {
    const auto piece = TRY(make_owned<Piece>());
    u64 done = 0;
    while (done < count) {
        const u64 wanted = count - done < kPiece ? count - done : kPiece;
        IoBuffer buffer = IoBuffer::of_kernel(piece->bytes, wanted);
        const auto read = from.file->read(buffer, offset, from.flags());
        if (!read && done == 0)
            return read;
        if (!read || *read == 0)
            break;
        const auto written = write_bytes(to, piece->bytes, *read);
        if (!written && done == 0)
            return written;
        if (!written)
            break;
        offset += *written;
        done += *written;
        if (*written < *read)
            break;
    }
    return done;
}

} // namespace

Result<u64> sys_sendfile(Caller& caller, int out, int in, UserPtr<i64> offset, u64 count) {
    const auto from = TRY(caller.files->borrow(in));
    if (!from->readable())
        return fail(Errno::BadF);
    const auto to = TRY(caller.files->borrow(out));
    if (!to->writable())
        return fail(Errno::BadF);
    if (!from->file->seekable() || (to->flags() & kOpenAppend))
        return fail(Errno::Inval);
    u64 position = from->position.load(kRelaxed);
    if (!offset.is_null()) {
        const i64 start = TRY(copy_from_user(UserPtr<const i64>(offset.address())));
        if (start < 0)
            return fail(Errno::Inval);
        position = static_cast<u64>(start);
    }
    const u64 done = TRY(with_broken_pipe_signal(
        caller, *to->file, copy_bytes(*from, position, *to, count < kMostBytes ? count : kMostBytes)));
    if (offset.is_null())
        from->position.store(position, kRelaxed);
    else
        TRY(copy_to_user(offset, static_cast<i64>(position)));
    return done;
}

/// These move pages between pipes and files. Programs that use them fall back to copying when a file cannot do it.
Result<u64> sys_splice(Caller& caller, int in, u64, int out) {
    TRY(caller.files->borrow(in));
    TRY(caller.files->borrow(out));
    return fail(Errno::Inval);
}
Result<u64> sys_tee(Caller& caller, int in, int out) { return sys_splice(caller, in, 0, out); }
Result<u64> sys_vmsplice(Caller& caller, int descriptor) { return sys_splice(caller, descriptor, 0, descriptor); }

} // namespace tollgate
