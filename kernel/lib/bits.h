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

/// Not std::has_single_bit: at run time that is std::popcount, which without -mpopcnt calls into libgcc.
constexpr bool is_power_of_two(u64 value) { return value != 0 && (value & (value - 1)) == 0; }

/// Number of set bits, for the same reason without std::popcount.
constexpr unsigned count_bits(u64 value) {
    value -= (value >> 1) & 0x5555555555555555;
    value = (value & 0x3333333333333333) + ((value >> 2) & 0x3333333333333333);
    value = (value + (value >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return static_cast<unsigned>((value * 0x0101010101010101) >> 56);
}

} // namespace tollgate
