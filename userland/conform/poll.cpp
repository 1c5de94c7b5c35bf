// poll(2), ppoll(2), select(2) and pselect(2); epoll_pwait(2) as far as signals go.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>

#include "userland/conform/ipc_support.h"

using namespace tollgate;
using namespace tollgate::ipc;

namespace {

void add(int event, std::uint64_t value = 1) { (void)!write(event, &value, sizeof value); }
void drain(int event) {
    std::uint64_t value;
    (void)!read(event, &value, sizeof value);
}

void polls(Ktap& ktap) {
    const int empty = eventfd(0, EFD_NONBLOCK), full = eventfd(1, EFD_NONBLOCK);
    pollfd files[4] = {{empty, POLLIN, 99}, {full, POLLIN, 99}, {-1, POLLIN, 99}, {empty, POLLOUT, 99}};
    gives(ktap, "poll counts the ready", poll(files, 4, 0), 2);
    ktap.check(files[0].revents == 0 && files[1].revents == POLLIN && files[2].revents == 0 &&
                   files[3].revents == POLLOUT,
               "%#x %#x %#x %#x", files[0].revents, files[1].revents, files[2].revents, files[3].revents);
    ktap.test("and says which; a negative descriptor is skipped");
    int ends[2];
    ktap.check(pipe(ends) == 0 && write(ends[1], "x", 1) == 1, "pipe");
    pollfd wide{ends[0], POLLIN | POLLRDNORM, 0};
    ktap.check(poll(&wide, 1, 0) == 1 && wide.revents == (POLLIN | POLLRDNORM), "%#x", wide.revents);
    ktap.test("POLLRDNORM comes with POLLIN");
    close(ends[0]);
    close(ends[1]);
    pollfd gone{ends[0], POLLIN, 0};
    ktap.test("a closed descriptor: POLLNVAL", poll(&gone, 1, 0) == 1 && gone.revents == POLLNVAL);
    gives(ktap, "no file, no time", poll(nullptr, 0, 0), 0);
    long start = now_ms();
    ktap.check(poll(nullptr, 0, 30) == 0, "poll");
    long passed = now_ms() - start;
    ktap.check(passed >= 29, "%ld ms", passed);
    ktap.test("no file: sleeps");
    pollfd one{empty, POLLIN, 99};
    start = now_ms();
    ktap.check(poll(&one, 1, 30) == 0 && one.revents == 0, "poll");
    passed = now_ms() - start;
    ktap.check(passed >= 29, "%ld ms", passed);
    ktap.test("a timeout, not early");
    pollfd file{open("/dev/null", O_RDWR), POLLIN | POLLOUT, 0};
    ktap.test("a file that is always ready", poll(&file, 1, -1) == 1 && file.revents == (POLLIN | POLLOUT));
    close(file.fd);
    const pid_t writer = child([&] {
        pause_ms(20);
        add(empty);
        return true;
    });
    ktap.check(poll(&one, 1, -1) == 1 && one.revents == POLLIN, "%#x", one.revents);
    ktap.check(ended_well(writer), "writer");
    ktap.test("poll waits for a file");
    drain(empty);
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    fails(ktap, "more files than may be open: EINVAL", poll(files, limit.rlim_cur + 1, 0), EINVAL);
    for (const auto address : kBadPointers) {
        const long result = syscall(SYS_poll, address, 1, 0);
        ktap.check(result == -1 && errno == EFAULT, "at %#lx: %ld, errno %d", address, result, errno);
    }
    ktap.test("bad addresses: EFAULT");
    static pollfd many[200];
    for (pollfd& each : many)
        each = {empty, POLLIN, 0};
    many[199].fd = full;
    ktap.check(poll(many, 200, 100) == 1 && many[199].revents == POLLIN, "poll");
    const pid_t late = child([&] {
        pause_ms(20);
        add(empty);
        return true;
    });
    many[199].fd = empty;
    ktap.check(poll(many, 200, -1) == 200, "all");
    ktap.check(ended_well(late), "writer");
    ktap.test("many files at once");
    close(empty);
    close(full);
}

void interrupted(Ktap& ktap) {
    const pid_t parent = getpid();
    signals_seen = 0;
    count_signal(SIGUSR1, SA_RESTART);
    pid_t sender = child([&] {
        pause_ms(30);
        return kill(parent, SIGUSR1) == 0;
    });
    const int event = eventfd(0, 0);
    pollfd one{event, POLLIN, 0};
    fails(ktap, "a signal ends poll, even with SA_RESTART: EINTR", poll(&one, 1, 5000), EINTR);
    ended_well(sender);
    sigset_t blocked, none;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, nullptr);
    signals_seen = 0;
    kill(parent, SIGUSR1);
    timespec time{5, 0};
    fails(ktap, "ppoll with a mask that lets a pending signal in: EINTR", ppoll(&one, 1, &time, &none), EINTR);
    ktap.test("its handler ran once", signals_seen == 1);
    sigset_t now;
    sigprocmask(SIG_SETMASK, nullptr, &now);
    ktap.test("and the old mask is back", sigismember(&now, SIGUSR1) == 1);
    time = {0, 1000000};
    kill(parent, SIGUSR1);
    gives(ktap, "ppoll without a mask does not see it", ppoll(&one, 1, &time, nullptr), 0);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(event, &set);
    time = {5, 0};
    fails(ktap, "pselect with a mask: EINTR", pselect(event + 1, &set, nullptr, nullptr, &time, &none), EINTR);
    kill(parent, SIGUSR1);
    const int instance = epoll_create1(0);
    epoll_event found;
    fails(ktap, "epoll_pwait with a mask: EINTR", epoll_pwait(instance, &found, 1, 5000, &none), EINTR);
    ktap.test("each handler ran", signals_seen == 3);
    kill(parent, SIGUSR1);
    add(event);
    ktap.check(ppoll(&one, 1, &time, &none) == 1, "ready");
    ktap.test("what is ready comes before a signal");
    sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
    fails(ktap, "a mask of another size: EINVAL", syscall(SYS_ppoll, &one, 1, nullptr, &none, 4), EINVAL);
    time = {0, 1000000000};
    fails(ktap, "ppoll with 10^9 ns: EINVAL", ppoll(&one, 1, &time, nullptr), EINVAL);
    time = {-1, 0};
    fails(ktap, "ppoll with a negative time: EINVAL", ppoll(&one, 1, &time, nullptr), EINVAL);
    drain(event);
    time = {0, 20000000};
    ktap.check(syscall(SYS_ppoll, &one, 1, &time, nullptr, 8) == 0 && time.tv_sec == 0 && time.tv_nsec == 0, "%ld",
               time.tv_nsec);
    ktap.test("the call tells that no time is left");
    close(event);
    close(instance);
}

