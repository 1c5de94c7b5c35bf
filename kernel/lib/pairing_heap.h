// An intrusive heap: the least element at once, insertion in constant time, removal of any element in logarithmic time
// on average. The links live in the elements, so that nothing allocates. A pairing heap: a tree whose root is the
// least; the children of a node are a list; two trees are merged by hanging the greater root below the lesser one.
#pragma once

#include "lib/assert.h"
#include "lib/types.h"

namespace tollgate {

template <class T>
class HeapLink {
public:
    constexpr HeapLink() = default;
    HeapLink(const HeapLink&) = delete;
    HeapLink& operator=(const HeapLink&) = delete;

    constexpr bool linked() const { return heap_ != nullptr; }

private:
    template <class U, HeapLink<U> U::*Member, auto Before>
    friend class PairingHeap;

    T* child_ = nullptr;
    T* next_ = nullptr;     // sibling
    T* previous_ = nullptr; // sibling, or the parent of a first child
    const void* heap_ = nullptr;
};

/// `PairingHeap<Timer, &Timer::link, before>`, where before(a, b) says whether a comes first; the order of elements of
/// which neither comes first is open. An element's place must not change while it is in. The caller locks.
template <class T, HeapLink<T> T::*Member, auto Before>
class PairingHeap {
public:
    constexpr PairingHeap() = default;
    PairingHeap(const PairingHeap&) = delete;
    PairingHeap& operator=(const PairingHeap&) = delete;

    constexpr T* first() const { return root_; } ///< nullptr when empty
    constexpr bool contains(const T& element) const { return (element.*Member).heap_ == this; }

    constexpr void insert(T& element) {
        HeapLink<T>& link = element.*Member;
        ASSERT(link.heap_ == nullptr);
        link.heap_ = this;
        root_ = root_ ? merge(root_, &element) : &element;
    }

    constexpr void remove(T& element) {
        HeapLink<T>& link = element.*Member;
        ASSERT(link.heap_ == this);
        T* const below = merge_children(link.child_);
        if (&element == root_) {
            root_ = below;
        } else {
            detach(element);
            if (below)
                root_ = merge(root_, below);
        }
        link.child_ = nullptr;
        link.heap_ = nullptr;
    }

private:
    /// Both are roots: without siblings.
    static constexpr T* merge(T* a, T* b) {
        if (Before(*b, *a)) {
            T* const lesser = b;
            b = a;
            a = lesser;
        }
        HeapLink<T>& below = b->*Member;
        below.next_ = (a->*Member).child_;
        if (below.next_)
            (below.next_->*Member).previous_ = b;
        below.previous_ = a;
        (a->*Member).child_ = b;
        return a;
    }

    static constexpr void detach(T& element) {
        HeapLink<T>& link = element.*Member;
        HeapLink<T>& before = link.previous_->*Member;
        (before.child_ == &element ? before.child_ : before.next_) = link.next_;
        if (link.next_)
            (link.next_->*Member).previous_ = link.previous_;
        link.next_ = nullptr;
        link.previous_ = nullptr;
    }

    /// The siblings in pairs, and the pairs into one tree, from the last: that order makes removal logarithmic.
    static constexpr T* merge_children(T* child) {
        T* pairs = nullptr; // linked by next_, last pair first
        while (child) {
            T* const a = child;
            T* const b = (a->*Member).next_;
            child = b ? (b->*Member).next_ : nullptr;
            make_root(*a);
            T* pair = a;
            if (b) {
                make_root(*b);
                pair = merge(a, b);
            }
            (pair->*Member).next_ = pairs;
            pairs = pair;
        }
        T* root = nullptr;
        while (pairs) {
            T* const pair = pairs;
            pairs = (pair->*Member).next_;
            (pair->*Member).next_ = nullptr;
            root = root ? merge(root, pair) : pair;
        }
        return root;
    }

    static constexpr void make_root(T& element) {
        (element.*Member).next_ = nullptr;
        (element.*Member).previous_ = nullptr;
    }

    T* root_ = nullptr;
};

} // namespace tollgate
