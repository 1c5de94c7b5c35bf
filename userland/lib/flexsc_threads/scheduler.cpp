#include "userland/lib/flexsc_threads/scheduler.h"

#include <immintrin.h>
#include <iterator>
#include <sys/syscall.h>

#include "userland/lib/gate_native.h"

namespace tollgate::threads {

thread_local constinit Thread* self = nullptr;

extern "C" void flexsc_threads_switch(Thread* from, const Thread* to, bool may_write_fs);

constinit bool may_write_fs = false;

namespace {

/// Switches after which a core looks at its pages although threads are ready, so that two that yield to each other keep
/// no call waiting.
constexpr unsigned kTurns = 64;

constinit std::atomic<unsigned> locks[64];

std::atomic<unsigned>& lock_of(const void* object) {
    return locks[(reinterpret_cast<std::uintptr_t>(object) >> 4) % std::size(locks)];
}

void push(ReadyList& list, Thread& thread) {
    thread.next = nullptr;
    (list.first == nullptr ? list.first : list.last->next) = &thread;
    list.last = &thread;
}

Thread* pop(ReadyList& list) {
    Thread* const thread = list.first;
    if (thread != nullptr)
        list.first = thread->next;
    return thread;
}

void switch_to(Thread& next) {
    flexsc_threads_switch(self, &next, may_write_fs);
    finish_switch();
}

/// Takes what other cores have made ready; whether there was any.
bool take_remote(Core& core) {
    Thread* last = core.remote.exchange(nullptr, std::memory_order_acquire);
    if (last == nullptr)
        return false;
    Thread* first = nullptr; // the stack holds the latest first
    while (last != nullptr) {
        Thread* const before = last->next;
        last->next = first;
        first = last;
        last = before;
    }
    while (first != nullptr) {
        Thread* const next = first->next;
        push(core.ready, *first);
        first = next;
    }
    return true;
}

bool expire_timers(Core& core) {
    if (core.timers == nullptr)
        return false;
    const std::uint64_t now = monotonic_now();
    bool any = false;
    while (core.timers != nullptr && core.timers->deadline <= now) {
        Thread& thread = *core.timers;
        stop_timer(thread);
        thread.expired.store(true, std::memory_order_relaxed);
        make_ready(thread);
        any = true;
    }
    return any;
}

/// Everything that can make a thread ready without waiting.
bool look_around(Core& core) {
    core.turns = 0;
    bool any = flexsc_dispatch(&core.context) > 0;
    any |= take_remote(core);
    return expire_timers(core) || any;
}

void alarm_rang(void* context, long) { static_cast<Core*>(context)->alarm = 0; }
void doorbell_rang(void* context, long) { static_cast<Core*>(context)->doorbell_read = false; }

/// Posts what is to end the coming wait besides calls of threads.
void set_alarms(Core& core) {
    constexpr std::uint64_t kSecond = 1'000'000'000;
    if (core.timers != nullptr && (core.alarm == 0 || core.alarm > core.timers->deadline)) {
        const std::uint64_t when = core.timers->deadline;
        core.alarm_time = {static_cast<time_t>(when / kSecond), static_cast<long>(when % kSecond)};
        const long handle =
            flexsc_post(&core.context, SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &core.alarm_time, nullptr);
        if (handle >= 0) {
            core.alarm = when;
            flexsc_on_done(&core.context, handle, &alarm_rang, &core);
        }
    }
    if (!core.doorbell_read) {
        const long handle =
            flexsc_post(&core.context, SYS_read, core.doorbell, &core.doorbell_value, sizeof core.doorbell_value);
        if (handle >= 0) {
            core.doorbell_read = true;
            flexsc_on_done(&core.context, handle, &doorbell_rang, &core);
        }
    }
}

/// Nothing is ready: waits in the kernel.
void sleep_in_kernel(Core& core) {
    if (look_around(core))
        return;
    set_alarms(core);
    core.asleep.store(true, std::memory_order_seq_cst);
    // Whoever pushes after this look sees `asleep` and rings.
    if (core.remote.load(std::memory_order_seq_cst) == nullptr)
        (void)flexsc_wait(&core.context);
    core.asleep.store(false, std::memory_order_relaxed);
    look_around(core);
}

void ring(const Core& core) {
    const std::uint64_t one = 1;
    Native::call(SYS_write, core.doorbell, &one, sizeof one);
}

void finished(void* context, long result) {
    Thread& thread = *static_cast<Thread*>(context);
    thread.call_result = result;
    thread.call_done = true;
    make_ready(thread);
}

} // namespace

Guard::Guard(const void* object) : lock_(lock_of(object)) {
    while (lock_.exchange(1, std::memory_order_acquire) != 0)
        _mm_pause();
}
Guard::~Guard() { lock_.store(0, std::memory_order_release); }

void enqueue(Queue& queue, Thread& thread) {
    thread.queue_next = nullptr;
    thread.queue_previous = queue.tail;
    (queue.tail == nullptr ? queue.head : queue.tail->queue_next) = &thread;
    queue.tail = &thread;
    thread.queued.store(true, std::memory_order_relaxed);
}

void remove(Queue& queue, Thread& thread) {
    (thread.queue_previous == nullptr ? queue.head : thread.queue_previous->queue_next) = thread.queue_next;
    (thread.queue_next == nullptr ? queue.tail : thread.queue_next->queue_previous) = thread.queue_previous;
    // Release: the thread sees what the object looks like now.
    thread.queued.store(false, std::memory_order_seq_cst);
}

Thread* dequeue(Queue& queue) {
    Thread* const thread = queue.head;
    if (thread != nullptr)
        remove(queue, *thread);
    return thread;
}

void block() {
    Core& core = *self->core;
    if (++core.turns >= kTurns && core.ready.first != nullptr) {
        // On the own core posted calls run in flexsc_wait() alone.
        if (flexsc_dispatch(&core.context) == 0)
            (void)flexsc_kick(&core.context);
        look_around(core);
    }
    for (;;) {
        Thread* const next = pop(core.ready);
        if (next == self)
            return;
        if (next != nullptr)
            return switch_to(*next);
        sleep_in_kernel(core);
    }
}

void leave() {
    Core& core = *self->core;
    core.left = self;
    Thread* const next = pop(core.ready);
    switch_to(next != nullptr ? *next : *core.idle);
    __builtin_unreachable();
}

void yield() {
    if (self == nullptr) {
        Native::call(SYS_sched_yield);
        return;
    }
    push(self->core->ready, *self);
    block();
}

void make_ready(Thread& thread) {
    if (thread.ready.exchange(1, std::memory_order_seq_cst) != 0)
        return;
    Core& core = *thread.core;
    if (self != nullptr && self->core == &core) {
        push(core.ready, thread);
        // Asleep all the same: we are in a signal's handler.
        if (!core.asleep.load(std::memory_order_relaxed))
            return;
        return ring(core);
    }
    Thread* top = core.remote.load(std::memory_order_relaxed);
    do
        thread.next = top;
    while (!core.remote.compare_exchange_weak(top, &thread, std::memory_order_seq_cst, std::memory_order_relaxed));
    if (core.asleep.load(std::memory_order_seq_cst))
        ring(core);
}

std::uint64_t monotonic_now() {
    std::timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); // the vDSO's
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t deadline_of(clockid_t clock, const std::timespec& time) {
    std::timespec now;
    clock_gettime(clock, &now);
    // Longer than 100 years is for ever.
    constexpr std::int64_t kForEver = 3'200'000'000;
    const std::int64_t seconds = time.tv_sec < now.tv_sec + kForEver ? time.tv_sec - now.tv_sec : kForEver;
    const std::int64_t left = seconds * 1'000'000'000 + time.tv_nsec - now.tv_nsec;
    return monotonic_now() + static_cast<std::uint64_t>(left > 0 ? left : 0);
}

void start_timer(Thread& thread, std::uint64_t deadline) {
    thread.expired.store(false, std::memory_order_relaxed);
    thread.deadline = deadline;
    thread.timed = true;
    Thread** place = &thread.core->timers;
    while (*place != nullptr && (*place)->deadline <= deadline)
        place = &(*place)->timer_next;
    thread.timer_next = *place;
    *place = &thread;
}

void stop_timer(Thread& thread) {
    if (!thread.timed)
        return;
    Thread** place = &thread.core->timers;
    while (*place != &thread)
        place = &(*place)->timer_next;
    *place = thread.timer_next;
    thread.timed = false;
}

bool wait_in_queue(Queue& queue, const void* object, const std::uint64_t* deadline) {
    Thread& me = *self;
    if (deadline == nullptr) {
        wait_while([&] { return me.queued.load(std::memory_order_seq_cst); });
        return true;
    }
    start_timer(me, *deadline);
    wait_while(
        [&] { return me.queued.load(std::memory_order_seq_cst) && !me.expired.load(std::memory_order_relaxed); });
    stop_timer(me);
    if (!me.queued.load(std::memory_order_seq_cst))
        return true;
    Guard guard(object);
    if (!me.queued.load(std::memory_order_relaxed))
        return true;
    remove(queue, me);
    return false;
}

long system_call(unsigned number, unsigned count, long a, long b, long c, long d, long e, long f) {
    if (self == nullptr)
        return Native::call(number, a, b, c, d, e, f);
    Thread& me = *self;
    struct ::flexsc* const context = &me.core->context;
    long handle;
    // No entry is free: others run, until a call is done and its thread has reaped it.
    while ((handle = flexsc_post_words(context, number, count, a, b, c, d, e, f)) < 0) {
        if (!look_around(*me.core) && flexsc_wait(context) < 0)
            return -EAGAIN;
        yield();
    }
    me.call_done = false;
    flexsc_on_done(context, handle, &finished, &me);
    wait_while([&] { return !me.call_done; });
    return me.call_result;
}

} // namespace tollgate::threads
