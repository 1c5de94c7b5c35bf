// epoll(7): its calls, its two ways of triggering, what closing does, instances in instances.
#include <initializer_list>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "userland/conform/ipc_support.h"

using namespace tollgate;
using namespace tollgate::ipc;

namespace {

void add(int event, std::uint64_t value = 1) { (void)!write(event, &value, sizeof value); }
void drain(int event) {
    std::uint64_t value;
    (void)!read(event, &value, sizeof value);
}

int watch(int instance, int file, unsigned events, std::uint64_t data = 0, int operation = EPOLL_CTL_ADD) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = data;
    return epoll_ctl(instance, operation, file, &event);
}
struct Found {
    int count;
    epoll_event events[8];
};
Found look(int instance, int milliseconds = 0, int most = 8) {
    Found found{};
    found.count = epoll_wait(instance, found.events, most, milliseconds);
    return found;
}

void epoll_errors(Ktap& ktap) {
    fails(ktap, "epoll_create(0): EINVAL", epoll_create(0), EINVAL);
    fails(ktap, "epoll_create1 with flags that are none: EINVAL", epoll_create1(1), EINVAL);
    const int instance = epoll_create1(EPOLL_CLOEXEC), event = eventfd(0, EFD_NONBLOCK);
    ktap.test("epoll_create1", instance >= 0 && fcntl(instance, F_GETFD) == FD_CLOEXEC);
    gives(ktap, "add", watch(instance, event, EPOLLIN), 0);
    fails(ktap, "add again: EEXIST", watch(instance, event, EPOLLIN), EEXIST);
    gives(ktap, "delete", epoll_ctl(instance, EPOLL_CTL_DEL, event, nullptr), 0);
    fails(ktap, "delete again: ENOENT", epoll_ctl(instance, EPOLL_CTL_DEL, event, nullptr), ENOENT);
    fails(ktap, "modify what is not there: ENOENT", watch(instance, event, EPOLLIN, 0, EPOLL_CTL_MOD), ENOENT);
    fails(ktap, "add nothing: EBADF", watch(instance, 1000, EPOLLIN), EBADF);
    fails(ktap, "to nothing: EBADF", watch(1000, event, EPOLLIN), EBADF);
    fails(ktap, "to what is no instance: EINVAL", watch(event, instance, EPOLLIN), EINVAL);
    fails(ktap, "an instance to itself: EINVAL", watch(instance, instance, EPOLLIN), EINVAL);
    fails(ktap, "an operation that is none: EINVAL", watch(instance, event, EPOLLIN, 0, 7), EINVAL);
    fails(ktap, "an event at a bad address: EFAULT",
          epoll_ctl(instance, EPOLL_CTL_ADD, event, static_cast<epoll_event*>(bad(8))), EFAULT);
    const int file = open("/tmp/conform-poll", O_RDWR | O_CREAT, 0600);
    fails(ktap, "a regular file: EPERM", watch(instance, file, EPOLLIN), EPERM);
    unlink("/tmp/conform-poll");
    close(file);
    epoll_event found;
    fails(ktap, "wait for no event: EINVAL", epoll_wait(instance, &found, 0, 0), EINVAL);
    fails(ktap, "wait for -1 events: EINVAL", syscall(SYS_epoll_wait, instance, &found, -1, 0), EINVAL);
    fails(ktap, "wait at no instance: EINVAL", epoll_wait(event, &found, 1, 0), EINVAL);
    fails(ktap, "wait at nothing: EBADF", epoll_wait(1000, &found, 1, 0), EBADF);
    add(event);
    watch(instance, event, EPOLLIN, 5);
    for (const auto address : kBadPointers) {
        const long result = syscall(SYS_epoll_wait, instance, address, 1, 0);
        ktap.check(result == -1 && errno == EFAULT, "at %#lx: %ld, errno %d", address, result, errno);
    }
    ktap.check(look(instance).count == 1, "it is lost");
    ktap.test("wait at bad addresses: EFAULT, and the event stays");
    fails(ktap, "EPOLLEXCLUSIVE cannot be set later: EINVAL",
          watch(instance, event, EPOLLIN | EPOLLEXCLUSIVE, 0, EPOLL_CTL_MOD), EINVAL);
    close(event);
    close(instance);
}

