// A user thread and what the files of FlexSC-Threads share about it (docs/flexsc_threads.md). M user threads run on N
// kernel-visible threads, the cores; each belongs to one core from its creation to its end, so that only that core ever
// saves, loads or frees its context. pthread_t is the thread's TCB, as in glibc, so that functions of glibc that we do
// not replace find something sensible behind it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <pthread.h>

namespace tollgate::threads {

struct Core;
struct Thread;

/// Threads that wait for one object, first come first served. All zero is an empty one: it lies in pthread_mutex_t and
/// its like, which programs initialise by zeros. Guarded by Guard(the object's address).
struct Queue {
    Thread* head;
    Thread* tail;
};

/// glibc's limit [PTHREAD_KEYS_MAX]; the first few values lie in the thread itself.
inline constexpr unsigned kKeys = 1024, kOwnKeys = 32;
struct Value {
    void* pointer;
    unsigned sequence; ///< of the key for which it was set: a deleted key's value is void
};

/// Named as in <pthread.h>'s C interface of pthread_cleanup_push().
struct CleanupBuffer;

struct Thread {
    // switch.S knows these two.
    std::uintptr_t stack_pointer; ///< while it does not run
    std::uintptr_t tcb;           ///< FS base

    Core* core;
    Thread* next;                ///< in a list of ready threads
    std::atomic<unsigned> ready; ///< 1: running or in such a list. scheduler.h: wait_while()

    Thread *queue_next, *queue_previous;
    std::atomic<bool> queued;  ///< in a Queue
    bool wants_write;          ///< in a rwlock's
    std::atomic<bool> expired; ///< its deadline has passed
    bool timed;                ///< in its core's list of deadlines
    std::uint64_t deadline;    ///< CLOCK_MONOTONIC, nanoseconds
    Thread* timer_next;

    bool call_done; ///< of the system call that it has posted
    long call_result;

    void* (*start)(void*);
    void* argument;
    void* value; ///< what it ended with
    std::atomic<bool> finished;
    bool detached;
    bool joined; ///< somebody is at it
    Queue joiners;

    char* stack; ///< lowest byte of the guard; null: not ours
    std::size_t stack_size, guard_size;
    bool own_stack; ///< to be unmapped by us
    char name[16];
    int cancel_state, cancel_type;
    CleanupBuffer* cleanup;
    Value own_values[kOwnKeys];
    Value* more_values; ///< kKeys - kOwnKeys of them, when the first is set
    Thread* pool_next;
};
static_assert(offsetof(Thread, stack_pointer) == 0 && offsetof(Thread, tcb) == 8);

/// The running user thread; null in a kernel thread that is none of ours (or before the constructor has run), whose
/// calls then go the native way.
[[gnu::tls_model("initial-exec")]] extern thread_local constinit Thread* self;

Thread* of(pthread_t thread);
inline pthread_t handle_of(const Thread& thread) { return thread.tcb; }

/// Spins on a lock chosen by the address: an object may go as soon as the last waiter has left, its lock stays.
class Guard {
public:
    explicit Guard(const void* object);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

private:
    std::atomic<unsigned>& lock_;
};

// --- queues; the caller holds the object's Guard
void enqueue(Queue& queue, Thread& thread);
Thread* dequeue(Queue& queue);
void remove(Queue& queue, Thread& thread);

// --- tls.cpp
/// Where things lie in a TCB of this glibc; to be called by the main thread first.
void find_tls_layout();
/// A TCB with its TLS blocks; 0 without memory.
std::uintptr_t make_tls();
/// Makes a TCB as good as new, but for what the C library keeps in it from one thread to the next.
void renew_tls(std::uintptr_t tcb);
/// Which kernel thread this thread runs on, for the C library's own locks.
void set_kernel_thread(std::uintptr_t tcb, int tid);
/// To be called by a new thread.
void enter_tls();
/// What libraries have stored in TLS for this thread is destroyed.
void leave_tls();

// --- keys.cpp
void run_key_destructors(Thread& thread);

// --- guard.cpp
/// Reports a stack overflow by the thread's name; once a kernel thread.
void watch_guards();

// --- real_dynamic.cpp or real_static.cpp: what we replace, for our own use
int real_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument);
int real_pthread_getattr_np(pthread_t thread, pthread_attr_t* attributes);
extern "C" int __libc_fork();

} // namespace tollgate::threads
