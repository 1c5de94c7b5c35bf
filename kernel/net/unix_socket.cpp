// How AF_UNIX sockets find each other and part: names, connections, shutdown, options. Moving data is in
// unix_transfer.cpp.
#include "net/unix_socket.h"

#include "sched/timer.h"

namespace tollgate::net {

Result<Ref<UnixSocket>> UnixSocket::create(u32 type, const PeerCredentials& owner) {
    Ref<UnixEnd> end = TRY(make_ref<UnixEnd>());
    end->type = type;
    end->credentials = owner;
    return make_ref<UnixSocket>(type, std::move(end));
}

void UnixSocket::become_connected(Ref<UnixEnd> peer) {
    peer_ = std::move(peer);
    state_.store(State::Connected, kRelease);
}

void UnixSocket::connect_pair(UnixSocket& a, UnixSocket& b) {
    if (!a.has_connections()) {
        a.end_->only_from.store(b.end_.get(), kRelease);
        b.end_->only_from.store(a.end_.get(), kRelease);
    }
    a.become_connected(b.end_);
    b.become_connected(a.end_);
}

// The other side of a connection reads what was sent, then the end. If we leave bytes unread it is told that they are
// lost.
UnixSocket::~UnixSocket() {
    // By hand and first: nobody finds the end any more, so that no connection comes after close() has looked.
    {
        MutexGuard guard{mutex_};
        binding_ = Owned<UnixBinding>();
    }
    const bool unread = end_->close();
    if (has_connections() && is_connected()) {
        if (unread)
            peer_->error.store(static_cast<int>(Errno::ConnReset), kRelaxed);
        peer_->shut_more(kShutAll);
    }
    // Without us, sockets that are on their way may be out of everybody's reach.
    collect_unreachable();
}

Result<void> UnixSocket::bind(Caller& caller, const SocketAddress& address) {
    MutexGuard guard{mutex_};
    if (binding_)
        return fail(Errno::Inval);
    binding_ = TRY(UnixBinding::make(caller, *end_, address));
    return {};
}

Result<void> UnixSocket::listen(Caller& caller, int backlog) {
    constexpr int kMostBacklog = 4096; // net.core.somaxconn
    if (!has_connections())
        return fail(Errno::NotSup);
    MutexGuard guard{mutex_};
    if (!binding_ || is_connected())
        return fail(Errno::Inval);
    end_->credentials = credentials_of(caller);
    state_.store(State::Listening, kRelease);
    end_->set_backlog(static_cast<u32>(backlog < 0 || backlog > kMostBacklog ? kMostBacklog : backlog));
    return {};
}

Result<Ref<Socket>> UnixSocket::accept(u32 flags) {
    if (!has_connections())
        return fail(Errno::NotSup);
    if (state_.load(kAcquire) != State::Listening)
        return fail(Errno::Inval);
    const u64 time = end_->receive_time.load(kRelaxed);
    const Deadline deadline = deadline_after(time);
    for (;;) {
        const bool shut = end_->shut.load(kAcquire) & kShutReceive;
        if (Owned<UnixPending> pending{end_->pop_pending()}) {
            auto socket = make_ref<UnixSocket>(type_, pending->server);
            if (!socket) {
                pending->client->error.store(static_cast<int>(Errno::ConnReset), kRelaxed);
                pending->client->shut_more(kShutAll);
                return fail(socket.error());
            }
            (*socket)->become_connected(pending->client);
            return Ref<Socket>(std::move(*socket));
        }
        if (shut)
            return fail(Errno::Inval);
        if (flags & kOpenNonBlock)
            return fail(Errno::Again);
        const auto waited = end_->changed.wait_while(
            [&] { return !end_->has_pending() && !(end_->shut.load(kRelaxed) & kShutReceive); }, deadline, kPollIn);
        if (!waited && waited.error() == Errno::TimedOut)
            return fail(Errno::Again);
        if (!waited)
            return fail(waited.error());
    }
}

Result<void> UnixSocket::connect_datagrams(Caller& caller, const SocketAddress& address) {
    Ref<UnixEnd> peer; // dropped after the mutex: the old one
    if (address.family() != kFamilyUnspecified) {
        peer = TRY(UnixBinding::find(caller, address, type_));
        if (peer->type != type_)
            return fail(Errno::Prototype);
        if (!peer->takes_from(end_.get()))
            return fail(Errno::Perm);
    }
    MutexGuard guard{mutex_};
    end_->only_from.store(peer.get(), kRelease);
    state_.store(peer ? State::Connected : State::Fresh, kRelease);
    std::swap(peer_, peer);
    return {};
}

Result<void> UnixSocket::connect(Caller& caller, const SocketAddress& address, u32 flags) {
    if (!has_connections())
        return connect_datagrams(caller, address);
    const u64 time = end_->send_time.load(kRelaxed);
    const Deadline deadline = deadline_after(time);
    // Everything that can fail for lack of memory is made before the listener hears of us.
    auto pending = TRY(make_owned<UnixPending>());
    pending->server = TRY(make_ref<UnixEnd>());
    pending->client = end_;
    for (;;) {
        const Ref<UnixEnd> listener = TRY(UnixBinding::find(caller, address, type_));
        {
            MutexGuard guard{mutex_};
            if (state_.load(kRelaxed) != State::Fresh)
                return fail(is_connected() ? Errno::IsConn : Errno::Inval);
            if (listener->type != type_)
                return fail(listener->listens() || listener->type == kTypeDatagram ? Errno::Prototype
                                                                                   : Errno::ConnRefused);
            UnixEnd& server = *pending->server;
            server.type = type_;
            server.credentials = listener->credentials;
            server.pass_credentials.store(listener->pass_credentials.load(kRelaxed), kRelaxed);
            server.set_name(listener->name());
            end_->credentials = credentials_of(caller);
            Ref<UnixEnd> peer = pending->server;
            const auto pushed = listener->push_pending(*pending);
            if (pushed) {
                (void)pending.release(); // the listener's now
                become_connected(std::move(peer));
                return {};
            }
            if (pushed.error() != Errno::Again || (flags & kOpenNonBlock))
                return fail(pushed.error());
        }
        const auto waited = listener->changed.wait_while(
            [&] { return listener->listens() && !listener->is_closed() && listener->backlog_full(); }, deadline,
            kPollOut);
        if (!waited && waited.error() == Errno::TimedOut)
            return fail(Errno::Again);
        if (!waited)
            return fail(waited.error());
    }
}

Result<void> UnixSocket::shutdown(int how) {
    if (how < kShutRead || how > kShutBoth)
        return fail(Errno::Inval);
    u32 ours = 0, theirs = 0;
    if (how != kShutWrite) {
        ours |= kShutReceive;
        theirs |= kShutSend;
    }
    if (how != kShutRead) {
        ours |= kShutSend;
        theirs |= kShutReceive;
    }
    end_->shut_more(ours);
    if (has_connections() && is_connected())
        peer_->shut_more(theirs);
    return {};
}

void UnixSocket::own_address(SocketAddress& to) const { to_address(end_->name(), to); }

Ref<UnixEnd> UnixSocket::datagram_peer() const {
    MutexGuard guard{mutex_};
    return peer_;
}

Result<void> UnixSocket::peer_address(SocketAddress& to) const {
    if (!is_connected())
        return fail(Errno::NotConn);
    const Ref<UnixEnd> peer = datagram_peer();
    if (!peer)
        return fail(Errno::NotConn);
    to_address(peer->name(), to);
    return {};
}

} // namespace tollgate::net
