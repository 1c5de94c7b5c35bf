// The slow half of libflexsc: registration, waiting, callbacks. Crosses into the kernel by the native gate, so that it
// works where libc's wrappers are redirected (userland/lib/flexsc_threads). Needs no C++ run-time library.
#include "userland/lib/flexsc/flexsc.h"

#include <immintrin.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "api/flexsc.h"
#include "api/numbers.h"
#include "userland/lib/gate_native.h"

using tollgate::Native;
namespace api = tollgate::api;

// The C header repeats the kernel's layout.
static_assert(sizeof(flexsc_entry) == sizeof(api::FlexscEntry) && sizeof(flexsc_entry) == FLEXSC_ENTRY_SIZE);
static_assert(offsetof(flexsc_entry, result) == offsetof(api::FlexscEntry, result));
static_assert(offsetof(flexsc_entry, control) == offsetof(api::FlexscEntry, number));
static_assert(offsetof(api::FlexscEntry, argument_count) == offsetof(flexsc_entry, control) + 4);
static_assert(offsetof(api::FlexscEntry, status) == offsetof(flexsc_entry, control) + 6);
static_assert(FLEXSC_ENTRIES_PER_PAGE == api::kFlexscEntriesPerPage && FLEXSC_MAX_PAGES == api::kFlexscMaxPages);
static_assert(FLEXSC_DONE == static_cast<int>(api::FlexscStatus::Done) &&
              FLEXSC_BUSY == static_cast<int>(api::FlexscStatus::Busy) &&
              FLEXSC_SUBMITTED == static_cast<int>(api::FlexscStatus::Submitted));
static_assert(FLEXSC_OWN == static_cast<int>(api::FlexscPolicy::Own) &&
              FLEXSC_WORKER_IPI == static_cast<int>(api::FlexscPolicy::WorkerIpi) &&
              FLEXSC_WORKER_POLL == static_cast<int>(api::FlexscPolicy::WorkerPoll) &&
              FLEXSC_ADAPTIVE == static_cast<int>(api::FlexscPolicy::Adaptive) &&
              FLEXSC_DEFAULT == static_cast<int>(api::FlexscPolicy::Default));

namespace {

constexpr unsigned kPageSize = FLEXSC_ENTRIES_PER_PAGE * FLEXSC_ENTRY_SIZE;
constexpr unsigned kSpins = 1000; // looks at a worker's entry before flexsc_await() crosses

/// The thread's registration: the kernel takes it back when the thread ends, so it outlives the context.
struct Registration {
    flexsc closed; // as left by flexsc_close()
    unsigned asked_policy;
    int process; // of which it is: fork() copies this record and not the pages
    bool open;
};
thread_local constinit Registration registration{};

int process_id() { return static_cast<int>(Native::call(SYS_getpid)); }

unsigned char status_of(const flexsc* f, unsigned handle) {
    return __atomic_load_n(reinterpret_cast<const unsigned char*>(&flexsc_entry_of(f, handle)->control) + 6,
                           __ATOMIC_ACQUIRE);
}

/// The pages that have ever been used: the kernel need not look at the others.
unsigned long used_pages(const flexsc* f) { return (1ul << (f->fresh + kPageSize - 1) / kPageSize) - 1; }

/// Takes the pages of a context that this thread has closed.
int reopen(flexsc* f, flexsc_policy policy, unsigned pages) {
    if (registration.open || registration.asked_policy != policy || registration.closed.size < pages * kPageSize)
        return -EBUSY;
    *f = registration.closed;
    registration.open = true;
    return 0;
}

} // namespace

