// An intrusive balanced tree (AVL: the heights of two siblings differ by one at most), so that a search among n
// elements takes at most 1.44 log2 n steps whatever order they came in. The order is the caller's: elements are put in
// before one another, and searched with a predicate. An element may keep a summary of everything below it, which the
// tree keeps right: T::summarise(const T* left, const T* right) is called whenever one of the two or the element has
// changed. What lies between an element and its neighbour may be part of it: insert_before() and remove() look at the
// element behind as well, on the one way up that they go anyway.
#pragma once

#include "lib/assert.h"
#include "lib/types.h"

#include <utility>

namespace tollgate {

/// A place in one tree at a time.
template <class T>
class TreeLink {
public:
    constexpr TreeLink() = default;
    TreeLink(const TreeLink&) = delete;
    TreeLink& operator=(const TreeLink&) = delete;
    constexpr ~TreeLink() { ASSERT(height_ == 0); }

    constexpr bool linked() const { return height_ != 0; }

private:
    template <class U, TreeLink<U> U::*Member>
    friend class Tree;

    T* parent_ = nullptr;
    T* left_ = nullptr;
    T* right_ = nullptr;
    u32 height_ = 0; // 1 for a leaf, 0 outside any tree
};

/// `Tree<Area, &Area::tree>`. Owns nothing; must be empty when it goes. The caller locks.
template <class T, TreeLink<T> T::*Member>
class Tree {
public:
    constexpr Tree() = default;
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;

    constexpr bool empty() const { return root_ == nullptr; }
    constexpr size_t size() const { return size_; }
    constexpr T* first() const { return root_ ? leftmost(root_) : nullptr; }
    constexpr T* last() const { return root_ ? rightmost(root_) : nullptr; }
    constexpr T* root() const { return root_; }
    static constexpr T* left(const T& element) { return (element.*Member).left_; }
    static constexpr T* right(const T& element) { return (element.*Member).right_; }

    /// The neighbours of an element, nullptr at the ends.
    constexpr T* next(const T& element) const {
        if (T* below = link(&element).right_)
            return leftmost(below);
        const T* at = &element;
        T* up = link(at).parent_;
        while (up && link(up).right_ == at) {
            at = up;
            up = link(at).parent_;
        }
        return up;
    }
    constexpr T* previous(const T& element) const {
        if (T* below = link(&element).left_)
            return rightmost(below);
        const T* at = &element;
        T* up = link(at).parent_;
        while (up && link(up).left_ == at) {
            at = up;
            up = link(at).parent_;
        }
        return up;
    }

    /// The first element that does not satisfy before(element); nullptr if all do. Those that do must come first.
    template <class Predicate>
    constexpr T* find_first(Predicate before) const {
        T* found = nullptr;
        for (T* at = root_; at;) {
            if (before(static_cast<const T&>(*at))) {
                at = link(at).right_;
            } else {
                found = at;
                at = link(at).left_;
            }
        }
        return found;
    }

    /// Puts the element before `position`, or at the end if that is null. The summary of `position` is made anew too.
    constexpr void insert_before(T* position, T& element) {
        ASSERT(!link(&element).linked());
        link(&element).height_ = 1;
        ++size_;
        if (root_ == nullptr) {
            root_ = &element;
        } else if (position == nullptr || link(position).left_) {
            T* above = rightmost(position ? link(position).left_ : root_);
            link(above).right_ = &element;
            link(&element).parent_ = above;
        } else {
            link(position).left_ = &element;
            link(&element).parent_ = position;
        }
        update(&element);
        restore(link(&element).parent_, position); // which lies above the element
    }

    /// Takes the element out. The summary of the one behind it is made anew too.
    constexpr void remove(T& element) {
        TreeLink<T>& gone = link(&element);
        ASSERT(gone.linked());
        T* start = gone.parent_;
        T* heir = nullptr; // or whoever else the way up must reach
        if (gone.left_ && gone.right_) {
            heir = leftmost(gone.right_); // takes the element's place
            start = heir;
            if (heir != gone.right_) {
                start = link(heir).parent_;
                replace(heir, link(heir).right_);
                link(heir).right_ = gone.right_;
                link(gone.right_).parent_ = heir;
            }
            replace(&element, heir);
            link(heir).left_ = gone.left_;
            link(gone.left_).parent_ = heir;
        } else if (gone.right_) { // a leaf, and the next
            heir = start;
            start = gone.right_;
            replace(&element, gone.right_);
        } else {
            heir = next(element);
            replace(&element, gone.left_);
        }
        gone.parent_ = gone.left_ = gone.right_ = nullptr;
        gone.height_ = 0;
        --size_;
        restore(start, heir);
    }

