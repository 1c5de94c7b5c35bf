// The same requests by one thread, an event loop of coroutines: one epoll_wait() tells of every pipe that has
// something, and whatever is ready then makes its calls. Posted through libflexsc they share crossings; `native` makes
// each at once, which is the same program as it is written today:  requests-loop [TOTAL] [MOST] [native]
#include <cstring>
#include <memory>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "userland/bench/requests/requests.h"
#include "userland/lib/flexsc/coroutine.h"
#include "userland/lib/gate_native.h"

namespace {

using namespace tollgate;
using namespace tollgate::requests;
using tollgate::flexsc::Loop;
using tollgate::flexsc::Task;

/// The interface of Loop; a call is made where it stands.
class NativeLoop {
public:
    struct Made {
        long result;
        static bool await_ready() noexcept { return true; }
        static void await_suspend(std::coroutine_handle<> /*never*/) noexcept {}
        [[nodiscard]] long await_resume() const noexcept { return result; }
    };
    template <class... A>
    Made call(unsigned number, A... arguments) {
        return {Native::call(number, arguments...)};
    }
    static void start(Task<> task) { std::move(task).start(); }
    static int run() { return 0; } // everything has run when the last one has been started
};

/// A descriptor that is read: is it ready, and who waits for that?
struct Source {
    bool ready = false;
    std::coroutine_handle<> waiter;

    [[nodiscard]] bool await_ready() const noexcept { return ready; }
    void await_suspend(std::coroutine_handle<> handle) noexcept { waiter = handle; }
    void await_resume() noexcept { ready = false; }
    void becomes_ready() {
        ready = true;
        if (waiter)
            std::exchange(waiter, nullptr).resume();
    }
};

/// What one run has: who waits, and how many coroutines are still at it.
template <class L>
struct Run {
    L& loop;
    const Content& content;
    int epoll = epoll_create1(EPOLL_CLOEXEC), end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    unsigned live = 0;
    Histogram latency{};
    bool good = true;

    ~Run() {
        close(epoll);
        close(end);
    }
    bool watch(int fd, Source* source) const {
        epoll_event event{EPOLLIN | EPOLLET, {.ptr = source}};
        return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
    }

    /// Edge-triggered: what has come is told once, perhaps after it has been read.
    Task<long> read_message(int fd, Source& source, Message& message) {
        long got;
        do {
            co_await source;
            got = co_await loop.call(SYS_read, fd, &message, sizeof message);
        } while (got == -EAGAIN);
        co_return got;
    }

    Task<> leave(int fd) {
        co_await loop.call(SYS_close, fd);
        const std::uint64_t one = 1;
        if (--live == 0)
            co_await loop.call(SYS_write, end, &one, sizeof one);
    }

    Task<> serve(const Connection& connection, Source& source) {
        Message message;
        unsigned char block[kBlock];
        while (co_await read_message(connection.request[0], source, message) == sizeof message) {
            if (co_await loop.call(SYS_pread64, content.fd, block, kBlock, message.block * kBlock) != kBlock)
                break;
            message.checksum = checksum(block);
            if (co_await loop.call(SYS_write, connection.answer[1], &message, sizeof message) != sizeof message)
                break;
        }
        co_await leave(connection.answer[1]);
    }

    Task<> ask(const Connection& connection, Source& source, unsigned seed, unsigned rounds) {
        for (unsigned i = 0; i < rounds; ++i) {
            Message message{(seed + i) % kBlocks, 0};
            const std::uint64_t wanted = content.sums[message.block];
            const std::uint64_t begin = now();
            good = co_await loop.call(SYS_write, connection.request[1], &message, sizeof message) == sizeof message &&
                   good;
            good = co_await read_message(connection.answer[0], source, message) == sizeof message && good;
            good = good && message.checksum == wanted;
            latency.record(now() - begin);
        }
        co_await leave(connection.request[1]);
    }

    Task<> tell() {
        constexpr int kMost = 256;
        epoll_event events[kMost];
        while (live != 0) {
            const long got = co_await loop.call(SYS_epoll_wait, epoll, events, kMost, -1);
            good = good && got > 0;
            for (long i = 0; i < got; ++i)
                if (events[i].data.ptr != nullptr) // else the end
                    static_cast<Source*>(events[i].data.ptr)->becomes_ready();
        }
    }
};

template <class L>
bool run_once(L& loop, const Content& content, unsigned concurrency, unsigned rounds) {
    auto connections = std::make_unique<Connection[]>(concurrency);
    auto sources = std::make_unique<Source[]>(2 * concurrency);
    if (!connect(connections.get(), concurrency, O_NONBLOCK))
        return false;
    Run<L> run{loop, content};
    run.live = 2 * concurrency;
    run.good = run.watch(run.end, nullptr);
    for (unsigned i = 0; i < concurrency; ++i)
        run.good = run.watch(connections[i].request[0], &sources[2 * i]) &&
                   run.watch(connections[i].answer[0], &sources[2 * i + 1]) && run.good;
    const std::uint64_t begin = now();
    for (unsigned i = 0; i < concurrency; ++i) {
        loop.start(run.serve(connections[i], sources[2 * i]));
        loop.start(run.ask(connections[i], sources[2 * i + 1], i, rounds));
    }
    loop.start(run.tell());
    run.good = loop.run() == 0 && run.good;
    print_line(concurrency, run.latency, now() - begin);
    for (unsigned i = 0; i < concurrency; ++i) {
        close(connections[i].request[0]);
        close(connections[i].answer[0]);
    }
    return run.good;
}

template <class L>
int run_all(L& loop, unsigned total, unsigned most) {
    const Content content;
    for (unsigned concurrency = 1; concurrency <= most; concurrency *= 2)
        if (!run_once(loop, content, concurrency, rounds_of(concurrency, total))) {
            std::puts("a wrong answer");
            return 1;
        }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const unsigned total = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 4096;
    const unsigned most = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 512;
    if (argc > 3 && std::strcmp(argv[3], "native") == 0) {
        print_head("event loop, native calls");
        NativeLoop loop;
        return run_all(loop, total, most);
    }
    Loop loop(FLEXSC_DEFAULT, 8);
    if (loop.error() != 0) {
        std::printf("no syscall pages: error %d\n", loop.error());
        return 1;
    }
    print_head("event loop, libflexsc");
    return run_all(loop, total, most);
}
