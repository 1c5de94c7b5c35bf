// An intrusive doubly linked list: the links live in the elements, so putting something on a list never allocates.
// Links point at whole elements and name their list, so no address arithmetic is needed and every misuse is an
// assertion.
#pragma once

#include "lib/assert.h"
#include "lib/types.h"

namespace tollgate {

/// A place in one list at a time. Give an element one ListLink for each kind of list it can be on at once.
template <class T>
class ListLink {
public:
    constexpr ListLink() = default;
    ListLink(const ListLink&) = delete;
    ListLink& operator=(const ListLink&) = delete;
    constexpr ~ListLink() { ASSERT(list_ == nullptr); }

    constexpr bool linked() const { return list_ != nullptr; }

private:
    template <class U, ListLink<U> U::*Member>
    friend class List;

    T* next_ = nullptr;
    T* previous_ = nullptr;
    const void* list_ = nullptr; ///< The List that holds the element.
};

/// `List<Thread, &Thread::run_link>`. Owns nothing; must be empty when it goes. That is not checked by a destructor, so
/// that a global list has none to register at exit. The caller locks.
template <class T, ListLink<T> T::*Member>
class List {
public:
    constexpr List() = default;
    List(const List&) = delete;
    List& operator=(const List&) = delete;

    constexpr bool empty() const { return first_ == nullptr; }
    constexpr size_t size() const { return size_; }
    constexpr T* front() const { return first_; } ///< nullptr when empty
    constexpr T* back() const { return last_; }   ///< nullptr when empty
    constexpr bool contains(const T& element) const { return (element.*Member).list_ == this; }

    /// The neighbours of an element of this list, nullptr at the ends.
    constexpr T* next(const T& element) const {
        ASSERT(contains(element));
        return (element.*Member).next_;
    }
    constexpr T* previous(const T& element) const {
        ASSERT(contains(element));
        return (element.*Member).previous_;
    }

    constexpr void push_back(T& element) { link(element, last_, nullptr); }
    constexpr void push_front(T& element) { link(element, nullptr, first_); }
    constexpr void insert_before(T& position, T& element) {
        ASSERT(contains(position));
        link(element, (position.*Member).previous_, &position);
    }

    constexpr void remove(T& element) {
        ListLink<T>& link = element.*Member;
        ASSERT(link.list_ == this);
        (link.previous_ ? (link.previous_->*Member).next_ : first_) = link.next_;
        (link.next_ ? (link.next_->*Member).previous_ : last_) = link.previous_;
        link.next_ = nullptr;
        link.previous_ = nullptr;
        link.list_ = nullptr;
        --size_;
    }

    /// The first element, taken off the list; nullptr when empty.
    constexpr T* pop_front() {
        T* const element = first_;
        if (element)
            remove(*element);
        return element;
    }
    constexpr T* pop_back() {
        T* const element = last_;
        if (element)
            remove(*element);
        return element;
    }

    /// Walks forward. The successor is read before the body runs, so that the body may remove (or free) the current
    /// element, but not the one after it.
    class Iterator {
    public:
        constexpr explicit Iterator(T* element) : current_(element) { look_ahead(); }
        constexpr T& operator*() const { return *current_; }
        constexpr T* operator->() const { return current_; }
        constexpr Iterator& operator++() {
            current_ = next_;
            look_ahead();
            return *this;
        }
        friend constexpr bool operator==(const Iterator& left, const Iterator& right) {
            return left.current_ == right.current_;
        }

    private:
        constexpr void look_ahead() { next_ = current_ ? (current_->*Member).next_ : nullptr; }
        T* current_;
        T* next_ = nullptr;
    };
    constexpr Iterator begin() const { return Iterator(first_); }
    constexpr Iterator end() const { return Iterator(nullptr); }

private:
    constexpr void link(T& element, T* previous, T* next) {
        ListLink<T>& link = element.*Member;
        ASSERT(link.list_ == nullptr);
        link.list_ = this;
        link.previous_ = previous;
        link.next_ = next;
        (previous ? (previous->*Member).next_ : first_) = &element;
        (next ? (next->*Member).previous_ : last_) = &element;
        ++size_;
    }

    T* first_ = nullptr;
    T* last_ = nullptr;
    size_t size_ = 0;
};

} // namespace tollgate
