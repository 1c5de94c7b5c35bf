// An array for the length of a call: a few elements on the stack, more on the heap.
#pragma once

#include "lib/result.h"
#include "lib/types.h"

#include <new>
#include <span>

namespace tollgate {

template <class T, u64 Few>
class Room {
public:
    Room() = default;
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;
    ~Room() { delete[] more_; }

    /// `count` elements. To be called once. Errno::NoMem.
    Result<std::span<T>> get(u64 count) {
        if (count <= Few)
            return std::span<T>(few_, count);
        more_ = new (std::nothrow_t{}) T[count];
        if (!more_)
            return fail(Errno::NoMem);
        return std::span<T>(more_, count);
    }

private:
    T few_[Few];
    T* more_ = nullptr;
};

} // namespace tollgate
