// Pipes, events, polling and sockets under several CPUs: wakes that must not be lost, ends that close while others
// wait, processes that are killed while they wait. Every test also counts page frames.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/ktap.h"
#include "userland/tests/support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;

/// A thread that runs a function once.
template <class Run>
class Thread {
public:
    explicit Thread(Run run) : run_(run) {
        started_ = pthread_create(
                       &thread_, nullptr,
                       [](void* self) -> void* {
                           static_cast<Thread*>(self)->run_();
                           return nullptr;
                       },
                       this) == 0;
    }
    ~Thread() { join(); }
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
    void join() {
        if (started_)
            pthread_join(thread_, nullptr);
        started_ = false;
    }

private:
    Run run_;
    pthread_t thread_{};
    bool started_;
};

struct Ends {
    int a = -1, b = -1;
};
Ends make_pipe(int flags = 0) {
    int ends[2] = {-1, -1};
    (void)!pipe2(ends, flags);
    return {ends[0], ends[1]};
}
Ends make_pair(int type) {
    int ends[2] = {-1, -1};
    (void)!socketpair(AF_UNIX, type, 0, ends);
    return {ends[0], ends[1]};
}
void close_both(Ends ends) {
    close(ends.a);
    close(ends.b);
}

/// Bytes back and forth between two threads; a lost wake would hang.
void ping_pong(Ktap& ktap, Ends there, Ends back, int rounds) {
    bool good = true;
    Thread other([&] {
        char byte;
        for (int i = 0; i < rounds; ++i)
            if (read(there.a, &byte, 1) != 1 || write(back.b, &byte, 1) != 1)
                break;
    });
    for (int i = 0; i < rounds && good; ++i) {
        char byte = static_cast<char>(i), answer = 0;
        good = write(there.b, &byte, 1) == 1 && read(back.a, &answer, 1) == 1 && answer == byte;
    }
    other.join();
    ktap.check(good, "ping-pong");
}

void wakes(Ktap& ktap) {
    check_frames(ktap, [&] {
        const Ends there = make_pipe(), back = make_pipe();
        ping_pong(ktap, there, back, 3000);
        close_both(there);
        close_both(back);
        const Ends pair = make_pair(SOCK_STREAM);
        ping_pong(ktap, {pair.a, pair.b}, {pair.b, pair.a}, 3000);
        close_both(pair);
    });
    ktap.test("no wake of a pipe or a socket is lost");
}

void many_sided(Ktap& ktap) {
    check_frames(ktap, [&] {
        // Three writers, three readers, a small pipe: all bytes come through.
        const Ends ends = make_pipe();
        fcntl(ends.a, F_SETPIPE_SZ, 4096);
        constexpr int kBytes = 30000;
        std::atomic<long> sum{0};
        const auto write_all = [&] {
            static char bytes[700];
            for (int left = kBytes; left > 0;) {
                const long part = write(ends.b, bytes, left < 700 ? left : 700);
                if (part <= 0)
                    return;
                left -= static_cast<int>(part);
            }
        };
        const auto read_all = [&] {
            char bytes[333];
            for (;;) {
                const long part = read(ends.a, bytes, sizeof bytes);
                if (part <= 0)
                    return;
                sum += part;
            }
        };
        Thread r1(read_all);
        Thread r2(read_all);
        Thread r3(read_all);
        {
            Thread w1(write_all);
            Thread w2(write_all);
            Thread w3(write_all);
        }
        close(ends.b); // all readers see the end
        r1.join();
        r2.join();
        r3.join();
        close(ends.a);
        ktap.check(sum == 3 * kBytes, "%ld bytes", sum.load());
    });
    ktap.test("three writers and three readers of one pipe");
}

void counters(Ktap& ktap) {
    check_frames(ktap, [&] {
        const int event = eventfd(0, EFD_SEMAPHORE);
        constexpr int kEach = 3000;
        std::atomic<int> taken{0};
        const auto put = [&] {
            const uint64_t one = 1;
            for (int i = 0; i < kEach; ++i)
                (void)!write(event, &one, sizeof one);
        };
        const auto take = [&] {
            uint64_t one;
            for (int i = 0; i < kEach; ++i)
                if (read(event, &one, sizeof one) == 8)
                    taken += static_cast<int>(one);
        };
        {
            Thread a(put);
            Thread b(take);
            Thread c(put);
            Thread d(take);
        }
        ktap.check(taken == 2 * kEach, "%d", taken.load());
        close(event);
    });
    ktap.test("a semaphore counts every event once");
}

