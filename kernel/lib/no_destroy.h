// NoDestroy<T>: a global that is constructed by hand, once, and never destroyed. The kernel has no global constructors
// and no exit; a global with a destructor would make the compiler call __cxa_atexit, which does not exist here.
#pragma once

#include "lib/assert.h"

#include <cstddef>
#include <new>
#include <utility>

namespace tollgate {

/// `constinit NoDestroy<Table> table;`, `table.construct(...)` in the boot order, and then `table->lookup()`.
template <class T>
class NoDestroy {
public:
    constexpr NoDestroy() = default;
    NoDestroy(const NoDestroy&) = delete;
    NoDestroy& operator=(const NoDestroy&) = delete;

    template <class... Args>
    T& construct(Args&&... args) {
        ASSERT(!constructed_);
        T* const object = new (storage_) T(std::forward<Args>(args)...);
        constructed_ = true;
        return *object;
    }
    bool constructed() const { return constructed_; }

    T& operator*() { return *get(); }
    T* operator->() { return get(); }

private:
    T* get() {
        ASSERT(constructed_);
        return std::launder(reinterpret_cast<T*>(storage_));
    }

    alignas(T) std::byte storage_[sizeof(T)] = {};
    bool constructed_ = false;
};

} // namespace tollgate