void levels_and_edges(Ktap& ktap) {
    const int instance = epoll_create1(0), event = eventfd(0, EFD_NONBLOCK);
    watch(instance, event, EPOLLIN, 0x1122334455667788);
    ktap.test("nothing is ready", look(instance).count == 0);
    add(event);
    Found found = look(instance);
    ktap.check(found.count == 1 && found.events[0].events == EPOLLIN && found.events[0].data.u64 == 0x1122334455667788,
               "%d", found.count);
    ktap.test("an event with its data");
    ktap.test("level: again", look(instance).count == 1);
    drain(event);
    ktap.test("until it is read", look(instance).count == 0);
    watch(instance, event, EPOLLIN | EPOLLET, 1, EPOLL_CTL_MOD);
    add(event);
    ktap.check(look(instance).count == 1 && look(instance).count == 0, "twice");
    ktap.test("edge: once");
    add(event);
    ktap.test("edge: again after another write", look(instance).count == 1);
    watch(instance, event, EPOLLIN | EPOLLET, 1, EPOLL_CTL_MOD);
    ktap.test("modifying looks again", look(instance).count == 1);
    watch(instance, event, EPOLLIN | EPOLLOUT | EPOLLET, 2, EPOLL_CTL_MOD);
    found = look(instance);
    ktap.test("both states in one event", found.count == 1 && found.events[0].events == (EPOLLIN | EPOLLOUT));
    watch(instance, event, EPOLLIN | EPOLLONESHOT, 3, EPOLL_CTL_MOD);
    ktap.check(look(instance).count == 1 && look(instance).count == 0, "count");
    add(event);
    ktap.test("one shot: once", look(instance).count == 0);
    watch(instance, event, EPOLLIN | EPOLLONESHOT, 4, EPOLL_CTL_MOD);
    found = look(instance);
    ktap.test("one shot: armed again", found.count == 1 && found.events[0].data.u64 == 4);
    close(event);
    // Round robin: a full buffer does not always hold the same files.
    int events[6];
    for (int i = 0; i < 6; ++i) {
        events[i] = eventfd(1, 0);
        watch(instance, events[i], EPOLLIN, static_cast<std::uint64_t>(i));
    }
    unsigned seen = 0;
    for (int round = 0; round < 3; ++round) {
        found = look(instance, 0, 2);
        ktap.check(found.count == 2, "%d", found.count);
        for (int i = 0; i < found.count; ++i)
            seen |= 1u << found.events[i].data.u64;
    }
    ktap.check(seen == 0x3f, "%#x", seen);
    ktap.test("ready files take turns");
    for (const int each : events)
        close(each);
    ktap.test("closed files are gone", look(instance).count == 0);
    close(instance);
}

void hang_ups(Ktap& ktap) {
    const int instance = epoll_create1(0);
    int ends[2];
    ktap.check(pipe(ends) == 0, "pipe");
    watch(instance, ends[0], 0, 7);
    ktap.test("events 0: nothing yet", look(instance).count == 0);
    close(ends[1]);
    Found found = look(instance);
    ktap.check(found.count == 1 && found.events[0].events == EPOLLHUP, "%d %#x", found.count, found.events[0].events);
    ktap.test("EPOLLHUP comes unasked");
    close(ends[0]);
    ktap.check(pipe(ends) == 0, "pipe");
    watch(instance, ends[1], EPOLLOUT, 8);
    close(ends[0]);
    found = look(instance);
    ktap.check(found.count == 1 && found.events[0].events == (EPOLLOUT | EPOLLERR), "%#x", found.events[0].events);
    ktap.test("EPOLLERR comes unasked");
    close(ends[1]);
    int pair[2];
    ktap.check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
    watch(instance, pair[0], EPOLLIN | EPOLLRDHUP, 9);
    shutdown(pair[1], SHUT_WR);
    found = look(instance);
    ktap.check(found.count == 1 && found.events[0].events == (EPOLLIN | EPOLLRDHUP), "%#x", found.events[0].events);
    ktap.test("EPOLLRDHUP when the peer has shut its side");
    close(pair[1]);
    found = look(instance);
    ktap.check(found.count == 1 && found.events[0].events == (EPOLLIN | EPOLLRDHUP | EPOLLHUP), "%#x",
               found.events[0].events);
    ktap.test("and EPOLLHUP when it is gone");
    close(pair[0]);
    close(instance);
}