extern "C" {

int flexsc_open(flexsc* f, flexsc_policy policy, unsigned pages) {
    const unsigned wanted = pages != 0 ? pages : api::kFlexscDefaultPages;
    const int process = process_id();
    if (registration.process == process)
        return reopen(f, policy, wanted);
    api::FlexscParams params{};
    params.size = sizeof params;
    params.version = api::kFlexscVersion;
    params.policy = static_cast<api::FlexscPolicy>(policy);
    params.pages = wanted;
    // Private memory first: a registration cannot be given back.
    const unsigned long slots_size = (wanted * FLEXSC_ENTRIES_PER_PAGE * sizeof(flexsc_slot) + 4095) & ~4095ul;
    const long slots =
        Native::call(SYS_mmap, nullptr, slots_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slots < 0)
        return static_cast<int>(slots);
    if (const long failed = Native::call(api::kSysFlexscRegister, &params); failed != 0) {
        Native::call(SYS_munmap, slots, slots_size);
        return static_cast<int>(failed);
    }
    *f = flexsc{.entries = reinterpret_cast<flexsc_entry*>(params.address),
                .free = -EAGAIN,
                .fresh = 0,
                .size = wanted * kPageSize,
                .policy = static_cast<unsigned>(params.policy),
                .slots = reinterpret_cast<flexsc_slot*>(slots)};
    registration = Registration{.closed = *f, .asked_policy = policy, .process = process, .open = true};
    return 0;
}

void flexsc_close(flexsc* f) {
    for (unsigned handle = 0; handle < f->fresh; handle += FLEXSC_ENTRY_SIZE) {
        if (status_of(f, handle) != FLEXSC_FREE)
            (void)flexsc_await(f, handle);
        f->slots[flexsc_index(handle)] = {};
    }
    registration.closed = *f;
    registration.open = false;
    *f = flexsc{.entries = nullptr, .free = -EAGAIN, .fresh = 0, .size = 0, .policy = 0, .slots = nullptr};
}

long flexsc_wait(flexsc* f) { return Native::call(api::kSysFlexscWait, used_pages(f), 0); }

long flexsc_kick(flexsc* f) { return Native::call(api::kSysFlexscWait, used_pages(f), api::kFlexscKick); }

long flexsc_await(flexsc* f, long handle) {
    if (f->policy != FLEXSC_OWN)
        for (unsigned spin = 0; spin < kSpins && !flexsc_poll(f, handle); ++spin)
            _mm_pause();
    while (!flexsc_poll(f, handle))
        if (const long woken = flexsc_wait(f); woken < 0 && woken != -EINTR)
            return woken;
    return flexsc_reap(f, handle);
}

long flexsc_dispatch(flexsc* f) {
    long ran = 0;
    for (unsigned handle = 0; handle < f->fresh; handle += FLEXSC_ENTRY_SIZE) {
        if (status_of(f, handle) != FLEXSC_DONE)
            continue;
        // By value, and gone before the call: the callback may post, and be given this entry.
        const flexsc_slot slot = f->slots[flexsc_index(handle)];
        if (slot.callback == nullptr)
            continue;
        f->slots[flexsc_index(handle)].callback = nullptr;
        slot.callback(slot.context, flexsc_reap(f, handle));
        ++ran;
    }
    return ran;
}

long flexsc_run_once(flexsc* f) {
    for (;;) {
        if (const long ran = flexsc_dispatch(f); ran != 0)
            return ran;
        if (const long woken = flexsc_wait(f); woken <= 0)
            return woken != 0 ? woken : flexsc_dispatch(f);
    }
}

unsigned flexsc_in_flight(const flexsc* f) {
    unsigned found = 0;
    for (unsigned handle = 0; handle < f->fresh; handle += FLEXSC_ENTRY_SIZE)
        found += status_of(f, handle) != FLEXSC_FREE;
    return found;
}

long flexsc_next_done(const flexsc* f, long handle) {
    for (; handle < f->fresh; handle += FLEXSC_ENTRY_SIZE)
        if (status_of(f, static_cast<unsigned>(handle)) == FLEXSC_DONE &&
            f->slots[flexsc_index(handle)].callback == nullptr)
            return handle;
    return -EAGAIN;
}

long flexsc_claim_fresh(flexsc* f) {
    if (f->fresh == f->size)
        return -EAGAIN;
    const long handle = f->fresh;
    f->fresh += FLEXSC_ENTRY_SIZE;
    return handle;
}

} // extern "C"