void selects(Ktap& ktap) {
    int ends[2];
    ktap.check(pipe(ends) == 0, "pipe");
    fd_set in, out, other;
    const auto fill = [&](fd_set& set, int a, int b = -1) {
        FD_ZERO(&set);
        FD_SET(a, &set);
        if (b >= 0)
            FD_SET(b, &set);
    };
    fill(in, ends[0]);
    fill(out, ends[1]);
    fill(other, ends[0], ends[1]);
    const int top = ends[1] + 1;
    timeval time{0, 0};
    gives(ktap, "select counts bits", select(top, &in, &out, &other, &time), 1);
    ktap.test("and leaves those that are ready",
              !FD_ISSET(ends[0], &in) && FD_ISSET(ends[1], &out) && !FD_ISSET(ends[0], &other));
    ktap.check(write(ends[1], "s", 1) == 1, "write");
    fill(in, ends[0]);
    fill(out, ends[1]);
    gives(ktap, "two sets, two bits", select(top, &in, &out, nullptr, nullptr), 2);
    fill(in, ends[0]);
    gives(ktap, "descriptors from the first argument on are not looked at",
          select(ends[0], &in, nullptr, nullptr, &time), 0);
    gives(ktap, "nothing at all", select(0, nullptr, nullptr, nullptr, &time), 0);
    fails(ktap, "a negative count: EINVAL", select(-1, nullptr, nullptr, nullptr, &time), EINVAL);
    time = {-1, 0};
    fails(ktap, "a negative time: EINVAL", select(0, nullptr, nullptr, nullptr, &time), EINVAL);
    time = {0, 20000};
    const long start = now_ms();
    ktap.check(select(0, nullptr, nullptr, nullptr, &time) == 0 && now_ms() - start >= 19, "%ld", now_ms() - start);
    ktap.check(time.tv_sec == 0 && time.tv_usec == 0, "%ld left", time.tv_usec);
    ktap.test("select sleeps and tells what is left");
    close(ends[1]);
    fill(in, ends[0]);
    ktap.test("the end of file is readable", select(ends[0] + 1, &in, nullptr, nullptr, nullptr) == 1);
    close(ends[0]);
    fill(in, ends[0]);
    time = {0, 0};
    fails(ktap, "a closed descriptor: EBADF", select(top, &in, nullptr, nullptr, &time), EBADF);
    fails(ktap, "a bad address: EFAULT", syscall(SYS_select, 4, 8, 0, 0, 0), EFAULT);
}

} // namespace

int main() {
    alarm(60);
    Ktap ktap(36);
    polls(ktap);
    interrupted(ktap);
    selects(ktap);
    return ktap.finish();
}