void closing(Ktap& ktap) {
    check_frames(ktap, [&] {
        for (int round = 0; round < 60; ++round) {
            // A reader waits while writer and reader ends are closed by two threads at once; the reading thread's call
            // keeps its file alive.
            const Ends ends = make_pipe();
            Thread reader([&] {
                char byte;
                (void)!read(ends.a, &byte, 1);
            });
            if (round % 3 == 0)
                let_others_run(3);
            Thread closer([&] { close(ends.b); });
            closer.join();
            reader.join();
            close(ends.a);
            const Ends pair = make_pair(round % 2 ? SOCK_STREAM : SOCK_SEQPACKET);
            (void)!write(pair.a, "x", 1);
            Thread one([&] { close(pair.a); });
            Thread two([&] { close(pair.b); });
        }
        ktap.check(true, "ended");
    });
    ktap.test("both ends close at once, under a reader");
}

void polled(Ktap& ktap) {
    check_frames(ktap, [&] {
        // A poll of several files, each made ready by another thread in turn.
        constexpr int kFiles = 6, kRounds = 400;
        int events[kFiles];
        for (int& event : events)
            event = eventfd(0, EFD_NONBLOCK);
        std::atomic<int> seen{0};
        Thread writer([&] {
            const uint64_t one = 1;
            for (int i = 0; i < kRounds; ++i) {
                (void)!write(events[i % kFiles], &one, sizeof one);
                while (seen <= i)
                    sched_yield();
            }
        });
        bool good = true;
        for (int i = 0; i < kRounds; ++i) {
            pollfd files[kFiles];
            for (int f = 0; f < kFiles; ++f)
                files[f] = {events[f], POLLIN, 0};
            good = good && poll(files, kFiles, 20'000) == 1 && files[i % kFiles].revents == POLLIN;
            uint64_t value;
            (void)!read(events[i % kFiles], &value, sizeof value);
            ++seen;
        }
        ktap.check(good, "a poll saw nothing, or the wrong file");
        writer.join();
        for (const int event : events)
            close(event);
    });
    ktap.test("poll hears of every change");
}

void epolled(Ktap& ktap) {
    check_frames(ktap, [&] {
        // Two threads wait at one instance, a third makes files ready, a fourth adds and closes others meanwhile.
        const int instance = epoll_create1(0), event = eventfd(0, EFD_NONBLOCK);
        epoll_event wanted{EPOLLIN | EPOLLET, {}};
        epoll_ctl(instance, EPOLL_CTL_ADD, event, &wanted);
        constexpr int kRounds = 600;
        std::atomic<int> sum{0};
        std::atomic<bool> over{false};
        const auto wait = [&] {
            while (!over) {
                epoll_event found[4];
                const int count = epoll_wait(instance, found, 4, 50);
                for (int i = 0; i < count; ++i) {
                    uint64_t value;
                    if (read(event, &value, sizeof value) == 8)
                        sum += static_cast<int>(value);
                }
            }
        };
        Thread first(wait);
        Thread second(wait);
        Thread churn([&] {
            while (!over) {
                const int other = eventfd(0, 0), nested = epoll_create1(0);
                epoll_event any{EPOLLIN, {}};
                epoll_ctl(instance, EPOLL_CTL_ADD, other, &any);
                epoll_ctl(nested, EPOLL_CTL_ADD, other, &any);
                epoll_ctl(instance, EPOLL_CTL_ADD, nested, &any);
                close(other); // or the instance first: both orders occur on several CPUs
                close(nested);
            }
        });
        const uint64_t one = 1;
        for (int i = 0; i < kRounds; ++i)
            (void)!write(event, &one, sizeof one);
        const bool all = wait_until([&] { return sum == kRounds; }, 1'000'000);
        over = true;
        first.join();
        second.join();
        churn.join();
        ktap.check(all, "%d of %d", sum.load(), kRounds);
        close(event);
        close(instance);
    });
    ktap.test("edges reach one of two waiters, while files come and go");
    check_frames(ktap, [&] {
        // An instance and the file it watches are closed by two threads at once.
        for (int round = 0; round < 100; ++round) {
            const int instance = epoll_create1(0), event = eventfd(1, 0);
            epoll_event any{EPOLLIN, {}};
            epoll_ctl(instance, EPOLL_CTL_ADD, event, &any);
            Thread one([&] { close(instance); });
            Thread two([&] { close(event); });
        }
        ktap.check(true, "ended");
    });
    ktap.test("an instance and what it watches close at once");
}

socklen_t abstract_name(sockaddr_un& address, const char* text) {
    address = {};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path + 1, text);
    return static_cast<socklen_t>(sizeof(sa_family_t) + 1 + std::strlen(text));
}

