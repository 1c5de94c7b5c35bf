// What the memory layer keeps ready for the next one who asks, beside single frames, which frames::free_count() counts
// as free. /proc/sys/vm/drop_caches has it given back (fs/proc_reclaim.cpp).
#pragma once

namespace tollgate::reclaim {

/// Heap blocks that this CPU keeps, and with them the slabs that they alone hold. Interrupts are off, no lock is held.
void heap_blocks();
/// The stacks of ended threads.
void kernel_stacks();

} // namespace tollgate::reclaim
