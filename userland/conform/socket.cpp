// AF_UNIX sockets against unix(7), socket(7) and the manual pages of the socket calls: streams, connections, options.
// Datagrams and what messages carry are in socket_messages.cpp.
#include <cstddef>
#include <initializer_list>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "userland/conform/socket_support.h"

using namespace tollgate;
using namespace tollgate::ipc;

namespace {

char big[400000], back[400000];

short state(int descriptor) {
    pollfd file{descriptor, POLLIN | POLLOUT | POLLRDHUP, 0};
    return poll(&file, 1, 0) < 0 ? -1 : file.revents;
}

int listener(const char* text, int type = SOCK_STREAM, int backlog = 8) {
    const int socket_ = socket(AF_UNIX, type, 0);
    const socklen_t size = name(text);
    if (bind(socket_, to_address(), size) != 0 || listen(socket_, backlog) != 0)
        return -1;
    return socket_;
}
int connected(const char* text, int type = SOCK_STREAM) {
    const int socket_ = socket(AF_UNIX, type, 0);
    const socklen_t size = name(text);
    return connect(socket_, to_address(), size) == 0 ? socket_ : -1;
}

void making(Ktap& ktap) {
    const int plain = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ktap.check(plain >= 0 && fcntl(plain, F_GETFD) == FD_CLOEXEC, "close-on-exec");
    ktap.check(fcntl(plain, F_GETFL) == (O_RDWR | O_NONBLOCK), "%#x", fcntl(plain, F_GETFL));
    ktap.test("socket and its flags");
    struct stat status {};
    ktap.test("fstat says socket", fstat(plain, &status) == 0 && S_ISSOCK(status.st_mode));
    fails(ktap, "lseek: ESPIPE", lseek(plain, 0, SEEK_CUR), ESPIPE);
    fails(ktap, "a family that is none: EAFNOSUPPORT", socket(45, SOCK_STREAM, 0), EAFNOSUPPORT);
    fails(ktap, "a type that is none: EINVAL", socket(AF_UNIX, 0xf, 0), EINVAL);
    fails(ktap, "a type of other families: ESOCKTNOSUPPORT", socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
    fails(ktap, "a protocol: EPROTONOSUPPORT", socket(AF_UNIX, SOCK_STREAM, 6), EPROTONOSUPPORT);
    fails(ktap, "flags that are none: EINVAL", socket(AF_UNIX, SOCK_STREAM | 0x100000, 0), EINVAL);
    fails(ktap, "socketpair at a bad address: EFAULT", syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8), EFAULT);
    const int file = open("/dev/null", O_RDWR);
    fails(ktap, "send to what is no socket: ENOTSOCK", send(file, "x", 1, 0), ENOTSOCK);
    fails(ktap, "bind of what is no socket: ENOTSOCK", bind(file, to_address(), name("x")), ENOTSOCK);
    close(file);
    fails(ktap, "bind of nothing: EBADF", bind(file, to_address(), name("x")), EBADF);
    ktap.test("a fresh stream: POLLOUT | POLLHUP", state(plain) == (POLLOUT | POLLHUP));
    fails(ktap, "sending without a peer: ENOTCONN", send(plain, "x", 1, MSG_NOSIGNAL), ENOTCONN);
    fails(ktap, "receiving without a peer: EINVAL", recv(plain, back, 1, 0), EINVAL);
    fails(
        ktap, "getpeername without a peer: ENOTCONN",
        [&] {
            socklen_t size = sizeof address;
            return getpeername(plain, to_address(), &size);
        }(),
        ENOTCONN);
    gives(ktap, "shutdown without a peer", shutdown(plain, SHUT_RDWR), 0);
    close(plain);
}

void options(Ktap& ktap) {
    Pair pair(SOCK_STREAM);
    int value = 0;
    socklen_t size = sizeof value;
    ktap.test("SO_TYPE",
              getsockopt(pair.a, SOL_SOCKET, SO_TYPE, &value, &size) == 0 && value == SOCK_STREAM && size == 4);
    ktap.test("SO_DOMAIN", getsockopt(pair.a, SOL_SOCKET, SO_DOMAIN, &value, &size) == 0 && value == AF_UNIX);
    ktap.test("SO_ERROR", getsockopt(pair.a, SOL_SOCKET, SO_ERROR, &value, &size) == 0 && value == 0);
    ktap.test("SO_ACCEPTCONN", getsockopt(pair.a, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value == 0);
    ucred peer{};
    size = sizeof peer;
    ktap.check(getsockopt(pair.a, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == getpid() &&
                   peer.uid == getuid() && peer.gid == getgid() && size == sizeof peer,
               "pid %d", peer.pid);
    ktap.test("SO_PEERCRED");
    value = 20000;
    ktap.check(setsockopt(pair.a, SOL_SOCKET, SO_SNDBUF, &value, sizeof value) == 0, "set");
    size = sizeof value;
    ktap.check(getsockopt(pair.a, SOL_SOCKET, SO_SNDBUF, &value, &size) == 0 && value == 40000, "%d", value);
    ktap.test("SO_SNDBUF is doubled");
    value = 1;
    ktap.test("SO_REUSEADDR is accepted", setsockopt(pair.a, SOL_SOCKET, SO_REUSEADDR, &value, sizeof value) == 0);
    fails(ktap, "an option of 2 bytes: EINVAL", setsockopt(pair.a, SOL_SOCKET, SO_SNDBUF, &value, 2), EINVAL);
    fails(ktap, "an option that is none: ENOPROTOOPT", setsockopt(pair.a, SOL_SOCKET, 9999, &value, sizeof value),
          ENOPROTOOPT);
    fails(ktap, "of another level: EOPNOTSUPP", setsockopt(pair.a, 6, 1, &value, sizeof value), EOPNOTSUPP);
    fails(ktap, "at a bad address: EFAULT", setsockopt(pair.a, SOL_SOCKET, SO_SNDBUF, bad(8), 4), EFAULT);
    fails(ktap, "getsockopt at a bad address: EFAULT", getsockopt(pair.a, SOL_SOCKET, SO_TYPE, bad(8), &size), EFAULT);
    const timeval time{0, 30000};
    ktap.check(setsockopt(pair.a, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0, "set");
    const long start = now_ms();
    fails(ktap, "SO_RCVTIMEO ends a receive: EAGAIN", recv(pair.a, back, 1, 0), EAGAIN);
    ktap.test("not early", now_ms() - start >= 29);
    timeval told{};
    size = sizeof told;
    ktap.check(getsockopt(pair.a, SOL_SOCKET, SO_RCVTIMEO, &told, &size) == 0 && told.tv_sec == 0 &&
                   told.tv_usec >= 30000,
               "%ld", told.tv_usec);
    ktap.test("and is told");
    ktap.check(setsockopt(pair.b, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) == 0, "set");
    long sent = 0, part;
    while ((part = send(pair.b, big, 30000, 0)) > 0)
        sent += part;
    ktap.test("SO_SNDTIMEO ends a send: EAGAIN", part == -1 && errno == EAGAIN && sent > 30000);
}

void streams(Ktap& ktap) {
    std::signal(SIGPIPE, SIG_IGN);
    Pair pair(SOCK_STREAM);
    ktap.test("a pair: writable", state(pair.a) == POLLOUT);
    ktap.check(write(pair.a, "hello", 5) == 5 && read(pair.b, back, 10) == 5 && std::memcmp(back, "hello", 5) == 0,
               "a to b");
    ktap.check(send(pair.b, "world", 5, 0) == 5 && recv(pair.a, back, 3, 0) == 3 && recv(pair.a, back + 3, 9, 0) == 2 &&
                   std::memcmp(back, "world", 5) == 0,
               "b to a");
    ktap.test("bytes in both directions");
    ktap.check(write(pair.a, "ab", 2) == 2 && write(pair.a, "cd", 2) == 2 && read(pair.b, back, 10) == 4, "one read");
    ktap.test("a stream has no borders");
    ktap.check(send(pair.a, "peek", 4, 0) == 4, "send");
    gives(ktap, "MSG_PEEK", recv(pair.b, back, 10, MSG_PEEK), 4);
    int waiting = 0;
    ktap.test("leaves the bytes", ioctl(pair.b, FIONREAD, &waiting) == 0 && waiting == 4);
    gives(ktap, "for the next", recv(pair.b, back, 10, 0), 4);
    fails(ktap, "MSG_DONTWAIT: EAGAIN", recv(pair.b, back, 1, MSG_DONTWAIT), EAGAIN);
    gives(ktap, "sending nothing", send(pair.a, big, 0, 0), 0);
    fails(ktap, "an address on a connection: EISCONN", sendto(pair.a, "x", 1, 0, to_address(), name("x")), EISCONN);
    for (const auto bad_address : kBadPointers) {
        const long result = send(pair.a, bad(bad_address), 4, 0);
        ktap.check(result == -1 && errno == EFAULT, "from %#lx: %ld, errno %d", bad_address, result, errno);
    }
    ktap.check(ioctl(pair.b, FIONREAD, &waiting) == 0 && waiting == 0, "%d", waiting);
    ktap.test("sending from bad addresses: EFAULT, and nothing arrives");
    ktap.check(send(pair.a, "keep", 4, 0) == 4, "send");
    for (const auto bad_address : kBadPointers) {
        const long result = recv(pair.b, bad(bad_address), 4, 0);
        ktap.check(result == -1 && errno == EFAULT, "to %#lx: %ld, errno %d", bad_address, result, errno);
    }
    ktap.check(recv(pair.b, back, 4, 0) == 4 && std::memcmp(back, "keep", 4) == 0, "lost");
    ktap.test("receiving at bad addresses: EFAULT, and no byte is lost");
    const pid_t writer = child([&] {
        for (int i = 0; i < 4; ++i) {
            pause_ms(5);
            if (write(pair.a, "1234", 4) != 4)
                return false;
        }
        return true;
    });
    gives(ktap, "MSG_WAITALL waits for all", recv(pair.b, back, 16, MSG_WAITALL), 16);
    ended_well(writer);
    for (unsigned i = 0; i < sizeof big; ++i)
        big[i] = static_cast<char>(i * 31 + i / 509);
    const pid_t sender = child([&] { return write(pair.a, big, sizeof big) == sizeof big; });
    std::size_t have = 0;
    while (have < sizeof back) {
        const ssize_t part = read(pair.b, back + have, 7777);
        if (part <= 0)
            break;
        have += static_cast<std::size_t>(part);
    }
    ktap.check(have == sizeof big && std::memcmp(big, back, sizeof big) == 0, "%zu", have);
    ktap.check(ended_well(sender), "sender");
    ktap.test("a large write goes through whole");
    fcntl(pair.a, F_SETFL, O_NONBLOCK);
    long sent = 0, part;
    while ((part = write(pair.a, big, 10000)) > 0)
        sent += part;
    ktap.check(errno == EAGAIN && sent >= 50000 && sent < 1000000, "%ld bytes", sent);
    ktap.check((state(pair.a) & POLLOUT) == 0, "%#x", state(pair.a));
    ktap.test("a full stream: EAGAIN, not writable");
    while (sent > 0)
        sent -= read(pair.b, back, sizeof back);
    ktap.test("writable again when it is read", state(pair.a) == POLLOUT);
}

void ends(Ktap& ktap) {
    {
        Pair pair(SOCK_STREAM);
        ktap.check(write(pair.a, "rest", 4) == 4, "write");
        gives(ktap, "shutdown", shutdown(pair.a, SHUT_WR), 0);
        fails(ktap, "then sending: EPIPE", send(pair.a, "x", 1, MSG_NOSIGNAL), EPIPE);
        ktap.test("the peer: POLLIN | POLLRDHUP", state(pair.b) == (POLLIN | POLLRDHUP | POLLOUT));
        gives(ktap, "it gets the rest", read(pair.b, back, 10), 4);
        gives(ktap, "then the end", read(pair.b, back, 10), 0);
        ktap.test("the other direction works", write(pair.b, "y", 1) == 1 && read(pair.a, back, 1) == 1);
        fails(ktap, "a way that is none: EINVAL", shutdown(pair.a, 3), EINVAL);
        ktap.check(shutdown(pair.a, SHUT_RD) == 0, "shutdown");
        fails(ktap, "after SHUT_RD of the peer: EPIPE", send(pair.b, "x", 1, MSG_NOSIGNAL), EPIPE);
        ktap.test("both shut: POLLHUP", state(pair.a) & POLLHUP);
    }
    {
        Pair pair(SOCK_STREAM);
        ktap.check(write(pair.a, "rest", 4) == 4, "write");
        close(pair.a);
        pair.a = -1;
        ktap.test("a closed peer: POLLIN | POLLOUT | POLLHUP | POLLRDHUP",
                  state(pair.b) == (POLLIN | POLLOUT | POLLHUP | POLLRDHUP));
        gives(ktap, "what it sent arrives", read(pair.b, back, 10), 4);
        gives(ktap, "then the end", read(pair.b, back, 10), 0);
        fails(ktap, "sending to it: EPIPE", send(pair.b, "x", 1, MSG_NOSIGNAL), EPIPE);
        signals_seen = 0;
        count_signal(SIGPIPE);
        const long result = write(pair.b, "x", 1);
        ktap.test("and SIGPIPE without MSG_NOSIGNAL", result == -1 && errno == EPIPE && signals_seen == 1);
        std::signal(SIGPIPE, SIG_IGN);
    }
    {
        Pair pair(SOCK_STREAM);
        ktap.check(write(pair.b, "unread", 6) == 6, "write");
        close(pair.a);
        pair.a = -1;
        fails(ktap, "the peer left bytes unread: ECONNRESET", read(pair.b, back, 1), ECONNRESET);
        gives(ktap, "once", read(pair.b, back, 1), 0);
    }
    {
        Pair pair(SOCK_STREAM);
        const pid_t closer = child([&] {
            close(pair.b);
            pause_ms(20);
            close(pair.a);
            return true;
        });
        close(pair.a);
        pair.a = -1;
        ktap.check(read(pair.b, back, 1) == 0, "read");
        ktap.check(ended_well(closer), "child");
        ktap.test("a waiting receiver sees the peer go");
    }
    {
        Pair pair(SOCK_STREAM);
        const pid_t victim = child([&] { return read(pair.a, back, 1) == 1; });
        pause_ms(20);
        kill(victim, SIGKILL);
        int status = 0;
        waitpid(victim, &status, 0);
        ktap.test("SIGKILL ends a waiting receiver", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
}

void connections(Ktap& ktap) {
    fails(
        ktap, "connect to nobody: ECONNREFUSED",
        [&] {
            const int plain = socket(AF_UNIX, SOCK_STREAM, 0);
            const int result = connect(plain, to_address(), name("nobody"));
            const int error = errno;
            close(plain);
            errno = error;
            return result;
        }(),
        ECONNREFUSED);
    const int server = listener("server", SOCK_STREAM, 1);
    ktap.test("bind and listen", server >= 0);
    int value = 0;
    socklen_t size = sizeof value;
    ktap.test("SO_ACCEPTCONN", getsockopt(server, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value == 1);
    ktap.test("a listener is not ready", state(server) == 0);
    fails(ktap, "bind again: EINVAL", bind(server, to_address(), name("other")), EINVAL);
    const int rival = socket(AF_UNIX, SOCK_STREAM, 0);
    fails(ktap, "a name that is taken: EADDRINUSE", bind(rival, to_address(), name("server")), EADDRINUSE);
    fails(ktap, "listen without a name: EINVAL", listen(rival, 1), EINVAL);
    fails(ktap, "accept without listen: EINVAL", accept(rival, nullptr, nullptr), EINVAL);
    fails(
        ktap, "an address of another family: EINVAL",
        [&] {
            const socklen_t length = name("server");
            address.sun_family = AF_INET;
            return connect(rival, to_address(), length);
        }(),
        EINVAL);
    fails(ktap, "an address that is too long: EINVAL", bind(rival, to_address(), sizeof address + 1), EINVAL);
    fails(ktap, "an address at a bad address: EFAULT", bind(rival, static_cast<sockaddr*>(bad(8)), 20), EFAULT);
    fcntl(server, F_SETFL, O_NONBLOCK);
    fails(ktap, "accept without a client: EAGAIN", accept(server, nullptr, nullptr), EAGAIN);
    const int client = connected("server");
    ktap.test("connect comes back before accept", client >= 0);
    ktap.test("the listener is readable", state(server) == POLLIN);
    ktap.check(write(client, "early", 5) == 5, "write");
    sockaddr_un from{};
    size = sizeof from;
    const int served = accept4(server, reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    ktap.check(served >= 0 && fcntl(served, F_GETFD) == FD_CLOEXEC && (fcntl(served, F_GETFL) & O_NONBLOCK), "flags");
    ktap.check(from.sun_family == AF_UNIX && size == sizeof(sa_family_t), "size %u", size);
    ktap.test("accept4, of a client without a name");
    ktap.test("what was sent before is there", read(served, back, 10) == 5);
    sockaddr_un own{};
    size = sizeof own;
    const socklen_t expected = name("server");
    ktap.check(getsockname(served, reinterpret_cast<sockaddr*>(&own), &size) == 0 && size == expected &&
                   std::memcmp(&own, &address, size) == 0,
               "size %u", size);
    size = sizeof own;
    ktap.check(getpeername(client, reinterpret_cast<sockaddr*>(&own), &size) == 0 && size == expected, "size %u", size);
    ktap.test("getsockname and getpeername");
    size = 3;
    ktap.check(getpeername(client, reinterpret_cast<sockaddr*>(&own), &size) == 0 && size == expected, "size %u", size);
    ktap.test("a short buffer is told the whole size");
    fails(ktap, "connect again: EISCONN", connect(client, to_address(), name("server")), EISCONN);
    ucred peer{};
    size = sizeof peer;
    ktap.test("SO_PEERCRED of a client",
              getsockopt(served, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == getpid());
    close(served);
    // The backlog of 1 lets two wait.
    const int one = connected("server"), two = connected("server");
    const int three = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ktap.check(one >= 0 && two >= 0, "two wait");
    fails(ktap, "a full backlog: EAGAIN", connect(three, to_address(), name("server")), EAGAIN);
    const socklen_t wanted = name("server");
    const pid_t blocked = child([&] {
        const int late = socket(AF_UNIX, SOCK_STREAM, 0);
        return connect(late, to_address(), wanted) == 0;
    });
    pause_ms(20);
    const int taken = accept(server, nullptr, nullptr);
    ktap.check(taken >= 0 && ended_well(blocked), "accept");
    ktap.test("or connect waits for room");
    close(taken);
    close(server);
    fails(ktap, "a listener that goes resets who waits: ECONNRESET", read(two, back, 1), ECONNRESET);
    for (const int each : {rival, client, one, two, three})
        close(each);
    const int packets = listener("packets", SOCK_SEQPACKET);
    fails(ktap, "an abstract name of another type is nobody's: ECONNREFUSED", connected("packets", SOCK_STREAM),
          ECONNREFUSED);
    close(packets);
    const int automatic = socket(AF_UNIX, SOCK_STREAM, 0);
    address = {};
    address.sun_family = AF_UNIX;
    ktap.check(bind(automatic, to_address(), sizeof(sa_family_t)) == 0, "bind");
    size = sizeof own;
    ktap.check(getsockname(automatic, reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
                   size == sizeof(sa_family_t) + 6 && own.sun_path[0] == 0,
               "size %u", size);
    ktap.test("autobind: a NUL and five digits");
    close(automatic);
    const int waiting = listener("waiting");
    const pid_t late = child([&] {
        pause_ms(20);
        return connected("waiting") < 0; // the name has the child's id
    });
    ended_well(late);
    const socklen_t waiting_size = name("waiting");
    const pid_t dialer = child([&] {
        pause_ms(20);
        const int socket_ = socket(AF_UNIX, SOCK_STREAM, 0);
        return connect(socket_, to_address(), waiting_size) == 0 && write(socket_, "z", 1) == 1;
    });
    const int accepted = accept(waiting, nullptr, nullptr);
    ktap.check(accepted >= 0 && read(accepted, back, 1) == 1 && ended_well(dialer), "accept");
    ktap.test("accept waits for a client");
    close(accepted);
    close(waiting);
}

void paths(Ktap& ktap) {
    const socklen_t size = name("path", true);
    unlink(address.sun_path);
    const int server = socket(AF_UNIX, SOCK_STREAM, 0);
    gives(ktap, "bind to a path", bind(server, to_address(), size), 0);
    struct stat status {};
    ktap.test("makes a socket node", stat(address.sun_path, &status) == 0 && S_ISSOCK(status.st_mode));
    fails(ktap, "which cannot be opened: ENXIO", open(address.sun_path, O_RDWR), ENXIO);
    const int other = socket(AF_UNIX, SOCK_STREAM, 0);
    fails(ktap, "connect before listen: ECONNREFUSED", connect(other, to_address(), size), ECONNREFUSED);
    ktap.check(listen(server, 4) == 0, "listen");
    gives(ktap, "connect by path", connect(other, to_address(), size), 0);
    const int accepted = accept(server, nullptr, nullptr);
    sockaddr_un peer{};
    socklen_t told = sizeof peer;
    ktap.check(getpeername(other, reinterpret_cast<sockaddr*>(&peer), &told) == 0 && told == size &&
                   std::strcmp(peer.sun_path, address.sun_path) == 0,
               "size %u", told);
    ktap.test("getpeername tells the path");
    const int third = socket(AF_UNIX, SOCK_STREAM, 0);
    fails(
        ktap, "connect with another type: EPROTOTYPE",
        [&] {
            const int packet = socket(AF_UNIX, SOCK_SEQPACKET, 0);
            const int result = connect(packet, to_address(), size);
            const int error = errno;
            close(packet);
            errno = error;
            return result;
        }(),
        EPROTOTYPE);
    fails(ktap, "a path that exists: EADDRINUSE", bind(third, to_address(), size), EADDRINUSE);
    close(accepted);
    close(server);
    fails(ktap, "a node without its socket: ECONNREFUSED", connect(third, to_address(), size), ECONNREFUSED);
    unlink(address.sun_path);
    fails(ktap, "no node: ENOENT", connect(third, to_address(), size), ENOENT);
    close(third);
    close(other);
}

} // namespace

int main() {
    alarm(60);
    Ktap ktap(102);
    making(ktap);
    options(ktap);
    streams(ktap);
    ends(ktap);
    connections(ktap);
    paths(ktap);
    return ktap.finish();
}
