// The free frames of the machine, in blocks of 2^n adjacent ones (a buddy system), so that a run of frames is found
// without a search. Pure logic over an array of records; its owner locks.
#pragma once

#include "lib/atomic.h"
#include "lib/types.h"

namespace tollgate {

/// What a page table remembers about its entries in its frame's record: paging::set_entry() keeps it.
struct TableUse {
    static constexpr unsigned kChunk = 16; ///< entries

    u32 chunks; ///< bit n: one of the entries from n * kChunk on has been used since the table was empty
    u16 used;   ///< entries that are not zero

    /// Those of `chunks` that hold any of the entries [first, last].
    u32 chunks_of(unsigned first, unsigned last) const {
        return chunks & (~u32{0} << first / kChunk) & (~u32{0} >> (31 - last / kChunk));
    }
    void mark(unsigned entry) { chunks |= u32{1} << entry / kChunk; }
};

/// One a frame of RAM.
struct FrameRecord {
    Atomic<u32> references; ///< 0 while it is free
    union {
        struct {
            u32 next, previous; ///< while it heads a free block
        };
        TableUse use; ///< while it is a page table
    };
    u8 order; ///< of the free block that it heads
    u8 state;
};
static_assert(sizeof(FrameRecord) == 16);

class FramePool {
public:
    static constexpr unsigned kOrders = 11; // blocks up to 4 MiB
    static constexpr u32 kNone = ~0u;

    /// `records` must be zeros.
    void use(FrameRecord* records, u32 count);
    /// Adds the frames [first, end), ranges from the highest to the lowest address.
    void add(u32 first, u32 end);
    /// The first frame of a block of 2^order; kNone if there is none.
    u32 take(unsigned order);
    /// Gives back a block, which need not be what take() gave: any aligned part of it will do.
    void give(u32 first, unsigned order);
    /// Takes single frames, as many as there are up to `most`; how many.
    u32 take_singles(u32* to, u32 most);
    /// Gives back one frame without looking for its buddy; that is made up for when a larger block is wanted.
    void give_loose(u32 n);
    /// Takes `count` adjacent frames / gives them back.
    u32 take_run(u32 count);
    void give_run(u32 first, u32 count);

    u64 free_count() const { return free_; }

private:
    static constexpr u8 kHeld = 0, kFree = 1;
    void push(u32 n, unsigned order);
    void unlink(u32 n);
    unsigned order_for(unsigned order) const;
    u32 take_merged(unsigned order);
    void merge_loose();

    FrameRecord* records_ = nullptr;
    bool loose_ = false; // single frames may lie beside free buddies
    u32 count_ = 0;
    u64 free_ = 0;
    u32 heads_[kOrders] = {kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone};
};

} // namespace tollgate