void descriptors(Ktap& ktap) {
    const int instance = epoll_create1(0), event = eventfd(1, 0), copy = dup(event);
    watch(instance, event, EPOLLIN, 1);
    gives(ktap, "a duplicate is an item of its own", watch(instance, copy, EPOLLIN, 2), 0);
    ktap.test("and both are ready", look(instance).count == 2);
    epoll_ctl(instance, EPOLL_CTL_DEL, copy, nullptr);
    close(event);
    Found found = look(instance);
    ktap.check(found.count == 1 && found.events[0].data.u64 == 1, "%d", found.count);
    ktap.test("a closed descriptor stays while a duplicate is open");
    close(copy);
    ktap.test("and goes with the last one", look(instance).count == 0);
    const int first = eventfd(1, 0);
    watch(instance, first, EPOLLIN, 3);
    close(first);
    const int second = eventfd(0, 0);
    ktap.check(second == first, "another number");
    gives(ktap, "a new file under the old number can be added", watch(instance, second, EPOLLIN, 4), 0);
    close(second);
    const int other = dup(instance), third = eventfd(1, 0);
    watch(other, third, EPOLLIN, 5);
    ktap.test("duplicates of an instance are one instance", look(instance).count == 1);
    close(other);
    const pid_t reader = child([&] { return look(instance).count == 1; });
    ktap.test("a child shares it", ended_well(reader));
    pollfd poll_instance{instance, POLLIN, 0};
    ktap.test("an instance with something ready is readable", poll(&poll_instance, 1, 0) == 1);
    drain(third);
    ktap.test("without it is not", poll(&poll_instance, 1, 0) == 0);
    close(third);
    close(instance);
    // Many files, so that the table grows; closing them empties it.
    const int large = epoll_create1(0);
    static int many[150];
    for (int& each : many) {
        each = eventfd(0, 0);
        ktap.check(watch(large, each, EPOLLIN, static_cast<std::uint64_t>(each)) == 0, "add %d", each);
    }
    for (int i = 0; i < 150; i += 50)
        add(many[i]);
    found = look(large);
    ktap.check(found.count == 3, "%d", found.count);
    for (int i = 0; i < found.count; ++i)
        ktap.check(found.events[i].data.u64 == static_cast<std::uint64_t>(many[i * 50]), "data");
    ktap.test("many files, the oldest change first");
    for (const int each : many)
        close(each);
    ktap.test("many closed files", look(large).count == 0);
    close(large);
}

