// What an AF_UNIX socket tells about itself: readiness, options, what waits in it.
#include "net/unix_socket.h"

#include "lib/memory.h"

namespace tollgate::net {
namespace {

constexpr u32 kBytesReady = 0x541b, kBytesOut = 0x5411; // FIONREAD, TIOCOUTQ [asm-generic/ioctls.h]

struct Linger {
    i32 on, seconds;
};
struct OptionTime {
    i64 seconds, microseconds;
};
constexpr u64 kNsPerSecond = 1'000'000'000;

/// SO_RCVTIMEO's time: 0 stands for none [man 7 socket]. Errors: Inval, Dom.
Result<u64> time_of(const u8 (&value)[16], u32 size) {
    if (size < sizeof(OptionTime))
        return fail(Errno::Inval);
    OptionTime time;
    memcpy(&time, value, sizeof time);
    if (time.microseconds < 0 || time.microseconds >= 1'000'000)
        return fail(Errno::Dom);
    if (time.seconds < 0)
        return u64{0}; // Linux: does not wait at all
    if (time.seconds == 0 && time.microseconds == 0)
        return kNoDeadline;
    if (time.seconds > i64{1} << 32)
        return kNoDeadline;
    return static_cast<u64>(time.seconds) * kNsPerSecond + static_cast<u64>(time.microseconds) * 1000;
}

u64 buffer_size(int asked) {
    // Linux doubles what is asked for, to have room for its own data, and tells the doubled size.
    const u64 size = static_cast<u64>(asked < 0 ? 0 : asked) * 2;
    if (size < UnixEnd::kLeastBuffer)
        return UnixEnd::kLeastBuffer;
    return size > UnixEnd::kDefaultBuffer * 2 ? UnixEnd::kDefaultBuffer * 2 : size;
}

} // namespace

u32 UnixSocket::ready() {
    UnixEnd& end = *end_;
    const State state = state_.load(kAcquire);
    if (state == State::Listening)
        return end.has_pending() ? kPollIn : 0;
    u32 ready = 0;
    const u32 shut = end.shut.load(kAcquire);
    if (end.error.load(kRelaxed) != 0)
        ready |= kPollError;
    if (shut == kShutAll || (has_connections() && state == State::Fresh))
        ready |= kPollHangUp;
    if (shut & kShutReceive)
        ready |= kPollReadHangUp | kPollIn;
    if (end.has_messages())
        ready |= kPollIn;
    if (end.can_send())
        ready |= kPollOut;
    return ready;
}

Result<u64> UnixSocket::control(Caller&, u32 request, u64 argument) {
    u64 bytes = 0;
    if (request == kBytesReady) {
        if (state_.load(kAcquire) == State::Listening)
            return fail(Errno::Inval);
        bytes = end_->bytes_queued(has_connections());
    } else if (request == kBytesOut) {
        bytes = end_->outstanding.load(kRelaxed);
    } else {
        return fail(Errno::NoTty);
    }
    TRY(copy_to_user(UserPtr<i32>(argument), static_cast<i32>(bytes)));
    return 0;
}

Result<u32> UnixSocket::get_option(int name, u8 (&value)[16]) {
    const auto number = [&](u64 n) {
        const i32 small = static_cast<i32>(n);
        memcpy(value, &small, sizeof small);
        return u32{sizeof small};
    };
    const auto time = [&](u64 ns) {
        const OptionTime split = ns == kNoDeadline ? OptionTime{}
                                                   : OptionTime{static_cast<i64>(ns / kNsPerSecond),
                                                                static_cast<i64>(ns % kNsPerSecond / 1000)};
        memcpy(value, &split, sizeof split);
        return u32{sizeof split};
    };
    switch (name) {
    case kOptionType:
        return number(type_);
    case kOptionDomain:
        return number(kFamilyUnix);
    case kOptionProtocol:
        return number(0);
    case kOptionError:
        return number(static_cast<u64>(end_->take_error()));
    case kOptionAccepts:
        return number(state_.load(kAcquire) == State::Listening);
    case kOptionSendBuffer:
        return number(end_->send_limit.load(kRelaxed));
    case kOptionReceiveBuffer:
        return number(end_->receive_limit.load(kRelaxed));
    case kOptionPassCredentials:
        return number(end_->pass_credentials.load(kRelaxed));
    case kOptionPeerCredentials: {
        PeerCredentials peer{};
        if (has_connections() && is_connected())
            peer = peer_->credentials;
        else if (const Ref<UnixEnd> other = datagram_peer())
            peer = other->credentials;
        memcpy(value, &peer, sizeof peer);
        return u32{sizeof peer};
    }
    case kOptionReceiveTime:
        return time(end_->receive_time.load(kRelaxed));
    case kOptionSendTime:
        return time(end_->send_time.load(kRelaxed));
    case kOptionReceiveLow:
    case kOptionSendLow:
        return number(1);
    case kOptionLinger: {
        const Linger linger{};
        memcpy(value, &linger, sizeof linger);
        return u32{sizeof linger};
    }
    case kOptionDebug:
    case kOptionReuseAddress:
    case kOptionReusePort:
    case kOptionDontRoute:
    case kOptionBroadcast:
    case kOptionKeepAlive:
        return number(0);
    default:
        return fail(Errno::NoProtoOpt);
    }
}

Result<void> UnixSocket::set_option(int name, const u8 (&value)[16], u32 size) {
    if (size < sizeof(i32))
        return fail(Errno::Inval);
    i32 number;
    memcpy(&number, value, sizeof number);
    switch (name) {
    case kOptionSendBuffer:
    case kOptionSendBufferForce:
        end_->send_limit.store(buffer_size(number), kRelaxed);
        end_->changed.wake_all(kPollOut);
        return {};
    case kOptionReceiveBuffer:
    case kOptionReceiveBufferForce:
        end_->receive_limit.store(buffer_size(number), kRelaxed); // remembered; what counts is the sender's
        return {};
    case kOptionPassCredentials:
        end_->pass_credentials.store(number != 0, kRelaxed);
        return {};
    case kOptionReceiveTime:
        end_->receive_time.store(TRY(time_of(value, size)), kRelaxed);
        return {};
    case kOptionSendTime:
        end_->send_time.store(TRY(time_of(value, size)), kRelaxed);
        return {};
    case kOptionDebug:
    case kOptionReuseAddress:
    case kOptionReusePort:
    case kOptionDontRoute:
    case kOptionBroadcast:
    case kOptionKeepAlive:
    case kOptionLinger:
    case kOptionReceiveLow:
        return {}; // accepted: nothing here depends on them
    default:
        return fail(Errno::NoProtoOpt);
    }
}

} // namespace tollgate::net