void connecting(Ktap& ktap) {
    check_frames(ktap, [&] {
        sockaddr_un address;
        const socklen_t size = abstract_name(address, "test-ipc");
        const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
        ktap.check(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(listener, 2) == 0,
                   "listen");
        constexpr int kEach = 100;
        std::atomic<int> served{0};
        const auto serve = [&] {
            for (int i = 0; i < kEach; ++i) {
                const int accepted = accept(listener, nullptr, nullptr);
                char byte = 0;
                if (accepted >= 0 && read(accepted, &byte, 1) == 1 && write(accepted, &byte, 1) == 1)
                    ++served;
                close(accepted);
            }
        };
        const auto dial = [&] {
            for (int i = 0; i < kEach; ++i) {
                const int client = socket(AF_UNIX, SOCK_STREAM, 0);
                char byte = 'c';
                if (connect(client, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                    write(client, &byte, 1) == 1)
                    (void)!read(client, &byte, 1);
                close(client);
            }
        };
        {
            Thread s1(serve);
            Thread s2(serve);
            Thread d1(dial);
            Thread d2(dial);
        }
        ktap.check(served == 2 * kEach, "%d", served.load());
        close(listener);
    });
    ktap.test("two servers and two clients of one listener");
}

/// A message of one byte, with room for one descriptor.
struct Message {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    char byte = 'r';
    iovec part{&byte, 1};
    msghdr header{};
    Message() {
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control;
        header.msg_controllen = sizeof control;
    }
};
bool pass(int socket_, int descriptor) {
    Message message;
    cmsghdr* const head = CMSG_FIRSTHDR(&message.header);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(head), &descriptor, sizeof(int));
    return sendmsg(socket_, &message.header, MSG_NOSIGNAL) == 1;
}
/// The descriptor that came, or -1.
int take(int socket_) {
    Message message;
    int got = -1;
    if (recvmsg(socket_, &message.header, 0) == 1 && CMSG_FIRSTHDR(&message.header))
        std::memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message.header)), sizeof got);
    return got;
}

void passing(Ktap& ktap) {
    check_frames(ktap, [&] {
        const Ends pair = make_pair(SOCK_STREAM);
        Thread sender([&] {
            for (int i = 0; i < 300; ++i) {
                const Ends inner = make_pipe();
                pass(pair.a, inner.a);
                (void)!write(inner.b, "!", 1);
                close_both(inner);
            }
        });
        int good = 0;
        for (int i = 0; i < 300; ++i) {
            const int got = take(pair.b);
            char byte;
            good += got >= 0 && read(got, &byte, 1) == 1;
            close(got);
        }
        sender.join();
        ktap.check(good == 300, "%d of 300", good);
        close_both(pair);
    });
    ktap.test("descriptors pass between threads");
    check_frames(ktap, [&] {
        for (int round = 0; round < 1000; ++round) {
            // Both ends wait in their own queues when the last descriptor is closed; then a ring of two pairs.
            const Ends one = make_pair(round % 2 ? SOCK_STREAM : SOCK_DGRAM), two = make_pair(SOCK_DGRAM);
            ktap.check(pass(one.a, one.b) && pass(one.b, one.a), "pass");
            ktap.check(pass(two.a, two.b) && pass(one.b, two.a) && pass(two.b, one.a), "pass");
            close_both(one);
            close_both(two);
        }
        close(socket(AF_UNIX, SOCK_STREAM, 0)); // closing any socket looks for such
    });
    ktap.test("sockets in each other's queues are found and freed");
    {
        // A socket in flight that somebody can still reach stays.
        const Ends outer = make_pair(SOCK_DGRAM), inner = make_pair(SOCK_DGRAM);
        ktap.check(pass(outer.a, inner.a) && pass(inner.b, inner.b), "pass"); // inner.b waits in inner.a's queue
        close_both(inner);
        const int a = take(outer.b);
        const int b = a >= 0 ? take(a) : -1;
        char byte = 0;
        ktap.check(b >= 0 && write(b, "k", 1) == 1 && read(a, &byte, 1) == 1 && byte == 'k', "lost");
        close(a);
        close(b);
        close_both(outer);
        ktap.test("but not those that can be reached");
    }
}

