// AF_UNIX sockets: streams, datagrams and sequenced packets between processes of this machine [man 7 unix].
#pragma once

#include "net/unix_name.h"

namespace tollgate::net {

class UnixSocket final : public Socket {
public:
    /// A new socket of type SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET. Errno::NoMem.
    static Result<Ref<UnixSocket>> create(u32 type, const PeerCredentials& owner);
    /// socketpair(2).
    static void connect_pair(UnixSocket& a, UnixSocket& b);
    ~UnixSocket() override;

    u16 family() const override { return kFamilyUnix; }
    u32 type() const override { return type_; }
    Result<void> bind(Caller& caller, const SocketAddress& address) override;
    Result<void> listen(Caller& caller, int backlog) override;
    Result<Ref<Socket>> accept(u32 flags) override;
    Result<void> connect(Caller& caller, const SocketAddress& address, u32 flags) override;
    Result<u64> send(Caller* caller, Sending& what, u32 flags) override;
    Result<u64> receive(Receiving& what, u32 flags) override;
    Result<void> shutdown(int how) override;
    void own_address(SocketAddress& to) const override;
    Result<void> peer_address(SocketAddress& to) const override;
    Result<u32> get_option(int name, u8 (&value)[16]) override;
    Result<void> set_option(int name, const u8 (&value)[16], u32 size) override;

    UnixEnd& end() const { return *end_; }

    Result<u64> read(IoBuffer& buffer, u64, u32 flags) override;
    Result<u64> write(IoBuffer& buffer, u64, u32 flags) override;
    u32 ready() override;
    WaitQueue* ready_queue() override { return &end_->changed; }
    Result<u64> control(Caller& caller, u32 request, u64 argument) override;
    bool signals_broken_pipe() const override { return type_ == kTypeStream; }

private:
    enum class State : u8 { Fresh, Listening, Connected };
    template <class T, class... Args>
    friend Result<Ref<T>> tollgate::make_ref(Args&&...);
    UnixSocket(u32 type, Ref<UnixEnd> end) : type_(type), end_(std::move(end)) {}

    bool has_connections() const { return type_ != kTypeDatagram; }
    bool is_connected() const { return state_.load(kAcquire) == State::Connected; }
    void become_connected(Ref<UnixEnd> peer);
    Ref<UnixEnd> datagram_peer() const;
    Result<void> connect_datagrams(Caller& caller, const SocketAddress& address);
    Result<u64> send_stream(Sending& what, u32 flags);
    Result<u64> send_packet(Caller* caller, Sending& what, u32 flags);
    Result<void> wait_for_room(bool may_wait, Deadline deadline);
    Result<u64> receive_stream(Receiving& what, u32 flags);
    Result<u64> receive_packet(Receiving& what, u32 flags);
    void describe(const UnixMessage& message, Receiving& what) const;
    Result<void> hand_over(UnixMessage& message, Receiving& what) const;

    const u32 type_;
    const Ref<UnixEnd> end_;
    Atomic<State> state_{State::Fresh};
    mutable Mutex mutex_; // bind, listen, connect
    Owned<UnixBinding> binding_ GUARDED_BY(mutex_);
    // Of a connection: set once, before state_ says Connected. Of a datagram socket: under the mutex, may change.
    Ref<UnixEnd> peer_;
};

} // namespace tollgate::net
