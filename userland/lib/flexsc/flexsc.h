/* libflexsc: exception-less system calls for C and C++. A program writes calls into shared pages and goes on; the
 * kernel executes them there, many to one crossing or on another core (docs/flexsc.md; the idea: FlexSC, OSDI'10, and
 * its event-driven use, ATC'11). What is called once a system call is inline and allocates nothing; the rest is
 * flexsc.cpp.
 *
 *     struct flexsc f;
 *     if (flexsc_open(&f, FLEXSC_DEFAULT, 1) < 0) ...              // this thread's pages
 *     long a = flexsc_post(&f, SYS_pread64, fd, buffer, 4096, 0);  // a handle, or -EAGAIN: reap something first
 *     long b = flexsc_post(&f, SYS_getppid);
 *     long parent = flexsc_await(&f, b);                           // executes both
 *     long got = flexsc_await(&f, a);                              // is done already
 *
 * A context belongs to the thread that opened it, and no function here may be called for it by another; every thread
 * opens its own. Memory that a call's arguments point to must stay until the call is reaped. A child of fork() has no
 * pages: it opens a context of its own, and may not touch its parent's.
 *
 * What is inline touches a context's `free` and `fresh` alone. A loop that posts or reaps many calls may work on a
 * local copy and store these two back, so that the compiler keeps them in registers (userland/bench/flexsc_batch.h
 * does).
 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who executes what is posted; as api::FlexscPolicy. */
enum flexsc_policy {
    FLEXSC_OWN = 0,         /* the caller's core, inside flexsc_wait() */
    FLEXSC_WORKER_IPI = 1,  /* a worker core, woken by an interrupt */
    FLEXSC_WORKER_POLL = 2, /* a worker core that looks for work for a while before it sleeps */
    FLEXSC_ADAPTIVE = 3,    /* the kernel chooses by what it measures */
    FLEXSC_DEFAULT = 4      /* what the kernel option flexsc.policy says */
};

enum flexsc_status { FLEXSC_FREE = 0, FLEXSC_SUBMITTED = 1, FLEXSC_BUSY = 2, FLEXSC_DONE = 3 };

enum { FLEXSC_ENTRIES_PER_PAGE = 64, FLEXSC_MAX_PAGES = 8 };

/* One call; as api::FlexscEntry. While an entry is free its first word links the free entries. */
struct flexsc_entry {
    uint64_t args[6];
    int64_t result;
    uint64_t control; /* number, argument count << 32, status << 48 */
};

/* Called by flexsc_dispatch() with the result of a call: a value, or -errno. It may post, and may not dispatch. */
typedef void (*flexsc_callback)(void* context, long result);

struct flexsc_slot {
    flexsc_callback callback;
    void* context;
};

/* The private half of a context. A handle is an entry's address. */
struct flexsc {
    struct flexsc_entry* entries;
    struct flexsc_entry* fresh; /* entries from here on were never used, and need not be searched */
    struct flexsc_entry* end;
    long free;                 /* the handle of the first free entry, or -EAGAIN */
    unsigned policy;           /* the one in force */
    struct flexsc_slot* slots; /* one an entry: callback of the call that is under way there */
};

/* Gives the calling thread `pages` syscall pages of 64 entries each (0: eight) and makes `f` their context. 0, or
 * -EINVAL (policy or pages), -ENODEV (no worker core), -EBUSY (the thread has an open context, or a closed one of fewer
 * pages or another policy), -ENOSPC (too many threads of the process), -ENOMEM, -ENOSYS (not a kernel with FlexSC). */
int flexsc_open(struct flexsc* f, enum flexsc_policy policy, unsigned pages);

/* Waits for every call that is under way, without calling callbacks, and gives the context up. The pages stay the
 * thread's until it ends, and its next flexsc_open() takes them, as good as new. */
void flexsc_close(struct flexsc* f);

/* Executes, or waits for, what is posted, and returns when a call is done: > 0 (how many became done since it last
 * returned; they may have been reaped meanwhile), 0 (nothing is under way), -EINTR, -EINVAL (not this thread's). */
long flexsc_wait(struct flexsc* f);

/* Has posted calls begun without waiting for any: on the own core those that do not block are done when it returns. */
long flexsc_kick(struct flexsc* f);

/* Waits until the call is done: 0; or flexsc_wait()'s error, or -EINVAL if no such call is under way. */
long flexsc_finish(struct flexsc* f, long handle);

/* Waits for one call, reaps it, and returns its result. Calls that are done meanwhile stay for their owners. */
long flexsc_await(struct flexsc* f, long handle);

/* Runs the callbacks of all calls that are done; returns how many. */
long flexsc_dispatch(struct flexsc* f);

/* Dispatches, waiting first if nothing is done yet. > 0: callbacks run; 0: no call is under way; or flexsc_wait()'s
 * error. */
long flexsc_run_once(struct flexsc* f);

/* Calls that are posted and not yet reaped. Searches the pages. */
unsigned flexsc_in_flight(const struct flexsc* f);

/* The first done call that has no callback, in the order of the pages; -EAGAIN if there is none. */
long flexsc_next_done(const struct flexsc* f);

