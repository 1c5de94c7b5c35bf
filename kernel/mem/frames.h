// Page frames: 4 KiB of RAM each, with counted references. A Frame owns one reference.
#pragma once

#include "lib/boot_info.h"
#include "lib/result.h"
#include "mem/frame_pool.h"
#include "mem/layout.h"

#include <span>
#include <utility>

namespace tollgate {

/// A reference to one page frame; frees it when the last one goes.
class Frame {
public:
    constexpr Frame() = default;
    Frame(Frame&& other) : address_(std::exchange(other.address_, PhysAddr{})) {}
    Frame& operator=(Frame&& other) {
        std::swap(address_, other.address_);
        return *this;
    }
    ~Frame();

    /// A frame filled with zeros. Errno::NoMem.
    static Result<Frame> allocate();
    /// A frame with the content of another one. Errno::NoMem.
    static Result<Frame> allocate_copy(PhysAddr of);
    /// One more reference to the same frame.
    Frame share() const;
    /// Gives the reference to a page table, and takes it back.
    PhysAddr leak() { return std::exchange(address_, PhysAddr{}); }
    static Frame adopt(PhysAddr address) { return Frame{address}; }
    /// A new reference to a frame that somebody else keeps alive.
    static Frame from(PhysAddr address);

    PhysAddr address() const { return address_; }
    template <class T = u8>
    T* data() const {
        return direct<T>(address_);
    }
    explicit operator bool() const { return !address_.is_null(); }

private:
    constexpr explicit Frame(PhysAddr address) : address_(address) {}
    PhysAddr address_;
};

void clear_page(void* page);
void copy_page(void* to, const void* from);

namespace frames {

/// Takes over all usable RAM but the first MiB, the kernel image and `reserved`. Panics if there is too little.
void initialise(const BootInfo& info, PhysAddr image_end);
/// `count` adjacent frames, zeroed, each with one reference; the physical address of the first. Errno::NoMem.
Result<PhysAddr> allocate_contiguous(u64 count);
void free_contiguous(PhysAddr first, u64 count);
/// One more reference, for a page table entry.
void add_reference(PhysAddr address);
/// Gives up a reference to each of these frames, by physical address.
void drop_references(std::span<const u64> addresses);
/// A frame of zeros for a page table; null if memory is out. It must be all zeros again when it is freed.
PhysAddr allocate_table();
void free_table(PhysAddr table);
TableUse& table_use(PhysAddr table);
/// References to the frame at `address`.
u32 references(PhysAddr address);
u64 free_count();
u64 total_count();
/// One past the highest byte of RAM.
PhysAddr top();

} // namespace frames
} // namespace tollgate
