// Where futex waiters wait: a hash of lists, by a key that is the same for everybody who can share the word.
#pragma once

#include "mem/address_space.h"
#include "sched/wait_queue.h"

namespace tollgate::futex {

/// A futex word: an address of a space, or an offset in an object that several spaces map.
struct Key {
    const void* owner;
    u64 offset;
    bool operator==(const Key&) const = default;
};

/// The key of a word, and what keeps its owner alive while it is used.
struct Word {
    Key key;
    Ref<MemoryObject> object{};
};

inline Key private_key(const AddressSpace& space, u64 address) { return {&space, address}; }

/// Waits while the word at `address`, whose key this is, is `expected`, until a wake with one of `bits`. Errors: Again
/// (another value), Fault, TimedOut, RestartSys.
Result<u64> wait(Key key, u64 address, u32 expected, u32 bits, Deadline deadline);
/// Wakes up to `most` waiters, oldest first; how many.
unsigned wake(Key key, unsigned most, u32 bits);
/// Wakes up to `most_woken` and lets up to `most_moved` others wait for `to`. Both numbers.
struct Requeued {
    unsigned woken = 0, moved = 0;
};
Requeued requeue(const Key& from, const Key& to, unsigned most_woken, unsigned most_moved);

} // namespace tollgate::futex
