// A kernel stack with an unmapped guard page below it, in the kernel space.
#pragma once

#include "lib/address.h"
#include "lib/result.h"

#include <utility>

namespace tollgate {

class KernelStack {
public:
    constexpr KernelStack() = default;
    KernelStack(KernelStack&& other) : top_(std::exchange(other.top_, VirtAddr{})) {}
    KernelStack& operator=(KernelStack&& other) {
        std::swap(top_, other.top_);
        return *this;
    }
    ~KernelStack();

    /// Errno::NoMem.
    static Result<KernelStack> allocate();
    /// One past the highest byte; 16-byte aligned.
    VirtAddr top() const { return top_; }
    /// Whether `address` lies in the guard page below some kernel stack.
    static bool is_guard(VirtAddr address);

private:
    constexpr explicit KernelStack(VirtAddr top) : top_(top) {}
    VirtAddr top_;
};

} // namespace tollgate
