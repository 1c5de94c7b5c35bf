// The socket calls but for those that move data (socket_message.cpp): making sockets, names, connections, options.
#include "syscall/socket_argument.h"

namespace tollgate {
namespace {

using namespace net;

constexpr u32 kTypeFlags = kOpenNonBlock | kOpenCloseOnExec; // SOCK_NONBLOCK and SOCK_CLOEXEC have these values
constexpr i32 kFamilies = 46, kTypes = 11;                   // one beyond the last that Linux numbers

/// A socket(2) type argument. Errors: Inval, AfNoSupport, SocktNoSupport, ProtoNoSupport.
Result<u32> type_of(i32 family, u32 type, i32 protocol) {
    const u32 plain = type & kTypeMask;
    if ((type & ~(kTypeMask | kTypeFlags)) || plain >= kTypes)
        return fail(Errno::Inval);
    if (family < 0 || family >= kFamilies || family != kFamilyUnix)
        return fail(Errno::AfNoSupport);
    if (protocol != 0 && protocol != kFamilyUnix)
        return fail(Errno::ProtoNoSupport);
    if (plain == kTypeRaw) // as in Linux, for old programs
        return kTypeDatagram;
    if (plain != kTypeStream && plain != kTypeDatagram && plain != kTypePacket)
        return fail(Errno::SocktNoSupport);
    return plain;
}

Result<int> add_socket(Caller& caller, Ref<Socket> socket, u32 flags) {
    Ref<File> file = std::move(socket);
    auto open = TRY(make_ref<OpenFile>(std::move(file), kOpenReadWrite | (flags & kOpenNonBlock)));
    return caller.files->add(std::move(open), flags & kOpenCloseOnExec);
}

} // namespace

Result<u64> sys_socket(Caller& caller, i32 family, u32 type, i32 protocol) {
    const u32 plain = TRY(type_of(family, type, protocol));
    Ref<Socket> socket = TRY(UnixSocket::create(plain, credentials_of(caller)));
    return static_cast<u64>(TRY(add_socket(caller, std::move(socket), type)));
}

Result<u64> sys_socketpair(Caller& caller, i32 family, u32 type, i32 protocol, UserPtr<i32> to) {
    const u32 plain = TRY(type_of(family, type, protocol));
    const auto first = TRY(UnixSocket::create(plain, credentials_of(caller)));
    const auto second = TRY(UnixSocket::create(plain, credentials_of(caller)));
    UnixSocket::connect_pair(*first, *second);
    i32 pair[2];
    pair[0] = TRY(add_socket(caller, first, type));
    const auto added = add_socket(caller, second, type);
    if (!added) {
        (void)caller.files->close(pair[0]);
        return fail(added.error());
    }
    pair[1] = *added;
    if (const auto told = copy_to_user_bytes(to.address(), pair, sizeof pair); !told) {
        (void)caller.files->close(pair[0]);
        (void)caller.files->close(pair[1]);
        return fail(told.error());
    }
    return 0;
}

Result<u64> sys_bind(Caller& caller, int descriptor, u64 address, i32 size) {
    const auto open = TRY(SocketArgument::of(caller, descriptor));
    TRY(open->bind(caller, TRY(read_address(address, size))));
    return 0;
}

Result<u64> sys_listen(Caller& caller, int descriptor, i32 backlog) {
    const auto open = TRY(SocketArgument::of(caller, descriptor));
    TRY(open->listen(caller, backlog));
    return 0;
}

Result<u64> sys_accept4(Caller& caller, int descriptor, u64 address, UserPtr<i32> size, u32 flags) {
    if (flags & ~kTypeFlags)
        return fail(Errno::Inval);
    const auto open = TRY(SocketArgument::of(caller, descriptor));
    const Ref<Socket> accepted = TRY(open->accept(open.flags()));
    if (address != 0) {
        SocketAddress peer;
        (void)accepted->peer_address(peer);
        TRY(write_address(peer, address, size)); // a fault loses the connection, as in Linux
    }
    return static_cast<u64>(TRY(add_socket(caller, accepted, flags)));
}

Result<u64> sys_accept(Caller& caller, int descriptor, u64 address, UserPtr<i32> size) {
    return sys_accept4(caller, descriptor, address, size, 0);
}

Result<u64> sys_connect(Caller& caller, int descriptor, u64 address, i32 size) {
    const auto open = TRY(SocketArgument::of(caller, descriptor));
    TRY(open->connect(caller, TRY(read_address(address, size)), open.flags()));
    return 0;
}

Result<u64> sys_shutdown(Caller& caller, int descriptor, i32 how) {
    const auto open = TRY(SocketArgument::of(caller, descriptor));
    TRY(open->shutdown(how));
    return 0;
}

Result<u64> sys_getsockname(Caller& caller, int descriptor, u64 address, UserPtr<i32> size) {
    const auto open = TRY(SocketArgument::of(caller, descriptor));
    SocketAddress own;
    open->own_address(own);
    TRY(write_address(own, address, size));
    return 0;
}

Result<u64> sys_getpeername(Caller& caller, int descriptor, u64 address, UserPtr<i32> size) {
    const auto open = TRY(SocketArgument::of(caller, descriptor));
    SocketAddress peer;
    TRY(open->peer_address(peer));
    TRY(write_address(peer, address, size));
    return 0;
}

Result<u64> sys_setsockopt(Caller& caller, int descriptor, i32 level, i32 name, u64 from, i32 size) {
    const auto open = TRY(SocketArgument::of(caller, descriptor));
    if (size < 0)
        return fail(Errno::Inval);
    if (level != kLevelSocket)
        return fail(Errno::NotSup);
    u8 value[16] = {};
    const u32 known = size < i32{sizeof value} ? static_cast<u32>(size) : u32{sizeof value};
    TRY(copy_from_user_bytes(value, from, known));
    TRY(open->set_option(name, value, known));
    return 0;
}

Result<u64> sys_getsockopt(Caller& caller, int descriptor, i32 level, i32 name, u64 to, UserPtr<i32> size) {
    const auto open = TRY(SocketArgument::of(caller, descriptor));
    if (level != kLevelSocket)
        return fail(Errno::NotSup);
    const i32 room = TRY(copy_from_user(UserPtr<const i32>(size.address())));
    if (room < 0)
        return fail(Errno::Inval);
    u8 value[16] = {};
    const u32 have = TRY(open->get_option(name, value));
    const u32 given = have < static_cast<u32>(room) ? have : static_cast<u32>(room);
    TRY(copy_to_user_bytes(to, value, given));
    TRY(copy_to_user(size, static_cast<i32>(given)));
    return 0;
}

} // namespace tollgate
