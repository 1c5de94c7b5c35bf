// Arguments of the socket calls: descriptors that must be sockets, and addresses.
#pragma once

#include "net/unix_socket.h"
#include "syscall/handlers.h"

namespace tollgate {

/// A descriptor that is a socket; keeps it open.
class SocketArgument {
public:
    /// Errors: BadF, NotSock.
    static Result<SocketArgument> of(Caller& caller, int descriptor) {
        auto open = TRY(caller.files->borrow(descriptor));
        if (open->file->kind() != FileKind::Socket)
            return fail(Errno::NotSock);
        return SocketArgument(std::move(open));
    }
    net::Socket* operator->() const { return static_cast<net::Socket*>(open_->file.get()); }
    net::Socket& operator*() const { return *operator->(); }
    u32 flags() const { return open_->flags(); }

private:
    explicit SocketArgument(BorrowedFile open) : open_(std::move(open)) {}
    BorrowedFile open_;
};

/// Errors: Inval (an impossible size), Fault.
inline Result<net::SocketAddress> read_address(u64 from, i32 size) {
    if (size < 0 || size > static_cast<i32>(net::kMostAddress))
        return fail(Errno::Inval);
    net::SocketAddress address;
    address.size = static_cast<u32>(size);
    TRY(copy_from_user_bytes(address.bytes, from, address.size));
    return address;
}

/// Writes what fits into the room that `size` tells, and then the whole size there. Errors: Inval, Fault.
inline Result<void> write_address(const net::SocketAddress& address, u64 to, UserPtr<i32> size) {
    const i32 room = TRY(copy_from_user(UserPtr<const i32>(size.address())));
    if (room < 0)
        return fail(Errno::Inval);
    const u32 given = address.size < static_cast<u32>(room) ? address.size : static_cast<u32>(room);
    TRY(copy_to_user_bytes(to, address.bytes, given));
    return copy_to_user(size, static_cast<i32>(address.size));
}

} // namespace tollgate
