// Result<T>: a value or an Errno, the return type of everything that can fail. TRY hands an error on to the caller.
// Outcome exists because libstdc++ 12 does not mark std::expected [[nodiscard]]; it adds the mark and nothing else.
#pragma once

#include "lib/errno.h"

#ifdef __clang__
// libstdc++ asks for a newer concepts macro than clang 14 defines, though <expected>'s std::unexpected needs nothing
// new.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wbuiltin-macro-redefined"
#pragma push_macro("__cpp_concepts")
#undef __cpp_concepts
#define __cpp_concepts 202002L
#include <expected>
#pragma pop_macro("__cpp_concepts")
#pragma clang diagnostic pop
#include "lib/expected_fallback.h"
#else
#include <expected>
#endif

#include <type_traits>
#include <utility>

namespace tollgate {

#ifdef __clang__
template <class T, class E>
using ExpectedBase = detail::FallbackExpected<T, E>;
#else
template <class T, class E>
using ExpectedBase = std::expected<T, E>;
#endif

/// The part of std::expected that is used, for nothing and for values of one register: error number and value are words
/// of their own, so that both are returned in registers and tested there; std::expected goes by way of memory. No error
/// has the number 0.
template <class T, class E>
class WordOutcome {
public:
    using value_type = T;
    using error_type = E;

    constexpr WordOutcome() = default;
    template <class U>
    requires(std::is_convertible_v<U&&, T>) constexpr WordOutcome(U&& value) : value_(std::forward<U>(value)) {}
    template <class G>
    requires std::is_constructible_v<E, G>
    constexpr WordOutcome(std::unexpected<G> error) : error_(static_cast<Word>(error.error())) {}

    constexpr bool has_value() const { return error_ == 0; }
    constexpr explicit operator bool() const { return has_value(); }
    constexpr T& operator*() & { return value_; }
    constexpr const T& operator*() const& { return value_; }
    constexpr T operator*() && { return value_; }
    constexpr T operator->() const requires std::is_pointer_v<T> { return value_; }
    constexpr E error() const { return static_cast<E>(error_); }
    constexpr T value_or(T other) const { return has_value() ? value_ : other; }

private:
    using Word = decltype(sizeof 0);
    T value_{};
    Word error_ = 0;
};

template <class E>
class WordOutcome<void, E> {
public:
    using value_type = void;
    using error_type = E;

    constexpr WordOutcome() = default;
    template <class G>
    requires std::is_constructible_v<E, G>
    constexpr WordOutcome(std::unexpected<G> error) : error_(static_cast<Word>(error.error())) {}

    constexpr bool has_value() const { return error_ == 0; }
    constexpr explicit operator bool() const { return has_value(); }
    constexpr void operator*() const {}
    constexpr E error() const { return static_cast<E>(error_); }

private:
    using Word = u32;
    Word error_ = 0;
};

template <class T, class E>
using OutcomeBase = std::conditional_t<std::is_enum_v<E> && (std::is_scalar_v<T> || std::is_void_v<T>),
                                       WordOutcome<T, E>, ExpectedBase<T, E>>;

/// std::expected whose loss is a warning. Holds a T, or the E that says why there is none.
template <class T, class E>
class [[nodiscard]] Outcome : public OutcomeBase<T, E> {
public:
    using Base = OutcomeBase<T, E>;
    using Base::Base;
};

/// A value or an error number. `return value;` and `return fail(Errno::Inval);` both convert.
template <class T>
using Result = Outcome<T, Errno>;

/// The error half of a Result, to be returned.
[[nodiscard]] constexpr std::unexpected<Errno> fail(Errno error) { return std::unexpected<Errno>(error); }

namespace detail {

/// The value out of a successful Result; a function, since dropping the value of a TRY must not be a warning.
template <class R>
constexpr typename std::remove_cvref_t<R>::value_type take_value(R&& result) {
    if constexpr (!std::is_void_v<typename std::remove_cvref_t<R>::value_type>)
        return *std::forward<R>(result);
}

} // namespace detail

} // namespace tollgate

#define TOLLGATE_TRY_(result, ...)                                                                                     \
    __extension__({                                                                                                    \
        auto&& result = (__VA_ARGS__);                                                                                 \
        if (!result.has_value()) [[unlikely]]                                                                          \
            return std::unexpected(std::move(result).error());                                                         \
        ::tollgate::detail::take_value(std::move(result));                                                             \
    })
#define TOLLGATE_TRY_NAME_(counter) tollgate_try_##counter
#define TOLLGATE_TRY_EXPAND_(counter, ...) TOLLGATE_TRY_(TOLLGATE_TRY_NAME_(counter), __VA_ARGS__)

/// Yields the value of a Result (nothing for Result<void>), or returns its error from the enclosing function. The value
/// is moved out: `auto page = TRY(allocate());`
#define TRY(...) TOLLGATE_TRY_EXPAND_(__COUNTER__, __VA_ARGS__)
