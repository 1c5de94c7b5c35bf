// The pages of a memory object by number: a radix tree of frames, 512 entries each, as high as the largest number
// needs. An object of one page has no tree at all. The owner locks.
#pragma once

#include "mem/frames.h"

namespace tollgate {

class PageTree {
public:
    constexpr PageTree() = default;
    PageTree(const PageTree&) = delete;
    PageTree& operator=(const PageTree&) = delete;
    ~PageTree() { remove_from(0); }

    /// The frame of a page, still the tree's own; null if there is none.
    PhysAddr find(u64 index) const;
    /// Gives the tree a page that it does not have. Errno::NoMem.
    Result<void> insert(u64 index, Frame frame);
    /// Drops every page from this number on.
    void remove_from(u64 first);
    u64 size() const { return size_; }

private:
    /// Pages below a node whose children are `level` levels above the pages; true if the node is empty then.
    bool prune(PhysAddr node, unsigned level, u64 first);

    PhysAddr root_;
    unsigned height_ = 0; // of the tree above the pages: it holds 512^height_ of them
    u64 size_ = 0;
};

} // namespace tollgate
