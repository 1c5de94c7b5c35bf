// Thread-specific data.
#include <cerrno>
#include <climits>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "userland/lib/flexsc_threads/thread.h"
#include "userland/lib/gate_native.h"

namespace tollgate::threads {
namespace {

/// The sequence is odd while the key exists, so that values of its former lives are known.
struct Key {
    std::atomic<unsigned> sequence;
    std::atomic<void (*)(void*)> destructor;
};
constinit Key keys[kKeys];

bool exists(unsigned sequence) { return (sequence & 1) != 0; }

/// Foreign kernel threads share one set: they are the C library's own and use no keys of the program.
constinit Thread foreign{};

Value* value_of(Thread& thread, unsigned key, bool make) {
    if (key < kOwnKeys)
        return &thread.own_values[key];
    if (thread.more_values == nullptr && make) {
        const long memory = Native::call(SYS_mmap, nullptr, (kKeys - kOwnKeys) * sizeof(Value), PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory > 0)
            thread.more_values = reinterpret_cast<Value*>(memory);
    }
    return thread.more_values == nullptr ? nullptr : &thread.more_values[key - kOwnKeys];
}

Thread& me() { return self != nullptr ? *self : foreign; }

} // namespace

void run_key_destructors(Thread& thread) {
    for (int round = 0; round < PTHREAD_DESTRUCTOR_ITERATIONS; ++round) {
        bool any = false;
        const unsigned limit = thread.more_values != nullptr ? kKeys : kOwnKeys;
        for (unsigned key = 0; key < limit; ++key) {
            Value& value = *value_of(thread, key, false);
            void* const pointer = value.pointer;
            value.pointer = nullptr;
            if (pointer == nullptr || value.sequence != keys[key].sequence.load(std::memory_order_acquire))
                continue;
            if (void (*const destroy)(void*) = keys[key].destructor.load(std::memory_order_relaxed)) {
                any = true;
                destroy(pointer);
            }
        }
        if (!any)
            return;
    }
}

extern "C" {

int pthread_key_create(pthread_key_t* key, void (*destructor)(void*)) {
    for (unsigned i = 0; i < kKeys; ++i) {
        unsigned sequence = keys[i].sequence.load(std::memory_order_relaxed);
        if (!exists(sequence) &&
            keys[i].sequence.compare_exchange_strong(sequence, sequence + 1, std::memory_order_acq_rel)) {
            keys[i].destructor.store(destructor, std::memory_order_relaxed);
            *key = i;
            return 0;
        }
    }
    return EAGAIN;
}

int pthread_key_delete(pthread_key_t key) {
    if (key >= kKeys)
        return EINVAL;
    unsigned sequence = keys[key].sequence.load(std::memory_order_relaxed);
    return exists(sequence) && keys[key].sequence.compare_exchange_strong(sequence, sequence + 1) ? 0 : EINVAL;
}

void* pthread_getspecific(pthread_key_t key) {
    if (key >= kKeys)
        return nullptr;
    const Value* const value = value_of(me(), key, false);
    return value != nullptr && value->sequence == keys[key].sequence.load(std::memory_order_relaxed) ? value->pointer
                                                                                                     : nullptr;
}

int pthread_setspecific(pthread_key_t key, const void* pointer) {
    if (key >= kKeys || !exists(keys[key].sequence.load(std::memory_order_relaxed)))
        return EINVAL;
    Value* const value = value_of(me(), key, pointer != nullptr);
    if (value == nullptr)
        return pointer == nullptr ? 0 : ENOMEM;
    *value = {const_cast<void*>(pointer), keys[key].sequence.load(std::memory_order_relaxed)};
    return 0;
}

} // extern "C"

} // namespace tollgate::threads
