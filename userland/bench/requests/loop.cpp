// The same requests by one thread: an event loop of coroutines over libflexsc:  requests-loop [TOTAL] [MOST]
#include <memory>
#include <sys/syscall.h>

#include "userland/bench/requests/requests.h"
#include "userland/lib/flexsc/coroutine.h"

namespace {

using namespace tollgate;
using namespace tollgate::requests;
using tollgate::flexsc::Loop;
using tollgate::flexsc::Task;

Task<> serve(Loop& loop, const Content& content, const Connection& connection) {
    Message message;
    unsigned char block[kBlock];
    while (co_await loop.call(SYS_read, connection.request[0], &message, sizeof message) == sizeof message) {
        if (co_await loop.call(SYS_pread64, content.fd, block, kBlock, message.block * kBlock) != kBlock)
            break;
        message.checksum = checksum(block);
        if (co_await loop.call(SYS_write, connection.answer[1], &message, sizeof message) != sizeof message)
            break;
    }
    co_await loop.call(SYS_close, connection.answer[1]);
}

Task<> ask(Loop& loop, const Content& content, const Connection& connection, unsigned seed, unsigned rounds,
           Histogram& latency, bool& good) {
    for (unsigned i = 0; i < rounds; ++i) {
        Message message{(seed + i) % kBlocks, 0};
        const std::uint64_t wanted = content.sums[message.block];
        const std::uint64_t begin = now();
        good = co_await loop.call(SYS_write, connection.request[1], &message, sizeof message) == sizeof message && good;
        good = co_await loop.call(SYS_read, connection.answer[0], &message, sizeof message) == sizeof message && good;
        good = good && message.checksum == wanted;
        latency.record(now() - begin);
    }
    co_await loop.call(SYS_close, connection.request[1]);
}

bool run(Loop& loop, const Content& content, unsigned concurrency, unsigned rounds) {
    auto connections = std::make_unique<Connection[]>(concurrency);
    if (!connect(connections.get(), concurrency))
        return false;
    Histogram latency;
    bool good = true;
    const std::uint64_t begin = now();
    for (unsigned i = 0; i < concurrency; ++i) {
        loop.start(serve(loop, content, connections[i]));
        loop.start(ask(loop, content, connections[i], i, rounds, latency, good));
    }
    good = loop.run() == 0 && good;
    print_line(concurrency, latency, now() - begin);
    for (unsigned i = 0; i < concurrency; ++i) {
        close(connections[i].request[0]);
        close(connections[i].answer[0]);
    }
    return good;
}

} // namespace

int main(int argc, char** argv) {
    const unsigned total = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 4096;
    const unsigned most = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 512;
    const Content content;
    Loop loop(FLEXSC_DEFAULT, 8);
    if (loop.error() != 0) {
        std::printf("no syscall pages: error %d\n", loop.error());
        return 1;
    }
    print_head("event loop of coroutines");
    // A connection has up to two calls that wait for each other: no more than there are entries for.
    for (unsigned concurrency = 1; concurrency <= most && concurrency <= FLEXSC_MAX_PAGES * FLEXSC_ENTRIES_PER_PAGE / 2;
         concurrency *= 2)
        if (!run(loop, content, concurrency, rounds_of(concurrency, total)))
            return 1;
    return 0;
}
