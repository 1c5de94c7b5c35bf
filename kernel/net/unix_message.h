// One message, or one piece of a stream, on its way through an AF_UNIX socket: its bytes, who sent it, and what it
// carries.
#pragma once

#include "net/socket.h"

namespace tollgate::net {

class UnixEnd;

class UnixMessage {
public:
    /// Bytes that lie in the message itself; longer ones get further pieces. A message of that size fills a page.
    static constexpr u64 kFirst = 3800;
    /// What a message costs its sender beyond its bytes, so that many empty ones do not fill the memory.
    static constexpr u64 kOverhead = 128;

    /// Room for `size` bytes. Errno::NoMem.
    static Result<UnixMessage*> create(u64 size);
    static void destroy(UnixMessage* message);

    /// Copies all of its bytes in. Errno::Fault.
    Result<void> fill(IoList& from);
    /// Copies `size` bytes from `offset` on out. Errno::Fault.
    Result<void> copy_out(IoList& to, u64 offset, u64 size);

    u64 size() const { return size_; }
    u64 cost() const { return size_ + kOverhead; }

    u64 read = 0;        ///< what of a stream's piece is gone; under the receiver's mutex
    Ref<UnixEnd> sender; ///< who is charged for it
    PeerCredentials credentials;
    Owned<Rights> rights;
    ListLink<UnixMessage> link;

private:
    struct Piece {
        static constexpr u64 kSize = 4056;
        Piece* next = nullptr;
        u8 bytes[kSize];
    };
    explicit UnixMessage(u64 size) : size_(size) {}
    ~UnixMessage();
    u8* first() { return reinterpret_cast<u8*>(this + 1); }
    template <class Move>
    Result<void> each(u64 offset, u64 size, Move move);

    const u64 size_;
    Piece* more_ = nullptr;
};

using UnixMessages = List<UnixMessage, &UnixMessage::link>;

/// Frees messages. A message may hold the last reference to a socket, which has messages of its own, and so on: they
/// are freed one after the other, not by recursion.
void destroy_messages(UnixMessages& messages);

} // namespace tollgate::net