    /// What the element's summary is made of has changed.
    constexpr void changed(T& element) { restore(&element, nullptr); }

    /// Takes all elements out, in no order that means anything; calls each(element) when it is out.
    template <class F>
    constexpr void dismantle(F each) {
        T* at = root_;
        root_ = nullptr;
        size_ = 0;
        while (at) {
            TreeLink<T>& own = link(at);
            if (own.left_) {
                at = std::exchange(own.left_, nullptr);
            } else if (own.right_) {
                at = std::exchange(own.right_, nullptr);
            } else {
                T& leaf = *at;
                at = std::exchange(own.parent_, nullptr);
                own.height_ = 0;
                each(leaf);
            }
        }
    }

private:
    static constexpr TreeLink<T>& link(T* element) { return element->*Member; }
    static constexpr const TreeLink<T>& link(const T* element) { return element->*Member; }
    static constexpr u32 height(const T* element) { return element ? link(element).height_ : 0; }
    static constexpr T* leftmost(T* at) {
        while (link(at).left_)
            at = link(at).left_;
        return at;
    }
    static constexpr T* rightmost(T* at) {
        while (link(at).right_)
            at = link(at).right_;
        return at;
    }

    /// Puts `heir` (or nothing) where `old` hangs.
    constexpr void replace(T* old, T* heir) {
        T* above = link(old).parent_;
        if (above == nullptr)
            root_ = heir;
        else if (link(above).left_ == old)
            link(above).left_ = heir;
        else
            link(above).right_ = heir;
        if (heir)
            link(heir).parent_ = above;
    }

    static constexpr bool update(T* at) { return update(at, height(link(at).left_), height(link(at).right_)); }
    /// Whether anything changed that the parent has to know.
    static constexpr bool update(T* at, u32 left, u32 right) {
        TreeLink<T>& own = link(at);
        const u32 before = own.height_;
        own.height_ = 1 + (left > right ? left : right);
        bool changed = own.height_ != before;
        if constexpr (requires { at->summarise(own.left_, own.right_); })
            changed = at->summarise(own.left_, own.right_) || changed;
        return changed;
    }

    /// Lifts the left (or right) child of `at` into its place, and returns it.
    constexpr T* lift_left(T* at) {
        T* child = link(at).left_;
        link(at).left_ = link(child).right_;
        if (link(at).left_)
            link(link(at).left_).parent_ = at;
        replace(at, child);
        link(child).right_ = at;
        link(at).parent_ = child;
        update(at);
        update(child);
        return child;
    }
    constexpr T* lift_right(T* at) {
        T* child = link(at).right_;
        link(at).right_ = link(child).left_;
        if (link(at).right_)
            link(link(at).right_).parent_ = at;
        replace(at, child);
        link(child).left_ = at;
        link(at).parent_ = child;
        update(at);
        update(child);
        return child;
    }

    /// Heights, balance and summaries from here up, until nothing changes any more: but as far as `heir` at least,
    /// which has come to a place that it knows nothing of, or whose own part of its summary is new.
    constexpr void restore(T* at, const T* heir) {
        for (; at; at = link(at).parent_) {
            const TreeLink<T>& own = link(at);
            const bool is_heir = at == heir;
            const u32 left = height(own.left_), right = height(own.right_);
            if (left > right + 1) [[unlikely]] {
                if (height(link(own.left_).left_) < height(link(own.left_).right_))
                    lift_right(own.left_);
                at = lift_left(at);
            } else if (right > left + 1) [[unlikely]] {
                if (height(link(own.right_).right_) < height(link(own.right_).left_))
                    lift_left(own.right_);
                at = lift_right(at);
            } else if (!update(at, left, right) && heir == nullptr) {
                return;
            }
            if (is_heir)
                heir = nullptr; // what the parent knows is of the element that was here
        }
    }

    T* root_ = nullptr;
    size_t size_ = 0;
};

} // namespace tollgate
