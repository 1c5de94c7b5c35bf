// Alignment and overflow-checked arithmetic on unsigned integers. Alignments are powers of two throughout.
#pragma once

#include "lib/types.h"

#include <bit>
#include <concepts>
#include <optional>
#include <type_traits>

namespace tollgate {

template <std::unsigned_integral T>
constexpr bool is_aligned(T value, std::type_identity_t<T> alignment) {
    return (value & (alignment - 1)) == 0;
}

template <std::unsigned_integral T>
constexpr T align_down(T value, std::type_identity_t<T> alignment) {
    return static_cast<T>(value & ~(alignment - 1));
}

/// Wraps to 0 when the result does not fit; use checked_align_up() on values from outside.
template <std::unsigned_integral T>
constexpr T align_up(T value, std::type_identity_t<T> alignment) {
    return static_cast<T>((value + (alignment - 1)) & ~(alignment - 1));
}

template <std::unsigned_integral T>
constexpr std::optional<T> checked_add(T left, std::type_identity_t<T> right) {
    T sum{};
    if (__builtin_add_overflow(left, right, &sum))
        return std::nullopt;
    return sum;
}

template <std::unsigned_integral T>
constexpr std::optional<T> checked_sub(T left, std::type_identity_t<T> right) {
    if (right > left)
        return std::nullopt;
    return static_cast<T>(left - right);
}

template <std::unsigned_integral T>
constexpr std::optional<T> checked_mul(T left, std::type_identity_t<T> right) {
    T product{};
    if (__builtin_mul_overflow(left, right, &product))
        return std::nullopt;
    return product;
}

template <std::unsigned_integral T>
constexpr std::optional<T> checked_align_up(T value, std::type_identity_t<T> alignment) {
    const auto padded = checked_add(value, static_cast<T>(alignment - 1));
    if (!padded)
        return std::nullopt;
    return align_down(*padded, alignment);
}

/// Whether [offset, offset + length) lies inside [0, size), without overflow.
constexpr bool range_fits(u64 offset, u64 length, u64 size) { return offset <= size && length <= size - offset; }

/// Number of set bits, by a table. GCC recognises std::popcount, the well-known shifts and masks, and the loop over set
/// bits: without -mpopcnt all three become a call into libgcc, which the kernel does not have.
constexpr unsigned count_bits(u64 value) {
    constexpr u8 kNibble[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};
    unsigned count = 0;
    for (; value != 0; value >>= 4)
        count += kNibble[value & 15];
    return count;
}

} // namespace tollgate
