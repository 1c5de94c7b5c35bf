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
static_assert(sizeof(flexsc_entry) == sizeof(api::FlexscEntry));
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

constexpr unsigned kSpins = 1000; // looks at the entry of a worker that polls before flexsc_finish() crosses

/// The thread's registration: the kernel takes it back when the thread ends, so it outlives the context.
struct Registration {
    flexsc closed; // as left by flexsc_close()
    unsigned asked_policy;
    int process; // of which it is: fork() copies this record and not the pages
    bool open;
};
thread_local constinit Registration registration{};

long handle_of(const flexsc_entry* entry) { return reinterpret_cast<long>(entry); }

int process_id() { return static_cast<int>(Native::call(SYS_getpid)); }

/// The pages that have ever been used: the kernel need not look at the others.
unsigned long used_pages(const flexsc* f) {
    const auto used = static_cast<unsigned long>(f->fresh - f->entries);
    return (1ul << (used + FLEXSC_ENTRIES_PER_PAGE - 1) / FLEXSC_ENTRIES_PER_PAGE) - 1;
}

/// Takes the pages of a context that this thread has closed.
int reopen(flexsc* f, flexsc_policy policy, unsigned pages) {
    if (registration.open || registration.asked_policy != policy ||
        registration.closed.end - registration.closed.entries < pages * FLEXSC_ENTRIES_PER_PAGE)
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
    auto* const entries = reinterpret_cast<flexsc_entry*>(params.address);
    *f = flexsc{.entries = entries,
                .fresh = entries,
                .end = entries + wanted * FLEXSC_ENTRIES_PER_PAGE,
                .free = -EAGAIN,
                .policy = static_cast<unsigned>(params.policy),
                .slots = reinterpret_cast<flexsc_slot*>(slots)};
    registration = Registration{.closed = *f, .asked_policy = policy, .process = process, .open = true};
    return 0;
}

void flexsc_close(flexsc* f) {
    for (flexsc_entry* entry = f->entries; entry != f->fresh; ++entry) {
        if (flexsc_status_of(entry) != FLEXSC_FREE)
            (void)flexsc_await(f, handle_of(entry));
        f->slots[entry - f->entries] = {};
    }
    f->free = -EAGAIN; // every entry is free: the next context begins with the first page again
    f->fresh = f->entries;
    registration.closed = *f;
    registration.open = false;
    *f = flexsc{.entries = nullptr, .fresh = nullptr, .end = nullptr, .free = -EAGAIN, .policy = 0, .slots = nullptr};
}

long flexsc_wait(flexsc* f) { return Native::call(api::kSysFlexscWait, used_pages(f), 0); }

long flexsc_kick(flexsc* f) { return Native::call(api::kSysFlexscWait, used_pages(f), api::kFlexscKick); }

long flexsc_finish(flexsc* f, long handle) {
    // PAUSE is also what lets the worker run under an emulator of one CPU at a time.
    if (f->policy == FLEXSC_WORKER_POLL)
        for (unsigned spin = 0; spin < kSpins && !flexsc_poll(f, handle); ++spin)
            _mm_pause();
    while (!flexsc_poll(f, handle)) {
        const long woken = flexsc_wait(f);
        if (woken < 0 && woken != -EINTR)
            return woken;
        if (woken == 0 && !flexsc_poll(f, handle))
            return -EINVAL;
    }
    return 0;
}

long flexsc_await(flexsc* f, long handle) {
    const long failed = flexsc_finish(f, handle);
    return failed != 0 ? failed : flexsc_reap(f, handle);
}

long flexsc_dispatch(flexsc* f) {
    long ran = 0;
    // New ones may come into use meanwhile.
    for (flexsc_entry* entry = f->entries; entry != f->fresh; ++entry) {
        if (flexsc_status_of(entry) != FLEXSC_DONE)
            continue;
        // By value, and gone before the call: the callback may post, and be given this entry.
        flexsc_slot& kept = f->slots[entry - f->entries];
        const flexsc_slot slot = kept;
        if (slot.callback == nullptr)
            continue;
        kept.callback = nullptr;
        slot.callback(slot.context, flexsc_reap(f, handle_of(entry)));
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
    for (const flexsc_entry* entry = f->entries; entry != f->fresh; ++entry)
        found += flexsc_status_of(entry) != FLEXSC_FREE;
    return found;
}

long flexsc_next_done(const flexsc* f) {
    for (const flexsc_entry* entry = f->entries; entry != f->fresh; ++entry)
        if (flexsc_status_of(entry) == FLEXSC_DONE && f->slots[entry - f->entries].callback == nullptr)
            return handle_of(entry);
    return -EAGAIN;
}

} // extern "C"
