// Strong types for the three kinds of address, so that one can never be taken for another: physical, kernel-virtual,
// and user-virtual. None converts to a pointer here; only mem/ does that.
#pragma once

#include "lib/bits.h"
#include "lib/types.h"

#include <compare>
#include <type_traits>

namespace tollgate {

inline constexpr u64 kPageShift = 12;
inline constexpr u64 kPageSize = u64{1} << kPageShift;

/// First address that no user mapping may reach: one page below the canonical hole, so that a `syscall` at the very end
/// cannot make RCX non-canonical [docs/invariants.md; SDM vol 2, SYSRET].
inline constexpr u64 kUserTop = (u64{1} << 47) - kPageSize;

/// Whether bits 63:47 are all equal (4-level paging) [SDM vol 1, 3.3.7.1].
constexpr bool is_canonical(u64 address) {
    const u64 upper = address >> 47;
    return upper == 0 || upper == 0x1ffff;
}

/// An address in the space that Tag names. Arithmetic wraps like the integer it is; check ranges from outside first.
template <class Tag>
class Address {
public:
    constexpr Address() = default;
    constexpr explicit Address(u64 value) : value_(value) {}

    constexpr u64 value() const { return value_; }
    constexpr bool is_null() const { return value_ == 0; }

    constexpr bool page_aligned() const { return is_aligned(value_, kPageSize); }
    constexpr u64 page_offset() const { return value_ & (kPageSize - 1); }
    constexpr Address align_down(u64 alignment = kPageSize) const {
        return Address(tollgate::align_down(value_, alignment));
    }
    constexpr Address align_up(u64 alignment = kPageSize) const {
        return Address(tollgate::align_up(value_, alignment));
    }

    constexpr Address& operator+=(u64 bytes) {
        value_ += bytes;
        return *this;
    }
    constexpr Address& operator-=(u64 bytes) {
        value_ -= bytes;
        return *this;
    }
    friend constexpr Address operator+(Address address, u64 bytes) { return Address(address.value_ + bytes); }
    friend constexpr Address operator-(Address address, u64 bytes) { return Address(address.value_ - bytes); }
    friend constexpr u64 operator-(Address left, Address right) { return left.value_ - right.value_; }
    friend constexpr auto operator<=>(Address, Address) = default;

private:
    u64 value_ = 0;
};

using PhysAddr = Address<struct PhysTag>;
using VirtAddr = Address<struct VirtTag>;

/// A pointer that a user program gave us. It has no `*` and no `->`; only the user copy reads through it.
template <class T>
class UserPtr {
public:
    constexpr UserPtr() = default;
    constexpr explicit UserPtr(u64 address) : address_(address) {}

    constexpr u64 address() const { return address_; }
    constexpr bool is_null() const { return address_ == 0; }

    /// The pointer `elements` further on (bytes for UserPtr<void>). Wraps; the copy checks the range.
    constexpr UserPtr offset(u64 elements) const { return UserPtr(address_ + elements * kElementSize); }
    constexpr UserPtr byte_offset(u64 bytes) const { return UserPtr(address_ + bytes); }

    template <class U>
    constexpr UserPtr<U> cast() const {
        return UserPtr<U>(address_);
    }
    friend constexpr auto operator<=>(UserPtr, UserPtr) = default;

private:
    static constexpr u64 kElementSize = sizeof(std::conditional_t<std::is_void_v<T>, char, T>);
    u64 address_ = 0;
};

} // namespace tollgate
