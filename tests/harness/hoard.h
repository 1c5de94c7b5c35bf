// For tests: a kernel that is nearly out of memory.
#pragma once

#include "mem/frames.h"

namespace tollgate::testing {

/// Holds all free frames but `leave` of them until it goes.
class Hoard {
public:
    explicit Hoard(u64 leave) {
        while (frames::free_count() > leave) {
            Result<Frame> frame = Frame::allocate();
            if (!frame.has_value())
                break;
            const PhysAddr address = frame->leak();
            *direct<PhysAddr>(address) = head_; // each frame says which one was taken before it
            head_ = address;
            ++count_;
        }
    }
    ~Hoard() {
        while (!head_.is_null()) {
            const PhysAddr address = head_;
            head_ = *direct<PhysAddr>(address);
            (void)Frame::adopt(address);
        }
    }
    Hoard(const Hoard&) = delete;
    Hoard& operator=(const Hoard&) = delete;
    u64 count() const { return count_; }

private:
    PhysAddr head_;
    u64 count_ = 0;
};

} // namespace tollgate::testing