void nesting(Ktap& ktap) {
    const int outer = epoll_create1(0), inner = epoll_create1(0), event = eventfd(0, EFD_NONBLOCK);
    watch(inner, event, EPOLLIN, 1);
    gives(ktap, "an instance can watch another", watch(outer, inner, EPOLLIN, 2), 0);
    ktap.test("nothing is ready in it", look(outer).count == 0);
    add(event);
    Found found = look(outer);
    ktap.check(found.count == 1 && found.events[0].events == EPOLLIN && found.events[0].data.u64 == 2, "%d",
               found.count);
    ktap.test("a file is ready in it");
    drain(event);
    ktap.test("and no longer", look(outer).count == 0);
    const pid_t writer = child([&] {
        pause_ms(20);
        add(event);
        return true;
    });
    ktap.check(look(outer, 5000).count == 1, "count");
    ktap.check(ended_well(writer), "writer");
    ktap.test("waiting at the outer one");
    drain(event);
    fails(ktap, "a loop of two: ELOOP", watch(inner, outer, EPOLLIN), ELOOP);
    close(inner);
    ktap.test("a closed inner instance is gone", look(outer).count == 0);
    int chain[8];
    int depth = 0;
    chain[0] = epoll_create1(0);
    watch(chain[0], event, EPOLLIN, 0);
    for (depth = 1; depth < 8; ++depth) {
        chain[depth] = epoll_create1(0);
        if (watch(chain[depth], chain[depth - 1], EPOLLIN) != 0)
            break;
    }
    ktap.check(depth >= 4 && depth < 8 && errno == ELOOP, "depth %d, errno %d", depth, errno);
    ktap.note("a chain of %d instances", depth);
    ktap.test("chains are bounded: ELOOP");
    add(event);
    ktap.test("and work through all of them", look(chain[depth - 1]).count == 1);
    for (int i = 0; i <= depth && i < 8; ++i)
        close(chain[i]);
    close(event);
    close(outer);
}

void waiting(Ktap& ktap) {
    const int instance = epoll_create1(0), event = eventfd(0, EFD_NONBLOCK);
    watch(instance, event, EPOLLIN, 1);
    long start = now_ms();
    ktap.check(look(instance, 30).count == 0 && now_ms() - start >= 29, "%ld ms", now_ms() - start);
    ktap.test("a timeout, not early");
    const timespec time{0, 20000000};
    epoll_event found;
    start = now_ms();
    const long waited = syscall(SYS_epoll_pwait2, instance, &found, 1, &time, nullptr, 8);
    ktap.check(waited == 0 && now_ms() - start >= 19, "%ld, %ld ms", waited, now_ms() - start);
    ktap.test("epoll_pwait2 with nanoseconds");
    const pid_t writer = child([&] {
        pause_ms(20);
        add(event);
        return true;
    });
    ktap.check(look(instance, -1).count == 1, "count");
    ktap.check(ended_well(writer), "writer");
    ktap.test("wait for a file");
    drain(event);
    // Several wait at one instance: one event wakes at least one, and none twice for an edge.
    watch(instance, event, EPOLLIN | EPOLLET, 1, EPOLL_CTL_MOD);
    int results[2];
    ktap.check(pipe(results) == 0, "pipe");
    pid_t waiters[3];
    for (pid_t& each : waiters)
        each = child([&] {
            const char got = static_cast<char>(look(instance, 300).count);
            return write(results[1], &got, 1) == 1;
        });
    pause_ms(50);
    add(event);
    int sum = 0;
    for (const pid_t each : waiters) {
        char got = 0;
        ktap.check(read(results[0], &got, 1) == 1, "result");
        ktap.check(ended_well(each), "waiter");
        sum += got;
    }
    ktap.check(sum == 1, "%d", sum);
    ktap.test("an edge goes to one of several that wait");
    signals_seen = 0;
    count_signal(SIGUSR1, SA_RESTART);
    const pid_t parent = getpid();
    const pid_t sender = child([&] {
        pause_ms(30);
        return kill(parent, SIGUSR1) == 0;
    });
    fails(ktap, "a signal ends epoll_wait, even with SA_RESTART: EINTR", epoll_wait(instance, &found, 1, 5000), EINTR);
    ended_well(sender);
    close(event);
    close(instance);
    close(results[0]);
    close(results[1]);
}

} // namespace

int main() {
    alarm(60);
    Ktap ktap(63);
    epoll_errors(ktap);
    levels_and_edges(ktap);
    hang_ups(ktap);
    descriptors(ktap);
    nesting(ktap);
    waiting(ktap);
    return ktap.finish();
}
