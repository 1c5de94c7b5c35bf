// A stand-in for the parts of std::expected that the kernel uses, for clang 14 only: that compiler, our second reader
// and the one that builds the fuzzers, cannot compile libstdc++'s (no conditionally trivial destructors). Same names,
// same meaning, no triviality. result.h is its only user.
#pragma once

#include <expected>
#include <optional> // brings construct_at(); <memory> would bring half of libc, which the kernel does not have
#include <type_traits>
#include <utility>

namespace tollgate::detail {

template <class T>
inline constexpr bool kIsUnexpected = false;
template <class E>
inline constexpr bool kIsUnexpected<std::unexpected<E>> = true;

template <class T, class E>
class FallbackExpected {
public:
    using value_type = T;
    using error_type = E;

    constexpr FallbackExpected() requires std::is_default_constructible_v<T> : FallbackExpected(T()) {}
    template <class U = T>
    requires(std::is_constructible_v<T, U&&> && !std::is_base_of_v<FallbackExpected, std::remove_cvref_t<U>> &&
             !kIsUnexpected<std::remove_cvref_t<U>>) constexpr FallbackExpected(U&& value)
        : value_(std::forward<U>(value)), has_value_(true) {}
    template <class G>
    requires std::is_constructible_v<E, G>
    constexpr FallbackExpected(std::unexpected<G> error) : error_(std::move(error).error()), has_value_(false) {}

    constexpr FallbackExpected(const FallbackExpected& other) : has_value_(other.has_value_) {
        if (has_value_)
            std::construct_at(&value_, other.value_);
        else
            std::construct_at(&error_, other.error_);
    }
    constexpr FallbackExpected(FallbackExpected&& other) : has_value_(other.has_value_) { take(other); }
    constexpr FallbackExpected& operator=(FallbackExpected other) {
        destroy();
        has_value_ = other.has_value_;
        take(other);
        return *this;
    }
    constexpr ~FallbackExpected() { destroy(); }

    constexpr bool has_value() const { return has_value_; }
    constexpr explicit operator bool() const { return has_value_; }
    constexpr T& operator*() & { return value_; }
    constexpr const T& operator*() const& { return value_; }
    constexpr T&& operator*() && { return std::move(value_); }
    constexpr T* operator->() { return &value_; }
    constexpr const T* operator->() const { return &value_; }
    constexpr E& error() & { return error_; }
    constexpr const E& error() const& { return error_; }
    constexpr E&& error() && { return std::move(error_); }
    template <class U>
    constexpr T value_or(U&& other) const {
        return has_value_ ? value_ : static_cast<T>(std::forward<U>(other));
    }

private:
    constexpr void take(FallbackExpected& other) {
        if (has_value_)
            std::construct_at(&value_, std::move(other.value_));
        else
            std::construct_at(&error_, std::move(other.error_));
    }
    constexpr void destroy() {
        if (has_value_)
            std::destroy_at(&value_);
        else
            std::destroy_at(&error_);
    }
    union {
        T value_;
        E error_;
    };
    bool has_value_;
};

template <class E>
class FallbackExpected<void, E> {
public:
    using value_type = void;
    using error_type = E;

    constexpr FallbackExpected() = default;
    template <class G>
    constexpr FallbackExpected(std::unexpected<G> error) : error_(std::move(error).error()), has_value_(false) {}

    constexpr bool has_value() const { return has_value_; }
    constexpr explicit operator bool() const { return has_value_; }
    constexpr void operator*() const {}
    constexpr const E& error() const { return error_; }

private:
    E error_{};
    bool has_value_ = true;
};

} // namespace tollgate::detail