// --- killed while they wait

[[noreturn]] void wait_in(int how) {
    const Ends pipe_ends = make_pipe(), pair = make_pair(SOCK_STREAM);
    static char bytes[8192];
    switch (how) {
    case 0:
        (void)!read(pipe_ends.a, bytes, 1);
        break;
    case 1:
        fcntl(pipe_ends.b, F_SETPIPE_SZ, 4096);
        (void)!write(pipe_ends.b, bytes, sizeof bytes);
        break;
    case 2:
        (void)!recv(pair.a, bytes, 1, 0);
        break;
    case 3:
        while (send(pair.a, bytes, sizeof bytes, 0) > 0) {
        }
        break;
    case 4: {
        pollfd files[2] = {{pipe_ends.a, POLLIN, 0}, {pair.a, POLLIN, 0}};
        (void)!poll(files, 2, -1);
        break;
    }
    case 5: {
        const int instance = epoll_create1(0);
        epoll_event any{EPOLLIN, {}};
        epoll_ctl(instance, EPOLL_CTL_ADD, pipe_ends.a, &any);
        epoll_ctl(instance, EPOLL_CTL_ADD, pair.a, &any);
        (void)!epoll_wait(instance, &any, 1, -1);
        break;
    }
    case 6: {
        sockaddr_un address;
        const socklen_t size = abstract_name(address, "victim");
        const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
        bind(listener, reinterpret_cast<sockaddr*>(&address), size);
        listen(listener, 1);
        (void)!accept(listener, nullptr, nullptr);
        break;
    }
    default: {
        const int event = eventfd(0, 0);
        uint64_t value;
        (void)!read(event, &value, sizeof value);
        break;
    }
    }
    _exit(kSurvived);
}
constexpr int kWays = 8;

int wait_victim(uint64_t how) { wait_in(static_cast<int>(how)); }
int wait_victim_all(uint64_t) {
    for (int how = 1; how < kWays; ++how) {
        pthread_t thread;
        pthread_create(
            &thread, nullptr,
            [](void* which) -> void* { wait_in(static_cast<int>(reinterpret_cast<uint64_t>(which))); },
            reinterpret_cast<void*>(static_cast<uint64_t>(how)));
    }
    wait_in(0);
}
constexpr Victim kVictims[] = {{"wait", wait_victim}, {"wait-all", wait_victim_all}};

void killed(Ktap& ktap) {
    check_frames(ktap, [&] {
        for (int how = 0; how < kWays; ++how) {
            const int victim = start_victim("wait", static_cast<uint64_t>(how));
            let_others_run(200);
            kill(victim, SIGKILL);
            const int status = wait_status(victim);
            ktap.check(killed_by(status, {SIGKILL}), "way %d: %s", how, describe(status));
        }
    });
    ktap.test("killed in each kind of wait");
    check_frames(ktap, [&] {
        for (int round = 0; round < 5; ++round) {
            const int victim = start_victim("wait-all");
            let_others_run(100u * static_cast<unsigned>(round));
            kill(victim, SIGKILL);
            const int status = wait_status(victim);
            ktap.check(killed_by(status, {SIGKILL}), "round %d: %s", round, describe(status));
        }
    });
    ktap.test("killed with a thread in each of them");
}

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims});
    std::signal(SIGPIPE, SIG_IGN);
    Ktap ktap(13);
    wakes(ktap);
    many_sided(ktap);
    counters(ktap);
    closing(ktap);
    polled(ktap);
    epolled(ktap);
    connecting(ktap);
    passing(ktap);
    killed(ktap);
    return ktap.finish();
}
