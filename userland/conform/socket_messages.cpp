// AF_UNIX datagrams and sequenced packets, and what messages carry: descriptors and credentials [man 7 unix, man 3
// cmsg].
#include <initializer_list>
#include <sys/ioctl.h>

#include "userland/conform/socket_support.h"

using namespace tollgate;
using namespace tollgate::ipc;

namespace {

char big[400000], back[400000];

void packets(Ktap& ktap) {
    {
        Pair pair(SOCK_DGRAM);
        ktap.check(send(pair.a, "one", 3, 0) == 3 && send(pair.a, "", 0, 0) == 0 && send(pair.a, "three", 5, 0) == 5,
                   "send");
        int waiting = 0;
        ktap.check(ioctl(pair.b, FIONREAD, &waiting) == 0 && waiting == 3, "%d", waiting);
        ktap.check(recv(pair.b, back, 10, 0) == 3 && recv(pair.b, back, 10, 0) == 0 && recv(pair.b, back, 10, 0) == 5,
                   "recv");
        ktap.test("datagrams keep their borders");
        ktap.check(send(pair.a, "0123456789", 10, 0) == 10, "send");
        gives(ktap, "MSG_TRUNC | MSG_PEEK tells the real size", recv(pair.b, back, 4, MSG_TRUNC | MSG_PEEK), 10);
        iovec part{back, 4};
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        ktap.check(recvmsg(pair.b, &header, 0) == 4 && (header.msg_flags & MSG_TRUNC), "flags %#x", header.msg_flags);
        ktap.test("a short buffer: MSG_TRUNC");
        fails(ktap, "and the rest is gone", recv(pair.b, back, 4, MSG_DONTWAIT), EAGAIN);
        fails(ktap, "larger than the send buffer: EMSGSIZE", send(pair.a, big, sizeof big, MSG_DONTWAIT), EMSGSIZE);
        for (unsigned i = 0; i < sizeof big; ++i)
            big[i] = static_cast<char>(i * 3 + i / 777);
        ktap.check(send(pair.a, big, 100000, 0) == 100000 && recv(pair.b, back, sizeof back, 0) == 100000 &&
                       std::memcmp(big, back, 100000) == 0,
                   "bytes");
        ktap.test("a large datagram");
        close(pair.b);
        pair.b = -1;
        fails(ktap, "the peer is gone: ECONNREFUSED", send(pair.a, "x", 1, 0), ECONNREFUSED);
    }
    {
        const int receiver = socket(AF_UNIX, SOCK_DGRAM, 0), sender = socket(AF_UNIX, SOCK_DGRAM, 0);
        fails(ktap, "a datagram to nobody: ENOTCONN", send(sender, "x", 1, 0), ENOTCONN);
        fails(ktap, "listen on datagrams: EOPNOTSUPP", listen(receiver, 1), EOPNOTSUPP);
        ktap.check(bind(receiver, to_address(), name("receiver")) == 0, "bind");
        const socklen_t from_size = name("sender");
        ktap.check(bind(sender, to_address(), from_size) == 0, "bind");
        gives(ktap, "sendto", sendto(sender, "dgram", 5, 0, to_address(), name("receiver")), 5);
        sockaddr_un from{};
        socklen_t size = sizeof from;
        ktap.check(recvfrom(receiver, back, 10, 0, reinterpret_cast<sockaddr*>(&from), &size) == 5, "recvfrom");
        name("sender");
        ktap.check(size == from_size && std::memcmp(&from, &address, size) == 0, "size %u", size);
        ktap.test("recvfrom tells the sender");
        gives(ktap, "an answer to it", sendto(receiver, "back", 4, 0, reinterpret_cast<sockaddr*>(&from), size), 4);
        gives(ktap, "arrives", recv(sender, back, 10, 0), 4);
        gives(ktap, "connect", connect(sender, to_address(), name("receiver")), 0);
        gives(ktap, "then send", send(sender, "c", 1, 0), 1);
        gives(ktap, "arrives, too", recv(receiver, back, 10, 0), 1);
        const int stranger = socket(AF_UNIX, SOCK_DGRAM, 0);
        fails(ktap, "who is connected takes from its peer alone: EPERM",
              sendto(stranger, "x", 1, 0, to_address(), name("sender")), EPERM);
        sockaddr none{};
        none.sa_family = AF_UNSPEC;
        ktap.check(connect(sender, &none, sizeof none) == 0, "disconnect");
        gives(ktap, "until it has disconnected", sendto(stranger, "x", 1, 0, to_address(), name("sender")), 1);
        for (const int each : {receiver, sender, stranger})
            close(each);
    }
    {
        Pair pair(SOCK_SEQPACKET);
        ktap.check(send(pair.a, "ab", 2, 0) == 2 && send(pair.a, "cde", 3, 0) == 3, "send");
        ktap.check(recv(pair.b, back, 10, 0) == 2 && recv(pair.b, back, 2, 0) == 2, "recv");
        ktap.check(recv(pair.b, back, 2, MSG_DONTWAIT) == -1 && errno == EAGAIN, "rest");
        ktap.test("packets keep their borders");
        close(pair.a);
        pair.a = -1;
        gives(ktap, "their end", recv(pair.b, back, 2, 0), 0);
        fails(ktap, "sending after it: EPIPE", send(pair.b, "x", 1, MSG_NOSIGNAL), EPIPE);
        const int plain = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        fails(ktap, "receiving without a peer: ENOTCONN", recv(plain, back, 1, 0), ENOTCONN);
        close(plain);
    }
}

// --- ancillary data

struct Control {
    alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int) * 8) + CMSG_SPACE(sizeof(ucred))];
};

