// A node is a frame of physical addresses, of nodes or, on the lowest level, of pages.
#include "mem/page_tree.h"

namespace tollgate {
namespace {

constexpr unsigned kBits = 9, kFanOut = 1 << kBits;

u64 capacity(unsigned height) { return u64{1} << (kBits * height); }
unsigned slot(u64 index, unsigned level) { return index >> (kBits * level) & (kFanOut - 1); }

} // namespace

PhysAddr PageTree::find(u64 index) const {
    if (index >= capacity(height_))
        return {};
    PhysAddr at = root_;
    for (unsigned level = height_; level > 0 && !at.is_null();)
        at = direct<PhysAddr>(at)[slot(index, --level)];
    return at;
}

Result<void> PageTree::insert(u64 index, Frame frame) {
    while (index >= capacity(height_)) {
        if (!root_.is_null()) {
            Frame top = TRY(Frame::allocate());
            top.data<PhysAddr>()[0] = root_;
            root_ = top.leak();
        }
        ++height_;
    }
    PhysAddr* at = &root_;
    for (unsigned level = height_; level > 0;) {
        if (at->is_null())
            *at = TRY(Frame::allocate())
        .leak();
        at = &direct<PhysAddr>(*at)[slot(index, --level)];
    }
    ASSERT(at->is_null());
    *at = frame.leak();
    ++size_;
    return {};
}

bool PageTree::prune(PhysAddr node, unsigned level, u64 first) {
    if (level == 0) {
        --size_;
        return true;
    }
    PhysAddr* children = direct<PhysAddr>(node);
    const u64 span = capacity(level - 1);
    bool empty = true;
    for (unsigned i = 0; i < kFanOut; ++i) {
        if (children[i].is_null())
            continue;
        const u64 start = i * span;
        if (start + span > first && prune(children[i], level - 1, first > start ? first - start : 0)) {
            (void)Frame::adopt(children[i]);
            children[i] = {};
        }
        empty = empty && children[i].is_null();
    }
    return empty;
}

void PageTree::remove_from(u64 first) {
    if (root_.is_null() || first >= capacity(height_) || !prune(root_, height_, first))
        return;
    (void)Frame::adopt(root_);
    root_ = {};
    height_ = 0;
}

} // namespace tollgate
