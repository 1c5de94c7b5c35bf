// A block of 2^n frames begins at a multiple of 2^n; its buddy is the other half of the block of twice the size, and
// two free buddies become that block.
#include "mem/frame_pool.h"

#include "lib/assert.h"

#include <bit>

namespace tollgate {

void FramePool::use(FrameRecord* records, u32 count) {
    records_ = records;
    count_ = count;
}

void FramePool::push(u32 n, unsigned order) {
    FrameRecord& record = records_[n];
    record.next = heads_[order];
    record.previous = kNone;
    record.order = static_cast<u8>(order);
    record.state = kFree;
    if (record.next != kNone)
        records_[record.next].previous = n;
    heads_[order] = n;
}

void FramePool::unlink(u32 n) {
    FrameRecord& record = records_[n];
    (record.previous != kNone ? records_[record.previous].next : heads_[record.order]) = record.next;
    if (record.next != kNone)
        records_[record.next].previous = record.previous;
    record.state = kHeld;
}

void FramePool::add(u32 first, u32 end) {
    free_ += end - first;
    while (end > first) {
        unsigned order = static_cast<unsigned>(std::countr_zero(end)); // the largest block that ends here
        if (order >= kOrders)
            order = kOrders - 1;
        while (u32{1} << order > end - first)
            --order;
        end -= u32{1} << order;
        push(end, order);
    }
}

constexpr u32 k4GiB = 1u << 20; // in frames

// The smallest block that is large enough keeps the large ones whole; but one below 4 GiB first, since until the
// kernel's own tables are loaded no more than that is mapped.
unsigned FramePool::order_for(unsigned order) const {
    unsigned found = kOrders;
    for (; order < kOrders; ++order) {
        if (heads_[order] == kNone)
            continue;
        if (heads_[order] < k4GiB)
            return order;
        if (found == kOrders)
            found = order;
    }
    return found;
}

u32 FramePool::take(unsigned order) {
    const u32 n = take_merged(order);
    if (n != kNone || !loose_)
        return n;
    merge_loose();
    return take_merged(order);
}

// What lies loose already, the usual case, is taken off the list without a further look.
u32 FramePool::take_singles(u32* to, u32 most) {
    u32 count = 0;
    u32 n = heads_[0];
    for (; count < most && n < k4GiB; n = records_[n].next) { // kNone lies above
        records_[n].state = kHeld;
        to[count++] = n;
    }
    heads_[0] = n;
    if (n != kNone)
        records_[n].previous = kNone;
    free_ -= count;
    for (; count < most; ++count) {
        const u32 single = take(0);
        if (single == kNone)
            break;
        to[count] = single;
    }
    return count;
}

void FramePool::give_loose(u32 n) {
    ++free_;
    push(n, 0);
    loose_ = true;
}

void FramePool::merge_loose() {
    u32 n = heads_[0];
    heads_[0] = kNone;
    for (u32 each = n; each != kNone; each = records_[each].next)
        records_[each].state = kHeld; // or one would be merged with another that is still to come
    while (n != kNone) {
        const u32 next = records_[n].next;
        --free_;
        give(n, 0);
        n = next;
    }
    loose_ = false;
}

u32 FramePool::take_merged(unsigned order) {
    unsigned from = order_for(order);
    if (from >= kOrders)
        return kNone;
    const u32 n = heads_[from];
    unlink(n);
    while (from > order) {
        --from;
        push(n + (u32{1} << from), from);
    }
    free_ -= u32{1} << order;
    return n;
}

void FramePool::give(u32 n, unsigned order) {
    free_ += u32{1} << order;
    for (; order + 1 < kOrders; ++order) {
        const u32 buddy = n ^ u32 { 1 } << order;
        if (buddy >= count_ || records_[buddy].state != kFree || records_[buddy].order != order)
            break;
        unlink(buddy);
        n &= ~(u32{1} << order);
    }
    push(n, order);
}

u32 FramePool::take_run(u32 count) {
    const unsigned order = static_cast<unsigned>(std::bit_width(count - 1));
    if (count == 0 || order >= kOrders)
        return kNone;
    const u32 first = take(order);
    if (first != kNone && count < u32{1} << order)
        give_run(first + count, (u32{1} << order) - count);
    return first;
}

void FramePool::give_run(u32 first, u32 count) {
    while (count > 0) {
        unsigned order = first == 0 ? kOrders - 1 : static_cast<unsigned>(std::countr_zero(first));
        if (order >= kOrders)
            order = kOrders - 1;
        while (u32{1} << order > count)
            --order;
        give(first, order);
        first += u32{1} << order;
        count -= u32{1} << order;
    }
}

} // namespace tollgate
