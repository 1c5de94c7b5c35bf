// One end of AF_UNIX communication: what arrives for a socket, and what the other side may know of it. It outlives its
// socket while somebody still refers to it. Ends never refer to each other; sockets do to their peer's end.
#pragma once

#include "net/unix_collect.h"
#include "net/unix_message.h"
#include "sched/mutex.h"

namespace tollgate::net {

/// An address as bound: a path, or a name that begins with a NUL. Empty: not bound.
struct UnixName {
    static constexpr u32 kMost = 108; // sun_path
    char bytes[kMost];
    u32 size = 0; ///< of bytes; a path's includes its NUL
};

/// A connection that waits for accept(2).
struct UnixPending {
    Ref<UnixEnd> server, client;
    ListLink<UnixPending> link;
};

/// Which ways are shut: this end receives nothing more, or sends nothing more.
inline constexpr u32 kShutReceive = 1, kShutSend = 2, kShutAll = 3;

class UnixEnd : public RefCounted {
public:
    static constexpr u64 kDefaultBuffer = 212992, kLeastBuffer = 4608, kMostBuffer = u64{8} << 20;

    /// Woken with kPollIn and kPollOut.
    WaitQueue changed;

    // --- receiving
    Mutex receiving; ///< whoever copies from the first message
    /// Queues a message. False if this end takes none any more; then the message is still the caller's.
    [[nodiscard]] bool push(UnixMessage& message);
    /// The oldest message, which stays queued; for the holder of `receiving`.
    UnixMessage* front();
    UnixMessage* next(UnixMessage& message);
    /// Takes the oldest message off and frees it; its sender gets room.
    void finish(UnixMessage& message);
    bool has_messages() const { return message_count_.load(kRelaxed) != 0; }
    u64 bytes_queued(bool all);

    // --- sending
    /// Sent and not received yet, in cost; changed by senders and receivers.
    Atomic<u64> outstanding{0};
    Atomic<u64> send_limit{kDefaultBuffer}, receive_limit{kDefaultBuffer};
    bool can_send() const { return outstanding.load(kRelaxed) * 4 <= send_limit.load(kRelaxed); }
    void uncharge(u64 cost);

    // --- state
    Atomic<u32> shut{0};
    Atomic<int> error{0}; ///< an Errno that the next call reports, once
    Atomic<bool> pass_credentials{false};
    Atomic<u64> receive_time{kNoDeadline}, send_time{kNoDeadline}; ///< SO_RCVTIMEO, SO_SNDTIMEO; ns
    void shut_more(u32 ways);
    /// The socket is gone: frees what is queued. Whether there was anything.
    bool close();
    bool is_closed() const { return closed_.load(kAcquire); }
    /// The pending error, which it forgets; 0 if there is none.
    int take_error() { return error.load(kRelaxed) == 0 ? 0 : error.exchange(0, kRelaxed); }

    // --- identity; set before anybody else can ask
    u32 type = 0; ///< SOCK_*
    /// A datagram socket that has connected takes messages from its peer alone; null: from anybody.
    Atomic<const UnixEnd*> only_from{nullptr};
    bool takes_from(const UnixEnd* sender) const {
        const UnixEnd* const only = only_from.load(kAcquire);
        return !only || only == sender;
    }
    PeerCredentials credentials;
    void set_name(const UnixName& name);
    UnixName name() const;
    bool has_name() const { return named_.load(kAcquire); }

    // --- on its way through a socket, itself; under passing_mutex
    UnixPassage passage;
    ListLink<UnixEnd> passing_link;
    /// Calls f(const OpenFile&) for each file in a message that waits here.
    template <class F>
    void for_each_file(F f) {
        Guard guard{lock_};
        for (const UnixMessage& message : messages_)
            for (u32 i = 0; message.rights && i < message.rights->count(); ++i)
                f(*message.rights->file(i));
    }
    void take_messages_with_files(UnixMessages& to);

    // --- a listener's
    /// Errno::ConnRefused if it does not listen; Again if its backlog is full.
    Result<void> push_pending(UnixPending& pending);
    UnixPending* pop_pending();
    void set_backlog(u32 backlog);
    bool listens() const { return listens_.load(kAcquire); }
    bool has_pending() const { return pending_count_.load(kRelaxed) != 0; }
    bool backlog_full() const;

private:
    mutable Spinlock lock_{LockRank::File};
    UnixMessages messages_ GUARDED_BY(lock_);
    Atomic<u32> message_count_{0}, pending_count_{0};
    Atomic<bool> closed_{false}, listens_{false}, named_{false};
    Atomic<u32> backlog_{0};
    UnixName name_ GUARDED_BY(lock_);
    List<UnixPending, &UnixPending::link> pending_ GUARDED_BY(lock_);
};

} // namespace tollgate::net
