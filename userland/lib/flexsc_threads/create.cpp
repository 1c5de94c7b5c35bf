// The life of a user thread: pthread_create, exit, join, detach, and what is kept of a thread for the next one.
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "userland/lib/flexsc_threads/exit.h"
#include "userland/lib/flexsc_threads/scheduler.h"
#include "userland/lib/gate_native.h"

namespace tollgate::threads {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kIdleStack = 65536;
constexpr unsigned kKeptStacks = 64;

/// own.
constexpr std::size_t kRecord = (sizeof(Thread) + kPage - 1) & ~(kPage - 1);

constinit std::atomic<unsigned> alive{1}; ///< threads that have not ended, the main one among them
constinit Thread* pool = nullptr;         ///< records with TCBs, some with stacks, for threads to come
constinit unsigned kept_stacks = 0;

std::size_t round_up(std::size_t size) { return (size + kPage - 1) & ~(kPage - 1); }

char* map_stack(std::size_t size, std::size_t guard) {
    const long address = Native::call(SYS_mmap, nullptr, size + guard, PROT_NONE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (address < 0)
        return nullptr;
    if (Native::call(SYS_mprotect, address + static_cast<long>(guard), size, PROT_READ | PROT_WRITE) != 0) {
        Native::call(SYS_munmap, address, size + guard);
        return nullptr;
    }
    return reinterpret_cast<char*>(address);
}

void unmap_stack(Thread& thread) {
    if (thread.stack != nullptr && thread.own_stack)
        Native::call(SYS_munmap, thread.stack, thread.stack_size + thread.guard_size);
    thread.stack = nullptr;
}

/// A record with a TCB: one that has been used, with its stack if that is as wanted, or a new one.
Thread* take_record(std::size_t stack_size, std::size_t guard_size) {
    Thread* found = nullptr;
    {
        Guard guard(&pool);
        Thread** place = &pool;
        for (Thread** at = &pool; *at != nullptr; at = &(*at)->pool_next)
            if ((*at)->stack != nullptr && (*at)->stack_size == stack_size && (*at)->guard_size == guard_size) {
                place = at;
                break;
            }
        if ((found = *place) != nullptr) {
            *place = found->pool_next;
            kept_stacks -= found->stack != nullptr ? 1 : 0;
        }
    }
    if (found != nullptr) {
        renew_tls(found->tcb);
        const std::uintptr_t tcb = found->tcb;
        Value* const more_values = found->more_values; // run_key_destructors() has left nulls
        char* const stack = found->stack;
        const std::size_t old_size = found->stack_size, old_guard = found->guard_size;
        std::memset(static_cast<void*>(found), 0, sizeof *found);
        found->tcb = tcb;
        found->more_values = more_values;
        found->stack = stack;
        found->stack_size = old_size;
        found->guard_size = old_guard;
        found->own_stack = stack != nullptr; // the program's own are not kept
        return found;
    }
    const long memory =
        Native::call(SYS_mmap, nullptr, kRecord, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory < 0)
        return nullptr;
    found = reinterpret_cast<Thread*>(memory);
    found->tcb = make_tls();
    if (found->tcb == 0) {
        Native::call(SYS_munmap, memory, kRecord);
        return nullptr;
    }
    return found;
}

/// Nobody asks for the thread any more, and it does not run.
void recycle(Thread& thread) {
    Guard guard(&pool);
    if (!thread.own_stack)
        thread.stack = nullptr;
    else if (kept_stacks == kKeptStacks)
        unmap_stack(thread);
    else
        ++kept_stacks;
    thread.pool_next = pool;
    pool = &thread;
}

struct Attributes {
    std::size_t stack_size, guard_size;
    char* stack = nullptr; ///< the program's
    bool detached;
};

int read_attributes(const pthread_attr_t* given, Attributes& out) {
    pthread_attr_t defaults;
    if (given == nullptr)
        pthread_attr_init(&defaults);
    const pthread_attr_t* const from = given != nullptr ? given : &defaults;
    int detach = PTHREAD_CREATE_JOINABLE;
    pthread_attr_getdetachstate(from, &detach);
    out.detached = detach == PTHREAD_CREATE_DETACHED;
    pthread_attr_getguardsize(from, &out.guard_size);
    out.guard_size = round_up(out.guard_size);
    pthread_attr_getstacksize(from, &out.stack_size);
    void* address = nullptr;
    std::size_t size = 0;
    if (given != nullptr && pthread_attr_getstack(from, &address, &size) == 0 && size != 0 && address != nullptr &&
        reinterpret_cast<std::uintptr_t>(address) + size != 0) {
        // Without a stack of the program's glibc answers with 0 - size.
        out.stack = static_cast<char*>(address);
        out.stack_size = size;
        out.guard_size = 0;
    } else {
        out.stack_size = round_up(out.stack_size);
    }
    if (given == nullptr)
        pthread_attr_destroy(&defaults);
    return out.stack_size < kPage ? EINVAL : 0;
}

extern "C" void flexsc_threads_begin(); // switch.S

/// The first frame of a thread: what flexsc_threads_switch() takes off the stack.
void prepare_stack(Thread& thread) {
    auto top =
        reinterpret_cast<std::uintptr_t>(thread.stack + thread.guard_size + thread.stack_size) & ~std::uintptr_t{63};
    auto* words = reinterpret_cast<std::uint64_t*>(top) - 10;
    std::memset(words, 0, 10 * sizeof *words);
    std::uint32_t mxcsr;
    std::uint16_t control;
    asm("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(control));
    words[0] = mxcsr | std::uint64_t{control} << 32;
    words[7] = reinterpret_cast<std::uint64_t>(&flexsc_threads_begin); // above six registers
    thread.stack_pointer = reinterpret_cast<std::uintptr_t>(words);
}

extern "C" [[gnu::visibility("hidden"), noreturn]] void flexsc_threads_main() {
    finish_switch();
    enter_tls();
    end_thread(self->start(self->argument));
}

void* idle(void*) {
    for (;;)
        wait_while([] { return true; });
}

/// The thread's own variable `self`, before it runs.
void set_self(Thread& thread) {
    const auto offset = reinterpret_cast<char*>(&self) - reinterpret_cast<char*>(::pthread_self());
    *reinterpret_cast<Thread**>(reinterpret_cast<char*>(thread.tcb) + offset) = &thread;
}

int join(pthread_t handle, void** value, const std::uint64_t* deadline, bool try_only) {
    Thread& thread = *of(handle);
    {
        Guard guard(&thread);
        if (thread.detached || thread.joined)
            return EINVAL;
        if (&thread == self)
            return EDEADLK;
        if (!thread.finished.load(std::memory_order_acquire)) {
            if (try_only)
                return EBUSY;
            if (self != nullptr)
                enqueue(thread.joiners, *self);
        }
        thread.joined = true;
    }
    if (self == nullptr) {
        while (!thread.finished.load(std::memory_order_acquire))
            Native::call(SYS_sched_yield);
    } else if (!wait_in_queue(thread.joiners, &thread, deadline)) {
        Guard guard(&thread);
        thread.joined = false;
        return ETIMEDOUT;
    }
    if (value != nullptr)
        *value = thread.value;
    if (thread.stack != nullptr) // the main thread's record and stack are not ours
        recycle(thread);
    return 0;
}

} // namespace

void finish_switch() {
    Core& core = *self->core;
    Thread* const thread = core.left;
    if (thread == nullptr)
        return;
    core.left = nullptr;
    Thread* joiner = nullptr;
    bool detached;
    {
        Guard guard(thread);
        detached = thread->detached;
        thread->finished.store(true, std::memory_order_release);
        joiner = dequeue(thread->joiners);
    }
    if (joiner != nullptr)
        make_ready(*joiner);
    if (detached && thread->stack != nullptr)
        recycle(*thread);
}

void end_thread(void* value) {
    Thread& me = *self;
    me.value = value;
    leave_tls();
    run_key_destructors(me);
    if (alive.fetch_sub(1) == 1)
        std::exit(0);
    leave();
}

Thread* make_idle_thread(Core& core) {
    Thread* const thread = take_record(kIdleStack, kPage);
    if (thread == nullptr || (thread->stack = map_stack(kIdleStack, kPage)) == nullptr)
        return nullptr;
    thread->stack_size = kIdleStack;
    thread->guard_size = kPage;
    thread->core = &core;
    thread->start = &idle;
    std::strcpy(thread->name, "idle");
    set_kernel_thread(thread->tcb, core.kernel_tid);
    set_self(*thread);
    prepare_stack(*thread);
    return thread;
}

extern "C" {

pthread_t pthread_self() {
    pthread_t tcb;
    asm("mov %%fs:0x10, %0" : "=r"(tcb)); // tcbhead_t::self
    return tcb;
}

int pthread_equal(pthread_t a, pthread_t b) { return a == b; }

int pthread_create(pthread_t* handle, const pthread_attr_t* given, void* (*start)(void*), void* argument) {
    Attributes attributes;
    if (const int failed = read_attributes(given, attributes); failed != 0)
        return failed;
    Thread* const thread = take_record(attributes.stack != nullptr ? 0 : attributes.stack_size, attributes.guard_size);
    if (thread == nullptr)
        return EAGAIN;
    if (thread->stack != nullptr && (thread->stack_size != attributes.stack_size ||
                                     thread->guard_size != attributes.guard_size || attributes.stack != nullptr))
        unmap_stack(*thread);
    if (thread->stack == nullptr) {
        thread->own_stack = attributes.stack == nullptr;
        thread->stack = thread->own_stack ? map_stack(attributes.stack_size, attributes.guard_size) : attributes.stack;
        thread->stack_size = attributes.stack_size;
        thread->guard_size = attributes.guard_size;
        if (thread->stack == nullptr) {
            recycle(*thread);
            return EAGAIN;
        }
    }
    thread->start = start;
    thread->argument = argument;
    thread->detached = attributes.detached;
    thread->core = &core_for_new_thread();
    std::strcpy(thread->name, self != nullptr ? self->name : "thread");
    set_kernel_thread(thread->tcb, thread->core->kernel_tid);
    set_self(*thread);
    prepare_stack(*thread);
    alive.fetch_add(1);
    *handle = handle_of(*thread);
    make_ready(*thread);
    return 0;
}

int pthread_join(pthread_t thread, void** value) { return join(thread, value, nullptr, false); }
int pthread_tryjoin_np(pthread_t thread, void** value) { return join(thread, value, nullptr, true); }
int pthread_clockjoin_np(pthread_t thread, void** value, clockid_t clock, const timespec* time) {
    if (time->tv_nsec < 0 || time->tv_nsec >= 1'000'000'000)
        return EINVAL;
    const std::uint64_t deadline = deadline_of(clock, *time);
    return join(thread, value, &deadline, false);
}
int pthread_timedjoin_np(pthread_t thread, void** value, const timespec* time) {
    return pthread_clockjoin_np(thread, value, CLOCK_REALTIME, time);
}

int pthread_detach(pthread_t handle) {
    Thread& thread = *of(handle);
    {
        Guard guard(&thread);
        if (thread.detached || thread.joined)
            return EINVAL;
        thread.detached = true;
        if (!thread.finished.load(std::memory_order_acquire))
            return 0;
    }
    if (thread.stack != nullptr)
        recycle(thread);
    return 0;
}

int sched_yield() {
    yield();
    return 0;
}
int pthread_yield() {
    yield();
    return 0;
}

int pthread_setname_np(pthread_t thread, const char* name) {
    if (std::strlen(name) >= sizeof(Thread::name))
        return ERANGE;
    std::strcpy(of(thread)->name, name);
    return 0;
}
int pthread_getname_np(pthread_t thread, char* name, std::size_t size) {
    if (size < sizeof(Thread::name))
        return ERANGE;
    std::strcpy(name, of(thread)->name);
    return 0;
}

int pthread_getattr_np(pthread_t handle, pthread_attr_t* attributes) {
    const Thread* const thread = of(handle);
    if (thread == nullptr || thread->stack == nullptr)
        return real_pthread_getattr_np(handle, attributes);
    pthread_attr_init(attributes);
    pthread_attr_setguardsize(attributes, thread->guard_size);
    pthread_attr_setdetachstate(attributes, thread->detached ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE);
    return pthread_attr_setstack(attributes, thread->stack + thread->guard_size, thread->stack_size);
}

} // extern "C"

} // namespace tollgate::threads
