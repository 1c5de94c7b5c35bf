// Thread per request: each connection has a client's and a server's thread, blocking calls everywhere. Built twice,
// with the C library's threads and with FlexSC-Threads:  requests-threads, requests-flexsc [TOTAL] [MOST]
#include <memory>
#include <pthread.h>

#include "userland/bench/requests/requests.h"

namespace {

using namespace tollgate;
using namespace tollgate::requests;

const Content* content;

struct Pair {
    Connection connection;
    unsigned seed, rounds;
    bool good;
    Histogram latency;
};

void* serve(void* argument) {
    auto& pair = *static_cast<Pair*>(argument);
    Message message;
    unsigned char block[kBlock];
    while (read(pair.connection.request[0], &message, sizeof message) == sizeof message) {
        if (pread(content->fd, block, kBlock, static_cast<off_t>(message.block * kBlock)) != kBlock)
            break;
        message.checksum = checksum(block);
        if (write(pair.connection.answer[1], &message, sizeof message) != sizeof message)
            break;
    }
    close(pair.connection.answer[1]);
    return nullptr;
}

void* ask(void* argument) {
    auto& pair = *static_cast<Pair*>(argument);
    pair.good = true;
    for (unsigned i = 0; i < pair.rounds; ++i) {
        Message message{(pair.seed + i) % kBlocks, 0};
        const std::uint64_t wanted = content->sums[message.block];
        const std::uint64_t begin = now();
        pair.good = pair.good && write(pair.connection.request[1], &message, sizeof message) == sizeof message &&
                    read(pair.connection.answer[0], &message, sizeof message) == sizeof message &&
                    message.checksum == wanted;
        pair.latency.record(now() - begin);
    }
    close(pair.connection.request[1]);
    return nullptr;
}

bool run(unsigned concurrency, unsigned rounds) {
    auto pairs = std::make_unique<Pair[]>(concurrency);
    auto threads = std::make_unique<pthread_t[]>(2 * concurrency);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    for (unsigned i = 0; i < concurrency; ++i) {
        pairs[i].seed = i;
        pairs[i].rounds = rounds;
        if (!connect(&pairs[i].connection, 1))
            return false;
    }
    const std::uint64_t begin = now();
    for (unsigned i = 0; i < concurrency; ++i)
        if (pthread_create(&threads[2 * i], &attributes, &serve, &pairs[i]) != 0 ||
            pthread_create(&threads[2 * i + 1], &attributes, &ask, &pairs[i]) != 0)
            return false;
    for (unsigned i = 0; i < 2 * concurrency; ++i)
        pthread_join(threads[i], nullptr);
    const std::uint64_t elapsed = now() - begin;
    Histogram all;
    bool good = true;
    for (unsigned i = 0; i < concurrency; ++i) {
        all.add(pairs[i].latency);
        good = good && pairs[i].good;
        close(pairs[i].connection.request[0]);
        close(pairs[i].connection.answer[0]);
    }
    print_line(concurrency, all, elapsed);
    return good;
}

} // namespace

int main(int argc, char** argv) {
    const unsigned total = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 4096;
    const unsigned most = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 512;
    const Content shared;
    content = &shared;
    print_head("thread per request");
    for (unsigned concurrency = 1; concurrency <= most; concurrency *= 2)
        if (!run(concurrency, rounds_of(concurrency, total)))
            return 1;
    return 0;
}