long send_files(int socket_, const int* files, unsigned count, const char* text = "f") {
    Control control{};
    iovec part{const_cast<char*>(text), std::strlen(text)};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes;
    header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    cmsghdr* const head = CMSG_FIRSTHDR(&header);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int) * count);
    std::memcpy(CMSG_DATA(head), files, sizeof(int) * count);
    return sendmsg(socket_, &header, MSG_NOSIGNAL);
}
/// How many files came; their descriptors; the message's flags.
int receive_files(int socket_, int* files, unsigned room, int& flags, int with = 0, std::size_t bytes = 100) {
    Control control{};
    iovec part{back, bytes};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = room ? control.bytes : nullptr;
    header.msg_controllen = room ? CMSG_LEN(sizeof(int) * room) : 0;
    const long got = recvmsg(socket_, &header, with);
    flags = header.msg_flags;
    if (got < 0)
        return -1;
    const cmsghdr* const head = CMSG_FIRSTHDR(&header);
    if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
        return 0;
    const unsigned count = static_cast<unsigned>((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(files, CMSG_DATA(head), sizeof(int) * count);
    return static_cast<int>(count);
}

void rights(Ktap& ktap) {
    Pair pair(SOCK_STREAM);
    int ends[2], got[8] = {}, flags = 0;
    ktap.check(pipe(ends) == 0, "pipe");
    gives(ktap, "SCM_RIGHTS of two files", send_files(pair.a, ends, 2), 1);
    gives(ktap, "both arrive", receive_files(pair.b, got, 8, flags), 2);
    ktap.check(got[0] != ends[0] && write(got[1], "through", 7) == 7 && read(ends[0], back, 10) == 7, "use");
    ktap.check(fcntl(got[0], F_GETFD) == 0, "flags");
    ktap.test("under new descriptors");
    close(got[0]);
    close(got[1]);
    ktap.check(send_files(pair.a, ends, 1) == 1 && receive_files(pair.b, got, 8, flags, MSG_CMSG_CLOEXEC) == 1 &&
                   fcntl(got[0], F_GETFD) == FD_CLOEXEC,
               "flags");
    ktap.test("MSG_CMSG_CLOEXEC");
    close(got[0]);
    ktap.check(send_files(pair.a, ends, 2) == 1, "send");
    ktap.check(receive_files(pair.b, got, 1, flags) == 1 && (flags & MSG_CTRUNC), "flags %#x", flags);
    ktap.test("too little room: MSG_CTRUNC");
    close(got[0]);
    ktap.check(send_files(pair.a, ends, 1) == 1 && receive_files(pair.b, got, 0, flags) == 0 && (flags & MSG_CTRUNC),
               "flags %#x", flags);
    ktap.test("no room: MSG_CTRUNC");
    ktap.check(write(pair.a, "plain", 5) == 5 && send_files(pair.a, ends, 1, "files") == 5 &&
                   write(pair.a, "after", 5) == 5,
               "send");
    ktap.check(receive_files(pair.b, got, 8, flags) == 1 && std::memcmp(back, "plainfiles", 10) == 0, "files");
    close(got[0]);
    ktap.check(read(pair.b, back, 100) == 5 && std::memcmp(back, "after", 5) == 0, "after");
    ktap.test("a receive ends behind bytes that carry files");
    const int wrong = 1000;
    fails(ktap, "a descriptor that is none: EBADF", send_files(pair.a, &wrong, 1), EBADF);
    // The last descriptor travels: the pipe stays open meanwhile.
    ktap.check(send_files(pair.a, &ends[1], 1) == 1, "send");
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    ktap.check(read(ends[0], back, 1) == -1 && errno == EAGAIN, "errno %d", errno);
    close(pair.b);
    pair.b = -1;
    ktap.check(read(ends[0], back, 1) == 0, "end of file");
    ktap.test("files on their way are open, and closed with the socket");
    close(ends[0]);
    Pair datagrams(SOCK_DGRAM);
    const int null = open("/dev/null", O_RDWR);
    ktap.check(send_files(datagrams.a, &null, 1) == 1 && receive_files(datagrams.b, got, 4, flags, MSG_PEEK) == 1,
               "peek");
    close(got[0]);
    ktap.check(receive_files(datagrams.b, got, 4, flags) == 1, "receive");
    close(got[0]);
    ktap.test("MSG_PEEK gives descriptors of its own");
    const pid_t receiver = child([&] {
        int mine[4] = {}, with = 0;
        return receive_files(datagrams.b, mine, 4, with) == 1 && write(mine[0], "x", 1) == 1;
    });
    ktap.check(send_files(datagrams.a, &null, 1) == 1 && ended_well(receiver), "child");
    ktap.test("to another process");
    close(null);
    // Sockets in sockets: many levels must not overflow a kernel stack when they are freed.
    int inner[2];
    ktap.check(socketpair(AF_UNIX, SOCK_DGRAM, 0, inner) == 0, "pair");
    for (int i = 0; i < 500; ++i) {
        int outer[2];
        if (socketpair(AF_UNIX, SOCK_DGRAM, 0, outer) != 0 || send_files(outer[0], inner, 2) != 1)
            break; // Linux bounds the depth: ETOOMANYREFS
        close(inner[0]);
        close(inner[1]);
        inner[0] = outer[0];
        inner[1] = outer[1];
    }
    close(inner[0]);
    close(inner[1]);
    ktap.test("sockets within sockets are freed", true);
}

void credentials(Ktap& ktap) {
    Pair pair(SOCK_DGRAM);
    const int on = 1;
    ktap.check(setsockopt(pair.b, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0, "set");
    int value = 0;
    socklen_t size = sizeof value;
    ktap.check(getsockopt(pair.b, SOL_SOCKET, SO_PASSCRED, &value, &size) == 0 && value == 1, "get");
    ktap.test("SO_PASSCRED");
    const auto receive = [&](ucred& from) {
        Control control{};
        iovec part{back, 100};
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof control.bytes;
        if (recvmsg(pair.b, &header, 0) < 0)
            return false;
        const cmsghdr* const head = CMSG_FIRSTHDR(&header);
        if (!head || head->cmsg_type != SCM_CREDENTIALS || head->cmsg_len != CMSG_LEN(sizeof from))
            return false;
        std::memcpy(&from, CMSG_DATA(head), sizeof from);
        return true;
    };
    ucred from{};
    ktap.check(send(pair.a, "c", 1, 0) == 1 && receive(from), "receive");
    ktap.check(from.pid == getpid() && from.uid == getuid() && from.gid == getgid(), "pid %d", from.pid);
    ktap.test("credentials come unasked");
    Control control{};
    iovec part{big, 1};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes;
    header.msg_controllen = CMSG_SPACE(sizeof(ucred));
    cmsghdr* const head = CMSG_FIRSTHDR(&header);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_CREDENTIALS;
    head->cmsg_len = CMSG_LEN(sizeof(ucred));
    const ucred own{getpid(), getuid(), getgid()};
    std::memcpy(CMSG_DATA(head), &own, sizeof own);
    ktap.check(sendmsg(pair.a, &header, 0) == 1 && receive(from) && from.pid == getpid(), "errno %d", errno);
    ktap.test("SCM_CREDENTIALS with the truth");
    head->cmsg_len = 4;
    fails(ktap, "a control message shorter than its header: EINVAL", sendmsg(pair.a, &header, 0), EINVAL);
    head->cmsg_len = CMSG_LEN(1000);
    fails(ktap, "longer than its buffer: EINVAL", sendmsg(pair.a, &header, 0), EINVAL);
    header.msg_control = bad(8);
    fails(ktap, "at a bad address: EFAULT", sendmsg(pair.a, &header, 0), EFAULT);
    header.msg_control = nullptr;
    header.msg_controllen = 0;
    header.msg_iovlen = 1025;
    fails(ktap, "too many parts: EMSGSIZE", sendmsg(pair.a, &header, 0), EMSGSIZE);
    fails(ktap, "a message at a bad address: EFAULT", sendmsg(pair.a, static_cast<msghdr*>(bad(8)), 0), EFAULT);
}

void many(Ktap& ktap) {
    Pair pair(SOCK_DGRAM);
    iovec parts[4] = {{big, 1}, {big, 2}, {big, 3}, {big, 4}};
    mmsghdr messages[3] = {};
    for (int i = 0; i < 3; ++i) {
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 2;
    }
    gives(ktap, "sendmmsg", sendmmsg(pair.a, messages, 3, 0), 3);
    ktap.test("tells each size", messages[0].msg_len == 3 && messages[1].msg_len == 5 && messages[2].msg_len == 7);
    iovec into[3] = {{back, 10}, {back + 10, 10}, {back + 20, 10}};
    for (int i = 0; i < 3; ++i) {
        messages[i] = {};
        messages[i].msg_hdr.msg_iov = &into[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    gives(ktap, "recvmmsg, MSG_WAITFORONE", recvmmsg(pair.b, messages, 3, MSG_WAITFORONE, nullptr), 3);
    ktap.test("tells each size, too", messages[0].msg_len == 3 && messages[1].msg_len == 5 && messages[2].msg_len == 7);
    fails(ktap, "none: EAGAIN", recvmmsg(pair.b, messages, 3, MSG_DONTWAIT, nullptr), EAGAIN);
}

} // namespace

int main() {
    alarm(60);
    std::signal(SIGPIPE, SIG_IGN);
    Ktap ktap(47);
    packets(ktap);
    rights(ktap);
    credentials(ktap);
    many(ktap);
    return ktap.finish();
}
