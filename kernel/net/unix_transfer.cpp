// Moving data through AF_UNIX sockets. A sender copies its bytes into a message first and then queues it; a receiver
// copies out of the oldest message, which only the holder of the end's `receiving` takes off.
#include "net/unix_socket.h"
#include "sched/timer.h"

namespace tollgate::net {
namespace {

constexpr u64 kStreamPiece = UnixMessage::kFirst;

u64 smaller(u64 a, u64 b) { return a < b ? a : b; }

bool may_wait(u32 message_flags, u32 open_flags) {
    return !(message_flags & kMessageDoNotWait) && !(open_flags & kOpenNonBlock);
}

/// What the end of a wait means for a socket call: a time that the socket itself sets is EAGAIN, and a call with such a
/// time is not made again [man 7 signal].
Errno wait_error(Errno error, Deadline deadline) {
    if (error == Errno::TimedOut)
        return Errno::Again;
    return error == Errno::RestartSys && deadline != kNoDeadline ? Errno::Intr : error;
}

/// A message with files is queued under the mutex of those who look for such messages.
bool queue(UnixEnd& to, UnixMessage& message) {
    if (!message.rights)
        return to.push(message);
    MutexGuard guard{passing_mutex};
    return to.push(message);
}

struct MessageDestroyer {
    UnixMessage* message;
    ~MessageDestroyer() {
        if (message)
            UnixMessage::destroy(message);
    }
};

} // namespace

/// Waits until more may be sent. Errors: Pipe (our side is shut), Again.
Result<void> UnixSocket::wait_for_room(bool wait, Deadline deadline) {
    UnixEnd& end = *end_;
    const auto full = [&] { return end.outstanding.load(kRelaxed) >= end.send_limit.load(kRelaxed); };
    for (;;) {
        if (end.shut.load(kAcquire) & kShutSend)
            return fail(Errno::Pipe);
        if (!full())
            return {};
        if (!wait)
            return fail(Errno::Again);
        const auto waited = end.changed.wait_while([&] { return full() && !(end.shut.load(kRelaxed) & kShutSend); },
                                                   deadline, kPollOut);
        if (!waited)
            return fail(wait_error(waited.error(), deadline));
    }
}

Result<u64> UnixSocket::send(Caller* caller, Sending& what, u32 flags) {
    if (what.flags & kMessageOutOfBand)
        return fail(Errno::NotSup);
    if (has_connections()) {
        if (what.to && type_ == kTypeStream)
            return fail(is_connected() ? Errno::IsConn : Errno::NotSup);
        if (!is_connected()) {
            if (end_->shut.load(kAcquire) & kShutSend)
                return fail(Errno::Pipe);
            return fail(Errno::NotConn);
        }
    }
    return type_ == kTypeStream ? send_stream(what, flags) : send_packet(caller, what, flags);
}

Result<u64> UnixSocket::send_stream(Sending& what, u32 flags) {
    const bool wait = may_wait(what.flags, flags);
    const Deadline deadline = deadline_after(end_->send_time.load(kRelaxed));
    u64 done = 0;
    while (what.data.size() > 0) {
        const auto step = [&]() -> Result<u64> {
            TRY(wait_for_room(wait, deadline));
            const u64 size = smaller(what.data.size(), kStreamPiece);
            MessageDestroyer message { TRY(UnixMessage::create(size)) };
            TRY(message.message->fill(what.data));
            message.message->sender = end_;
            message.message->credentials = what.credentials;
            message.message->rights = std::move(what.rights);
            const u64 cost = message.message->cost();
            end_->outstanding.fetch_add(cost, kRelaxed);
            if (!queue(*peer_, *message.message)) {
                end_->outstanding.fetch_sub(cost, kRelaxed);
                return fail(Errno::Pipe);
            }
            message.message = nullptr;
            return size;
        }();
        if (!step && done == 0)
            return step;
        if (!step)
            break;
        done += *step;
    }
    return done;
}

Result<u64> UnixSocket::send_packet(Caller* caller, Sending& what, u32 flags) {
    const u64 size = what.data.size();
    if (size > end_->send_limit.load(kRelaxed) - 32)
        return fail(Errno::MsgSize);
    Ref<UnixEnd> to;
    if (what.to && type_ == kTypeDatagram && caller)
        to = TRY(UnixBinding::find(*caller, *what.to, type_));
    else
        to = has_connections() ? peer_ : datagram_peer();
    if (!to)
        return fail(Errno::NotConn);
    if (to->type != type_)
        return fail(Errno::Prototype);
    if (!to->takes_from(end_.get()))
        return fail(Errno::Perm);
    TRY(wait_for_room(may_wait(what.flags, flags), deadline_after(end_->send_time.load(kRelaxed))));
    MessageDestroyer message { TRY(UnixMessage::create(size)) };
    TRY(message.message->fill(what.data));
    message.message->sender = end_;
    message.message->credentials = what.credentials;
    message.message->rights = std::move(what.rights);
    const u64 cost = message.message->cost();
    end_->outstanding.fetch_add(cost, kRelaxed);
    if (!queue(*to, *message.message)) {
        end_->outstanding.fetch_sub(cost, kRelaxed);
        return fail(type_ == kTypeDatagram && to->is_closed() ? Errno::ConnRefused : Errno::Pipe);
    }
    message.message = nullptr;
    return size;
}

/// Who sent it, for recvmsg(2).
void UnixSocket::describe(const UnixMessage& message, Receiving& what) const {
    what.credentials = message.credentials;
    what.wants_credentials = end_->pass_credentials.load(kRelaxed);
    if (type_ == kTypeDatagram && message.sender->has_name())
        to_address(message.sender->name(), what.from);
}

/// Gives the receiver what the message carries: the files themselves, or, to one who peeks, the same files once more.
Result<void> UnixSocket::hand_over(UnixMessage& message, Receiving& what) const {
    if (!(what.flags & kMessagePeek)) {
        MutexGuard guard{passing_mutex};
        what.rights = std::move(message.rights);
        return {};
    }
    what.rights = TRY(make_owned<Rights>());
    for (u32 i = 0; i < message.rights->count(); ++i)
        TRY(what.rights->add(message.rights->file(i)));
    return {};
}

Result<u64> UnixSocket::receive(Receiving& what, u32 flags) {
    if (what.flags & kMessageOutOfBand)
        return fail(Errno::NotSup);
    if (has_connections() && !is_connected())
        return fail(type_ == kTypeStream ? Errno::Inval : Errno::NotConn);
    return type_ == kTypeStream ? receive_stream(what, flags) : receive_packet(what, flags);
}

Result<u64> UnixSocket::receive_stream(Receiving& what, u32 flags) {
    if (what.data.size() == 0)
        return 0;
    UnixEnd& end = *end_;
    const Deadline deadline = deadline_after(end.receive_time.load(kRelaxed));
    const bool peek = what.flags & kMessagePeek;
    u64 done = 0;
    bool at_boundary = false; // a receive ends behind what carries files, and before what somebody else has sent
    for (;;) {
        // Asked before we look for bytes: what was sent before the end was shut is seen.
        const u32 shut = end.shut.load(kAcquire);
        {
            MutexGuard guard{end.receiving};
            UnixMessage* message = end.front();
            while (message && what.data.size() > 0 && !at_boundary) {
                if (done > 0 && what.wants_credentials && message->credentials.process != what.credentials.process) {
                    at_boundary = true;
                    break;
                }
                const u64 count = smaller(message->size() - message->read, what.data.size());
                if (const auto copied = message->copy_out(what.data, message->read, count); !copied) {
                    if (done > 0)
                        return done;
                    return fail(copied.error());
                }
                if (done == 0)
                    describe(*message, what);
                if (message->rights) {
                    TRY(hand_over(*message, what));
                    at_boundary = true;
                }
                done += count;
                UnixMessage* next = message;
                if (peek) {
                    next = end.next(*message);
                } else if ((message->read += count) == message->size()) {
                    end.finish(*message);
                    next = end.front();
                }
                message = next;
            }
        }
        if (done > 0 && (!(what.flags & kMessageWaitAll) || peek || at_boundary || what.data.size() == 0))
            return done;
        if (done == 0) {
            if (const int error = end.take_error())
                return fail(static_cast<Errno>(error));
        }
        if (shut & kShutReceive)
            return done;
        Errno error = Errno::Again;
        if (may_wait(what.flags, flags)) {
            const auto waited = end.changed.wait_while(
                [&] {
                    return !end.has_messages() && !(end.shut.load(kRelaxed) & kShutReceive) &&
                           end.error.load(kRelaxed) == 0;
                },
                deadline, kPollIn);
            if (waited)
                continue;
            error = wait_error(waited.error(), deadline);
        }
        if (done > 0)
            return done;
        return fail(error);
    }
}

Result<u64> UnixSocket::receive_packet(Receiving& what, u32 flags) {
    UnixEnd& end = *end_;
    const Deadline deadline = deadline_after(end.receive_time.load(kRelaxed));
    for (;;) {
        const u32 shut = end.shut.load(kAcquire);
        {
            MutexGuard guard{end.receiving};
            if (UnixMessage* const message = end.front()) {
                const u64 count = smaller(message->size(), what.data.size());
                TRY(message->copy_out(what.data, 0, count));
                describe(*message, what);
                if (message->rights)
                    TRY(hand_over(*message, what));
                const u64 size = message->size();
                if (count < size)
                    what.message_flags |= kMessageTruncated;
                if (!(what.flags & kMessagePeek))
                    end.finish(*message);
                return what.flags & kMessageTruncated ? size : count;
            }
        }
        if (const int error = end.take_error())
            return fail(static_cast<Errno>(error));
        if (shut & kShutReceive)
            return 0;
        if (!may_wait(what.flags, flags))
            return fail(Errno::Again);
        const auto waited = end.changed.wait_while(
            [&] {
                return !end.has_messages() && !(end.shut.load(kRelaxed) & kShutReceive) &&
                       end.error.load(kRelaxed) == 0;
            },
            deadline, kPollIn);
        if (!waited)
            return fail(wait_error(waited.error(), deadline));
    }
}

Result<u64> UnixSocket::read(IoBuffer& buffer, u64, u32 flags) {
    IoList list({&buffer, 1});
    Receiving what{list};
    return receive(what, flags);
}

Result<u64> UnixSocket::write(IoBuffer& buffer, u64, u32 flags) {
    IoList list({&buffer, 1});
    // write(2) does not say who calls; it is whoever made the socket, or connected it.
    Sending what{list, 0, nullptr, end_->credentials, {}};
    return send(nullptr, what, flags);
}

} // namespace tollgate::net
