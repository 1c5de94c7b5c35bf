// Messages lie on the heap: up to kFirst bytes behind the object, the rest in pieces of a page each.
#include "net/unix_message.h"

#include "net/unix_end.h"

namespace tollgate::net {
namespace {

u64 smaller(u64 a, u64 b) { return a < b ? a : b; }

} // namespace

Result<UnixMessage*> UnixMessage::create(u64 size) {
    void* const memory = ::operator new (sizeof(UnixMessage) + smaller(size, kFirst), std::nothrow_t{});
    if (!memory)
        return fail(Errno::NoMem);
    UnixMessage* const message = new (memory) UnixMessage(size);
    Piece** end = &message->more_;
    for (u64 have = kFirst; have < size; have += Piece::kSize) {
        Piece* const piece = new (std::nothrow_t{}) Piece;
        if (!piece) {
            destroy(message);
            return fail(Errno::NoMem);
        }
        *end = piece;
        end = &piece->next;
    }
    return message;
}

UnixMessage::~UnixMessage() {
    while (Piece* const piece = more_) {
        more_ = piece->next;
        delete piece;
    }
}

void UnixMessage::destroy(UnixMessage* message) {
    message->~UnixMessage();
    ::operator delete(message);
}

template <class Move>
Result<void> UnixMessage::each(u64 offset, u64 size, Move move) {
    const u64 in_first = smaller(size_, kFirst);
    if (offset < in_first && size > 0) {
        const u64 count = smaller(size, in_first - offset);
        TRY(move(first() + offset, count));
        size -= count;
        offset += count;
    }
    u64 start = kFirst;
    for (Piece* piece = more_; piece && size > 0; piece = piece->next, start += Piece::kSize) {
        if (offset >= start + Piece::kSize)
            continue;
        const u64 count = smaller(size, start + Piece::kSize - offset);
        TRY(move(piece->bytes + (offset - start), count));
        size -= count;
        offset += count;
    }
    return {};
}

Result<void> UnixMessage::fill(IoList& from) {
    return each(0, size_, [&](u8* to, u64 count) { return from.take(to, count); });
}

Result<void> UnixMessage::copy_out(IoList& to, u64 offset, u64 size) {
    return each(offset, size, [&](const u8* from, u64 count) { return to.put(from, count); });
}

namespace {

/// Messages that carry open files and wait to be freed. Global, like the files they carry, which may be anybody's.
constinit Spinlock garbage_lock{LockRank::File};
constinit UnixMessages garbage GUARDED_BY(garbage_lock);
constinit bool freeing GUARDED_BY(garbage_lock) = false;

} // namespace

void destroy_messages(UnixMessages& messages) {
    bool with_files = false;
    while (UnixMessage* const message = messages.pop_front()) {
        if (!message->rights) {
            UnixMessage::destroy(message);
            continue;
        }
        with_files = true;
        Guard guard{garbage_lock};
        garbage.push_back(*message);
    }
    if (!with_files)
        return;
    {
        Guard guard{garbage_lock};
        if (freeing)
            return; // we are inside of such a call, or another CPU is in one: it frees ours too
        freeing = true;
    }
    for (;;) {
        UnixMessage* message;
        {
            Guard guard{garbage_lock};
            message = garbage.pop_front();
            if (!message) {
                freeing = false;
                return;
            }
        }
        UnixMessage::destroy(message);
    }
}

} // namespace tollgate::net
