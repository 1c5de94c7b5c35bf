// Threads: futexes without and with somebody who waits, and threads that are made and joined.
#include <atomic>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userland/bench/calls/operation.h"

namespace tollgate::calls {
namespace {

std::atomic<int> idle{0};

[[gnu::noipa]] long futex_wake_none() { return Native::call(SYS_futex, &idle, FUTEX_WAKE_PRIVATE, 1); }

// ---- ping-pong: the word says whose turn it is; each side sets it, wakes the other and waits for its own turn ----

enum Turn { kMine, kOther, kStop };
std::atomic<int> turn{kMine};
pthread_t partner;
bool has_partner;

void pass_to(int next) {
    turn.store(next, std::memory_order_release);
    Native::call(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1);
}

/// Waits while the word is `whose`; gives up on an error other than those that say "look again".
long wait_while(int whose) {
    while (turn.load(std::memory_order_acquire) == whose) {
        const long result = Native::call(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, whose, 0);
        if (result < 0 && result != -EAGAIN && result != -EINTR)
            return result;
    }
    return 0;
}

[[gnu::noipa]] long futex_pingpong() {
    pass_to(kOther);
    return wait_while(kOther);
}

void* answer(void*) {
    while (wait_while(kMine) == 0 && turn.load() == kOther)
        pass_to(kMine);
    return nullptr;
}

long start_partner() {
    turn = kMine;
    const int error = pthread_create(&partner, nullptr, answer, nullptr);
    has_partner = error == 0;
    return -error;
}
void stop_partner() {
    if (!has_partner)
        return;
    pass_to(kStop);
    pthread_join(partner, nullptr);
    has_partner = false;
}

void* nothing(void*) { return nullptr; }

[[gnu::noipa]] long pthread_create_join() {
    pthread_t thread;
    const int error = pthread_create(&thread, nullptr, nothing, nullptr);
    return error != 0 ? -error : -pthread_join(thread, nullptr);
}

constexpr Operation kOperations[] = {
    operation<futex_wake_none>("futex_wake_none", 150, 500),
    operation<futex_pingpong>("futex_pingpong", 1500, 50, start_partner, stop_partner),
    operation<pthread_create_join>("pthread_create_join", 12000, 5),
};

} // namespace

std::span<const Operation> thread_operations() { return kOperations; }

} // namespace tollgate::calls
