// A socket as the socket calls see it. AF_UNIX is the only family so far (net/unix_socket.h).
#pragma once

#include "lib/unique_ptr.h"
#include "net/io_list.h"
#include "net/socket_abi.h"
#include "task/process.h"

namespace tollgate::net {

/// A socket address as user code gave it, or is to get it.
struct SocketAddress {
    alignas(8) u8 bytes[kMostAddress] = {};
    u32 size = 0;
    u16 family() const { return size < sizeof(u16) ? kFamilyUnspecified : static_cast<u16>(bytes[0] | bytes[1] << 8); }
};

/// Open files on their way through a socket (SCM_RIGHTS).
class Rights {
public:
    static constexpr u32 kMost = 253; // SCM_MAX_FD
    Rights() = default;
    Rights(const Rights&) = delete;
    Rights& operator=(const Rights&) = delete;
    ~Rights();
    /// Errors: TooManyRefs (too many are on their way in the whole system, or it is more than kMost: Inval).
    Result<void> add(Ref<OpenFile> file);
    u32 count() const { return count_; }
    const Ref<OpenFile>& file(u32 n) const { return files_[n]; }
    /// Descriptors on their way in the whole system.
    static u32 in_flight();

private:
    Ref<OpenFile> files_[kMost];
    u32 count_ = 0;
};

/// What goes out with one send.
struct Sending {
    IoList& data;
    u32 flags = 0;                     ///< MSG_*
    const SocketAddress* to = nullptr; ///< null: the peer
    PeerCredentials credentials{};     ///< the sender's
    Owned<Rights> rights{};
};

/// What comes with one receive.
struct Receiving {
    IoList& data;
    u32 flags = 0;                  ///< MSG_*
    SocketAddress from{};           ///< out
    PeerCredentials credentials{};  ///< out
    bool wants_credentials = false; ///< out: SO_PASSCRED is set
    Owned<Rights> rights{};         ///< out
    u32 message_flags = 0;          ///< out: MSG_TRUNC, MSG_EOR
};

class Socket : public File {
public:
    FileKind kind() const override { return FileKind::Socket; }
    Result<FileStatus> status() const override;

    virtual u16 family() const = 0;
    virtual u32 type() const = 0; ///< SOCK_*
    virtual Result<void> bind(Caller& caller, const SocketAddress& address) = 0;
    virtual Result<void> listen(Caller& caller, int backlog) = 0;
    /// `flags` are the open file's, of which kOpenNonBlock matters; so below.
    virtual Result<Ref<Socket>> accept(u32 flags) = 0;
    virtual Result<void> connect(Caller& caller, const SocketAddress& address, u32 flags) = 0;
    virtual Result<u64> send(Caller* caller, Sending& what, u32 flags) = 0;
    virtual Result<u64> receive(Receiving& what, u32 flags) = 0;
    virtual Result<void> shutdown(int how) = 0;
    virtual void own_address(SocketAddress& to) const = 0;
    virtual Result<void> peer_address(SocketAddress& to) const = 0;
    /// Values up to 16 bytes; the size of what was put.
    virtual Result<u32> get_option(int name, u8 (&value)[16]) = 0;
    virtual Result<void> set_option(int name, const u8 (&value)[16], u32 size) = 0;

protected:
    Socket();

private:
    const u64 inode_;
};

/// The credentials that a caller shows to its peers.
PeerCredentials credentials_of(Caller& caller);

} // namespace tollgate::net
