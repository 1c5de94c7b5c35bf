// Shared ownership by a count inside the object: a class derives from RefCounted, and Ref<T> holds one count each. The
// last Ref to go deletes the object, on whatever core and in whatever context that happens.
#pragma once

#include "lib/assert.h"
#include "lib/atomic.h"
#include "lib/result.h"

#include <new>
#include <type_traits>
#include <utility>

namespace tollgate {

/// The count. It starts at 1, which belongs to whoever created the object: make_ref() or Ref::adopt().
class RefCounted {
public:
    RefCounted(const RefCounted&) = delete;
    RefCounted& operator=(const RefCounted&) = delete;

    void retain() const {
        // Relaxed: whoever retains already has a reference, so the object is visible to it.
        const u32 before = count_.fetch_add(1, kRelaxed);
        ASSERT(before != 0 && before < kLimit);
    }

    /// For tables that hold no count of their own: false when the object is already on its way out. The caller's lock
    /// must keep the memory from being freed meanwhile.
    [[nodiscard]] bool try_retain() const {
        u32 count = count_.load(kRelaxed);
        do {
            if (count == 0)
                return false;
            ASSERT(count < kLimit);
        } while (!count_.compare_exchange_weak(count, count + 1, kAcquire, kRelaxed));
        return true;
    }

    /// True when this was the last reference: the caller must delete the object.
    [[nodiscard]] bool release() const {
        // Release: our writes happen before the deletion. Acquire: the deleter sees the writes of all others.
        const u32 before = count_.fetch_sub(1, kAcqRel);
        ASSERT(before != 0);
        return before == 1;
    }

    /// For logs and tests; old as soon as it is read.
    u32 ref_count() const { return count_.load(kRelaxed); }

protected:
    constexpr RefCounted() = default;
    constexpr ~RefCounted() = default;

private:
    static constexpr u32 kLimit = 0x7fffffff;
    mutable Atomic<u32> count_ = 1;
};

/// One counted reference to a T, or nothing. The object is deleted as a T, so converting to a base needs a virtual
/// destructor.
template <class T>
class Ref {
public:
    constexpr Ref() = default;
    constexpr Ref(std::nullptr_t) {}
    /// One more reference to an object that is alive.
    explicit Ref(T& object) : pointer_(&object) { object.retain(); }
    Ref(const Ref& other) : pointer_(other.pointer_) {
        if (pointer_)
            pointer_->retain();
    }
    constexpr Ref(Ref&& other) : pointer_(other.leak()) {}
    template <class Derived>
    requires(!std::is_same_v<Derived, T> && std::is_convertible_v<Derived*, T*>) Ref(Ref<Derived> other)
        : pointer_(other.leak()) {
        static_assert(std::has_virtual_destructor_v<T>, "the last Ref would delete through the wrong type");
    }
    Ref& operator=(Ref other) {
        std::swap(pointer_, other.pointer_);
        return *this;
    }
    ~Ref() { reset(); }

    /// Takes over a count that the caller holds, such as the first one after `new`.
    [[nodiscard]] static Ref adopt(T* object) {
        Ref result;
        result.pointer_ = object;
        return result;
    }
    /// A reference if the object still has one; see RefCounted::try_retain().
    [[nodiscard]] static Ref try_from(T& object) { return object.try_retain() ? adopt(&object) : Ref(); }

    void reset() {
        T* const object = leak();
        if (object && object->release())
            delete object;
    }
    /// Gives the count to the caller, who must adopt() it again some day.
    [[nodiscard]] constexpr T* leak() { return std::exchange(pointer_, nullptr); }

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
    friend constexpr bool operator==(const Ref& left, const Ref& right) { return left.pointer_ == right.pointer_; }

private:
    T* pointer_ = nullptr;
};

/// A new T on the heap with one reference, or NoMem.
template <class T, class... Args>
Result<Ref<T>> make_ref(Args&&... args) {
    T* const pointer = new (std::nothrow_t{}) T(std::forward<Args>(args)...);
    if (!pointer)
        return fail(Errno::NoMem);
    return Ref<T>::adopt(pointer);
}

} // namespace tollgate
