// Owned<T>: the one owner of a heap object. It deletes what it holds when it goes, and is empty after being moved from.
// make_owned() turns an exhausted heap into an error instead of a null pointer.
#pragma once

#include "lib/assert.h"
#include "lib/result.h"

#include <new>
#include <type_traits>
#include <utility>

namespace tollgate {

template <class T>
class Owned {
public:
    constexpr Owned() = default;
    constexpr Owned(std::nullptr_t) {}
    /// Takes over `pointer`, which must come from `new`.
    constexpr explicit Owned(T* pointer) : pointer_(pointer) {}
    constexpr Owned(Owned&& other) : pointer_(other.release()) {}
    template <class Derived>
    requires(std::is_convertible_v<Derived*, T*>&& std::has_virtual_destructor_v<T>) constexpr Owned(
        Owned<Derived>&& other)
        : pointer_(other.release()) {}
    constexpr Owned& operator=(Owned&& other) {
        reset(other.release());
        return *this;
    }
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    constexpr ~Owned() { delete pointer_; }

    constexpr T* get() const { return pointer_; }
    constexpr explicit operator bool() const { return pointer_ != nullptr; }
    constexpr T& operator*() const {
        ASSERT(pointer_ != nullptr);
        return *pointer_;
    }
    constexpr T* operator->() const {
        ASSERT(pointer_ != nullptr);
        return pointer_;
    }

    /// Gives the object up without deleting it.
    [[nodiscard]] constexpr T* release() { return std::exchange(pointer_, nullptr); }
    constexpr void reset(T* pointer = nullptr) {
        T* const old = std::exchange(pointer_, pointer);
        if (old != pointer)
            delete old;
    }

private:
    T* pointer_ = nullptr;
};

/// A new T on the heap, or NoMem.
template <class T, class... Args>
Result<Owned<T>> make_owned(Args&&... args) {
    T* const pointer = new (std::nothrow_t{}) T(std::forward<Args>(args)...);
    if (!pointer)
        return fail(Errno::NoMem);
    return Owned<T>(pointer);
}

} // namespace tollgate
