// The cores and their loop: post, switch to a ready thread; none is ready: look for calls that are done; none is done:
// flexsc_wait(). The loop runs on the stack of
// whichever user thread waits.
#pragma once

#include "userland/lib/flexsc/flexsc.h"
#include "userland/lib/flexsc_threads/thread.h"

namespace tollgate::threads {

/// Ready threads in the order in which they became so.
struct ReadyList {
    Thread* first;
    Thread* last;
};

/// One kernel-visible thread, its syscall pages and its user threads.
struct Core {
    struct ::flexsc context;
    ReadyList ready;
    std::atomic<Thread*> remote; ///< made ready by other cores: a stack
    std::atomic<bool> asleep;    ///< about to wait in the kernel: others must ring
    int doorbell;                ///< an eventfd, of which a posted call reads while the core is asleep
    bool doorbell_read;          ///< that call is under way
    std::uint64_t doorbell_value;
    Thread* timers;      ///< the nearest deadline first
    std::uint64_t alarm; ///< deadline for which a posted sleep is under way; 0: none
    std::timespec alarm_time;
    Thread* idle;   ///< runs when a thread ends and no other is ready: nobody else may stand on its stack
    Thread* left;   ///< has ended, and the one that runs next puts it away
    unsigned turns; ///< switches since the core last looked at its pages
    int kernel_tid;
    std::uintptr_t kernel_tcb; ///< the kernel thread's own
};

/// WRFSBASE may be used.
extern bool may_write_fs;

Core& core_for_new_thread();
/// After fork(): the calling thread is all that is left.
void restart_after_fork();

/// Runs other threads until the calling one is made ready. Only for wait_while().
void block();
/// Lets every other ready thread of the core run first.
void yield();
/// The thread is to look again at what it waits for. From any core.
void make_ready(Thread& thread);
/// For Core::idle; null without memory.
Thread* make_idle_thread(Core& core);
/// Switches away for good; whoever runs next publishes the end of the thread.
[[noreturn]] void leave();
/// To be called wherever a switch arrives.
void finish_switch();

std::uint64_t monotonic_now();
/// `time` of `clock` as nanoseconds of CLOCK_MONOTONIC; a step of the real-time clock after this is not noticed.
std::uint64_t deadline_of(clockid_t clock, const std::timespec& time);
void start_timer(Thread& thread, std::uint64_t deadline);
void stop_timer(Thread& thread);

/// Waits as long as `condition()` holds; whoever makes it false calls make_ready() afterwards.
template <class Condition>
void wait_while(Condition&& condition) {
    Thread& me = *self;
    while (condition()) {
        me.ready.store(0, std::memory_order_seq_cst);
        // Whoever changes the condition from now on finds us not ready. If it has changed meanwhile and we are ready by
        // somebody else's hand, then we are in a list, and have to come out of it.
        if (!condition() && me.ready.exchange(1, std::memory_order_seq_cst) == 0)
            return;
        block();
    }
}

/// Waits in the queue of `object`, into which the caller has put itself, until somebody takes it out, or the deadline.
/// Whether somebody did; if not, it has left the queue.
bool wait_in_queue(Queue& queue, const void* object, const std::uint64_t* deadline);

/// Posts a call and runs other threads until it is done; a value or -errno. In foreign threads a native call.
long system_call(unsigned number, unsigned count, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                 long f = 0);

} // namespace tollgate::threads
