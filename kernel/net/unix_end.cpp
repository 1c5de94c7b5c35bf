// The queues of an end. Its spinlock guards the lists only; bytes are copied under `receiving`, and every change is
// followed by a wake.
#include "net/unix_end.h"

namespace tollgate::net {

bool UnixEnd::push(UnixMessage& message) {
    {
        Guard guard{lock_};
        if (closed_.load(kRelaxed) || (shut.load(kRelaxed) & kShutReceive))
            return false;
        messages_.push_back(message);
        message_count_.store(static_cast<u32>(messages_.size()), kRelaxed);
    }
    changed.wake_all(kPollIn);
    return true;
}

UnixMessage* UnixEnd::front() {
    Guard guard{lock_};
    return messages_.front();
}

UnixMessage* UnixEnd::next(UnixMessage& message) {
    Guard guard{lock_};
    return messages_.next(message);
}

void UnixEnd::finish(UnixMessage& message) {
    {
        Guard guard{lock_};
        messages_.remove(message);
        message_count_.store(static_cast<u32>(messages_.size()), kRelaxed);
    }
    const Ref<UnixEnd> sender = std::move(message.sender);
    const u64 cost = message.cost();
    if (!message.rights) [[likely]] {
        UnixMessage::destroy(&message);
    } else {
        UnixMessages done;
        done.push_back(message);
        destroy_messages(done);
    }
    sender->uncharge(cost);
}

void UnixEnd::uncharge(u64 cost) {
    const u64 before = outstanding.fetch_sub(cost, kRelaxed);
    const u64 limit = send_limit.load(kRelaxed);
    // Who waits for room hears of it when a good part is free, and not at every message.
    if (before * 4 > limit && (before - cost) * 4 <= limit)
        changed.wake_all(kPollOut);
}

u64 UnixEnd::bytes_queued(bool all) {
    u64 bytes = 0;
    Guard guard{lock_};
    for (const UnixMessage& message : messages_) {
        bytes += message.size() - message.read;
        if (!all)
            break;
    }
    return bytes;
}

void UnixEnd::shut_more(u32 ways) {
    {
        Guard guard{lock_}; // against push(), which must not queue anything after this
        shut.fetch_or(ways, kAcqRel);
    }
    changed.wake_everything();
}

bool UnixEnd::close() {
    UnixMessages left;
    {
        Guard guard{lock_};
        closed_.store(true, kRelease);
        while (UnixMessage* const message = messages_.pop_front())
            left.push_back(*message);
        message_count_.store(0, kRelaxed);
    }
    const bool any = !left.empty();
    for (UnixMessage& message : left)
        message.sender->uncharge(message.cost());
    destroy_messages(left);
    while (UnixPending* const pending = pop_pending()) {
        // It never was accepted: for the client this is a connection that breaks.
        pending->client->error.store(static_cast<int>(Errno::ConnReset), kRelaxed);
        pending->client->shut_more(kShutAll);
        (void)pending->server->close();
        delete pending;
    }
    changed.wake_everything();
    return any;
}

void UnixEnd::take_messages_with_files(UnixMessages& to) {
    Guard guard{lock_};
    for (UnixMessage& message : messages_) {
        if (!message.rights)
            continue;
        messages_.remove(message);
        to.push_back(message);
    }
    message_count_.store(static_cast<u32>(messages_.size()), kRelaxed);
}

void UnixEnd::set_name(const UnixName& name) {
    Guard guard{lock_};
    name_ = name;
    named_.store(true, kRelease);
}

UnixName UnixEnd::name() const {
    Guard guard{lock_};
    return name_;
}

void UnixEnd::set_backlog(u32 backlog) {
    {
        Guard guard{lock_};
        backlog_.store(backlog, kRelaxed);
        listens_.store(true, kRelease);
    }
    changed.wake_all(kPollOut);
}

bool UnixEnd::backlog_full() const {
    // One more than the backlog may wait, as in Linux.
    return pending_count_.load(kRelaxed) > backlog_.load(kRelaxed);
}

Result<void> UnixEnd::push_pending(UnixPending& pending) {
    {
        Guard guard{lock_};
        if (closed_.load(kRelaxed) || !listens_.load(kRelaxed) || (shut.load(kRelaxed) & kShutReceive))
            return fail(Errno::ConnRefused);
        if (backlog_full())
            return fail(Errno::Again);
        pending_.push_back(pending);
        pending_count_.store(static_cast<u32>(pending_.size()), kRelaxed);
    }
    changed.wake_all(kPollIn);
    return {};
}

UnixPending* UnixEnd::pop_pending() {
    UnixPending* pending;
    {
        Guard guard{lock_};
        pending = pending_.pop_front();
        pending_count_.store(static_cast<u32>(pending_.size()), kRelaxed);
    }
    if (pending)
        changed.wake_all(kPollOut);
    return pending;
}

} // namespace tollgate::net
