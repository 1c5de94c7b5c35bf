// The socket calls that move data: send and receive, one buffer, a message, or many.
#include "cpu/clock.h"
#include "cpu/layout.h"
#include "syscall/broken_pipe.h"
#include "syscall/room.h"
#include "syscall/socket_argument.h"
#include "syscall/socket_control.h"
#include "syscall/time.h"

namespace tollgate {
namespace {

using namespace net;

constexpr u64 kFewVectors = 8, kMostVectors = 1024; // UIO_MAXIOV
constexpr u64 kMostBytes = 0x7ffff000;

using Vectors = Room<IoBuffer, kFewVectors>;

Result<std::span<IoBuffer>> read_vectors(const MessageHeader& header, Vectors& room) {
    if (header.vector_count > kMostVectors)
        return fail(Errno::MsgSize);
    const auto parts = TRY(room.get(header.vector_count));
    u64 total = 0;
    for (u64 i = 0; i < parts.size(); ++i) {
        const IoVector vector = TRY(copy_from_user(UserPtr<const IoVector>(header.vectors).offset(i)));
        if (static_cast<i64>(vector.length) < 0)
            return fail(Errno::Inval);
        TRY(check_user_range(vector.base, vector.length));
        const u64 size = vector.length < kMostBytes - total ? vector.length : kMostBytes - total;
        parts[i] = IoBuffer(vector.base, size);
        total += size;
    }
    return parts;
}

Result<u64> finish_send(Caller& caller, const SocketArgument& socket, u32 flags, Result<u64> outcome) {
    return flags & kMessageNoSignal ? outcome : with_broken_pipe_signal(caller, *socket, outcome);
}

Result<u64> send_message(Caller& caller, const SocketArgument& socket, const MessageHeader& header, u32 flags) {
    Vectors room;
    IoList data(TRY(read_vectors(header, room)));
    SocketAddress to;
    Sending what{data, flags, nullptr, credentials_of(caller), {}};
    if (header.name != 0 && header.name_size != 0) {
        to = TRY(read_address(header.name, static_cast<i32>(header.name_size)));
        what.to = &to;
    }
    TRY(read_control(caller, header, what));
    return finish_send(caller, socket, flags, socket->send(&caller, what, socket.flags()));
}

/// `to` is where the header lies, to be told of name, control data and flags.
Result<u64> receive_message(Caller& caller, const SocketArgument& socket, UserPtr<MessageHeader> to, u32 flags) {
    MessageHeader header = TRY(copy_from_user(UserPtr<const MessageHeader>(to.address())));
    if (static_cast<i32>(header.name_size) < 0)
        return fail(Errno::Inval);
    Vectors room;
    IoList data(TRY(read_vectors(header, room)));
    Receiving what{data, flags};
    const u64 done = TRY(socket->receive(what, socket.flags()));
    header.flags = what.message_flags | (flags & kMessageCloseOnExec);
    if (header.name != 0) {
        const u32 given = what.from.size < header.name_size ? what.from.size : header.name_size;
        TRY(copy_to_user_bytes(header.name, what.from.bytes, given));
        header.name_size = what.from.size;
    }
    TRY(write_control(caller, header, what, flags));
    // Only what recvmsg(2) writes: another thread may be changing the rest.
    const u64 at = to.address();
    if (header.name != 0)
        TRY(copy_to_user(UserPtr<u32>(at + __builtin_offsetof(MessageHeader, name_size)), header.name_size));
    TRY(copy_to_user(UserPtr<u64>(at + __builtin_offsetof(MessageHeader, control_size)), header.control_size));
    TRY(copy_to_user(UserPtr<u32>(at + __builtin_offsetof(MessageHeader, flags)), header.flags));
    return done;
}

Result<IoBuffer> buffer_of(u64 address, u64 size) {
    TRY(check_user_range(address, size));
    return IoBuffer(address, size < kMostBytes ? size : kMostBytes);
}

} // namespace

Result<u64> sys_sendto(Caller& caller, int descriptor, u64 buffer, u64 size, u32 flags, u64 address, i32 address_size) {
    const auto socket = TRY(SocketArgument::of(caller, descriptor));
    IoBuffer part = TRY(buffer_of(buffer, size));
    IoList data({&part, 1});
    SocketAddress to;
    Sending what{data, flags, nullptr, credentials_of(caller), {}};
    if (address != 0) {
        to = TRY(read_address(address, address_size));
        what.to = &to;
    }
    return finish_send(caller, socket, flags, socket->send(&caller, what, socket.flags()));
}

Result<u64> sys_recvfrom(Caller& caller, int descriptor, u64 buffer, u64 size, u32 flags, u64 address,
                         UserPtr<i32> address_size) {
    const auto socket = TRY(SocketArgument::of(caller, descriptor));
    IoBuffer part = TRY(buffer_of(buffer, size));
    IoList data({&part, 1});
    Receiving what{data, flags};
    const u64 done = TRY(socket->receive(what, socket.flags()));
    if (address != 0)
        TRY(write_address(what.from, address, address_size));
    return done;
}

Result<u64> sys_sendmsg(Caller& caller, int descriptor, UserPtr<const MessageHeader> from, u32 flags) {
    const auto socket = TRY(SocketArgument::of(caller, descriptor));
    return send_message(caller, socket, TRY(copy_from_user(from)), flags);
}

Result<u64> sys_recvmsg(Caller& caller, int descriptor, UserPtr<MessageHeader> to, u32 flags) {
    const auto socket = TRY(SocketArgument::of(caller, descriptor));
    return receive_message(caller, socket, to, flags);
}

Result<u64> sys_sendmmsg(Caller& caller, int descriptor, UserPtr<MessageOfMany> messages, u32 count, u32 flags) {
    const auto socket = TRY(SocketArgument::of(caller, descriptor));
    u64 done = 0;
    for (; done < count && done < kMostVectors; ++done) {
        const u64 at = messages.offset(done).address();
        const auto step = [&]() -> Result<void> {
            const auto header = TRY(copy_from_user(UserPtr<const MessageHeader>(at)));
            const u64 sent = TRY(send_message(caller, socket, header, flags));
            return copy_to_user(UserPtr<u32>(at + __builtin_offsetof(MessageOfMany, length)), static_cast<u32>(sent));
        }();
        if (!step && done == 0)
            return fail(step.error());
        if (!step)
            break;
    }
    return done;
}

Result<u64> sys_recvmmsg(Caller& caller, int descriptor, UserPtr<MessageOfMany> messages, u32 count, u32 flags,
                         UserPtr<Timespec> timeout) {
    Deadline deadline = kNoDeadline;
    if (!timeout.is_null())
        deadline = deadline_after(TRY(to_nanoseconds(TRY(copy_from_user(UserPtr<const Timespec>(timeout.address()))))));
    const auto socket = TRY(SocketArgument::of(caller, descriptor));
    u64 done = 0;
    for (; done < count && done < kMostVectors; ++done) {
        const u64 at = messages.offset(done).address();
        const u32 waits_once = done > 0 && (flags & kMessageWaitForOne) ? kMessageDoNotWait : 0;
        const auto step = [&]() -> Result<void> {
            const u64 size = TRY(receive_message(caller, socket, UserPtr<MessageHeader>(at), flags | waits_once));
            return copy_to_user(UserPtr<u32>(at + __builtin_offsetof(MessageOfMany, length)), static_cast<u32>(size));
        }();
        if (!step && done == 0)
            return fail(step.error());
        if (!step)
            break;
        // The time is looked at after each message only, as recvmmsg(2) says under BUGS.
        if (clock_monotonic_ns() >= deadline) {
            ++done;
            break;
        }
    }
    if (!timeout.is_null()) {
        const u64 now = clock_monotonic_ns(), left = deadline > now ? deadline - now : 0;
        (void)copy_to_user(timeout, Timespec{static_cast<i64>(left / kNanosecondsPerSecond),
                                             static_cast<i64>(left % kNanosecondsPerSecond)});
    }
    return done;
}

} // namespace tollgate
