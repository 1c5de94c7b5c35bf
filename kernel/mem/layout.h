// From physical addresses to pointers and back. The address map itself is cpu/layout.h, which assembly needs too.
#pragma once

#include "cpu/layout.h"

namespace tollgate {

/// A pointer to RAM through the direct map. `physical` must be RAM that the frame allocator knows.
template <class T = void>
inline T* direct(PhysAddr physical) {
    return reinterpret_cast<T*>(physical.value() + kDirectMap);
}
/// The inverse, for pointers that direct() gave.
inline PhysAddr direct_to_phys(const void* pointer) { return PhysAddr{reinterpret_cast<u64>(pointer) - kDirectMap}; }
/// The physical address of something in the kernel image.
inline PhysAddr image_to_phys(const void* pointer) { return PhysAddr{reinterpret_cast<u64>(pointer) - kKernelBase}; }

} // namespace tollgate