static inline __attribute__((always_inline)) struct flexsc_entry* flexsc_entry_of(long handle) {
    return (struct flexsc_entry*)handle;
}

/* The entry's index, 0 to 64 * pages - 1. */
static inline unsigned flexsc_index(const struct flexsc* f, long handle) {
    return (unsigned)(flexsc_entry_of(handle) - f->entries);
}

/* An entry's status. A plain load and a compiler barrier, so that it can be one instruction with its comparison: x86
 * does not reorder loads [SDM vol 3, 8.2.2], and what is read after Done, the result, is there. */
static inline __attribute__((always_inline)) unsigned char flexsc_status_of(const struct flexsc_entry* entry) {
    const unsigned char status = ((const unsigned char*)&entry->control)[6];
    __asm__ volatile("" : : : "memory");
    return status;
}

/* Is the call done? */
static inline __attribute__((always_inline)) int flexsc_poll(const struct flexsc* f, long handle) {
    (void)f;
    return flexsc_status_of(flexsc_entry_of(handle)) == FLEXSC_DONE;
}

/* Takes the result of a call that is done and frees its entry. */
static inline __attribute__((always_inline)) long flexsc_reap(struct flexsc* f, long handle) {
    struct flexsc_entry* entry = flexsc_entry_of(handle);
    const long result = entry->result;
    entry->args[0] = (uint64_t)f->free;
    /* Release: whatever sees the entry free comes after our reading of the result. */
    __atomic_store_n((unsigned char*)&entry->control + 6, FLEXSC_FREE, __ATOMIC_RELEASE);
    f->free = handle;
    return result;
}

/* Has flexsc_dispatch() reap the call and run the callback. For a handle that flexsc_post() has just returned. */
static inline __attribute__((always_inline)) void flexsc_on_done(struct flexsc* f, long handle,
                                                                 flexsc_callback callback, void* context) {
    struct flexsc_slot* slot = f->slots + flexsc_index(f, handle);
    slot->callback = callback;
    slot->context = context;
}

/* Takes a free entry; -EAGAIN if all are in use. It is followed by flexsc_submit(). */
static inline __attribute__((always_inline)) long flexsc_claim(struct flexsc* f) {
    const long handle = f->free;
    if (__builtin_expect(handle < 0, 0)) {
        if (f->fresh == f->end)
            return -EAGAIN;
        return (long)f->fresh++;
    }
    f->free = (long)flexsc_entry_of(handle)->args[0];
    return handle;
}

/* Number, count and status go out by one aligned store, a release: whoever sees Submitted sees the arguments. On x86 it
 * costs nothing [SDM vol 3, 8.2.2: stores are not reordered with other stores]. */
static inline __attribute__((always_inline)) void flexsc_submit(struct flexsc_entry* entry, uint32_t number,
                                                                uint64_t count) {
    __atomic_store_n(&entry->control, number | count << 32 | (uint64_t)FLEXSC_SUBMITTED << 48, __ATOMIC_RELEASE);
}

/* flexsc_post() with everything spelled out: `count` is a constant, 0 to 6, and the arguments past it are not stored.
 */
static inline __attribute__((always_inline)) long flexsc_post_words(struct flexsc* f, uint32_t number, unsigned count,
                                                                    long a, long b, long c, long d, long e, long g) {
    const long words[6] = {a, b, c, d, e, g};
    const long handle = flexsc_claim(f);
    if (__builtin_expect(handle >= 0, 1)) {
        struct flexsc_entry* entry = flexsc_entry_of(handle);
#pragma GCC unroll 6
        for (unsigned i = 0; i < 6; ++i)
            if (i < count)
                entry->args[i] = (uint64_t)words[i];
        flexsc_submit(entry, number, count);
    }
    return handle;
}

/* flexsc_post(f, number, up to six arguments): posts a call. A handle >= 0, or -EAGAIN if all entries are in use. The
 * arguments are integers or pointers. */
#define flexsc_post(...) FLEXSC_PICK_(__VA_ARGS__, 6, 5, 4, 3, 2, 1, 0, 0)(__VA_ARGS__)
#define FLEXSC_PICK_(f, number, a, b, c, d, e, g, count, ...) FLEXSC_POST_##count
#define FLEXSC_POST_0(f, number) flexsc_post_words(f, number, 0, 0, 0, 0, 0, 0, 0)
#define FLEXSC_POST_1(f, number, a) flexsc_post_words(f, number, 1, (long)(a), 0, 0, 0, 0, 0)
#define FLEXSC_POST_2(f, number, a, b) flexsc_post_words(f, number, 2, (long)(a), (long)(b), 0, 0, 0, 0)
#define FLEXSC_POST_3(f, number, a, b, c) flexsc_post_words(f, number, 3, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define FLEXSC_POST_4(f, number, a, b, c, d)                                                                           \
    flexsc_post_words(f, number, 4, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define FLEXSC_POST_5(f, number, a, b, c, d, e)                                                                        \
    flexsc_post_words(f, number, 5, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define FLEXSC_POST_6(f, number, a, b, c, d, e, g)                                                                     \
    flexsc_post_words(f, number, 6, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(g))

#ifdef __cplusplus
}
#endif
