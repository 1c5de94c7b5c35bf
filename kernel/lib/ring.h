// Ring buffers of a fixed power-of-two size. Ring is plain and its caller locks; SpscRing passes elements from exactly
// one producer to exactly one consumer, on any two cores, without a lock.
#pragma once

#include "lib/assert.h"
#include "lib/atomic.h"
#include "lib/bits.h"
#include "lib/types.h"

#include <array>
#include <optional>
#include <utility>

namespace tollgate {

template <class T, size_t Capacity>
requires(is_power_of_two(Capacity)) class Ring {
public:
    constexpr bool empty() const { return head_ == tail_; }
    constexpr bool full() const { return size() == Capacity; }
    constexpr size_t size() const { return tail_ - head_; }
    static constexpr size_t capacity() { return Capacity; }

    /// False, and nothing stored, when the ring is full.
    constexpr bool push(T value) {
        if (full())
            return false;
        slot(tail_++) = std::move(value);
        return true;
    }

    /// Stores in any case; the oldest element makes room.
    constexpr void push_overwriting(T value) {
        if (full())
            ++head_;
        slot(tail_++) = std::move(value);
    }

    constexpr std::optional<T> pop() {
        if (empty())
            return std::nullopt;
        return std::move(slot(head_++));
    }

    /// The element `index` places behind the oldest one.
    constexpr const T& operator[](size_t index) const {
        ASSERT(index < size());
        return slots_[(head_ + index) & (Capacity - 1)];
    }

    constexpr void clear() { head_ = tail_; }

private:
    constexpr T& slot(size_t position) { return slots_[position & (Capacity - 1)]; }

    // Free-running counts: their difference is the size, and wrapping is harmless with a power of two.
    size_t head_ = 0;
    size_t tail_ = 0;
    std::array<T, Capacity> slots_{};
};

template <class T, size_t Capacity>
requires(is_power_of_two(Capacity)) class SpscRing {
public:
    /// Producer only. False when full.
    bool push(T value) {
        const size_t tail = tail_.load(kRelaxed); // only we write it
        // Acquire pairs with pop()'s release: the consumer has finished reading the slot that we overwrite.
        if (tail - head_.load(kAcquire) == Capacity)
            return false;
        slots_[tail & (Capacity - 1)] = std::move(value);
        tail_.store(tail + 1, kRelease); // publishes the slot
        return true;
    }

    /// Consumer only.
    std::optional<T> pop() {
        const size_t head = head_.load(kRelaxed); // only we write it
        // Acquire pairs with push()'s release: the slot's contents are visible.
        if (head == tail_.load(kAcquire))
            return std::nullopt;
        std::optional<T> value(std::move(slots_[head & (Capacity - 1)]));
        head_.store(head + 1, kRelease); // hands the slot back
        return value;
    }

    /// A snapshot: exact for the side that asks about its own progress, otherwise already old.
    bool empty() const { return head_.load(kAcquire) == tail_.load(kAcquire); }
    static constexpr size_t capacity() { return Capacity; }

private:
    // One cache line each, so that the two sides do not steal each other's.
    alignas(64) Atomic<size_t> head_ = 0;
    alignas(64) Atomic<size_t> tail_ = 0;
    alignas(64) std::array<T, Capacity> slots_{};
};

} // namespace tollgate
