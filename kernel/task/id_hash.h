// A hash of objects by an id that each carries: chains through a pointer in the objects, so that nothing is allocated.
// Several may have the same id. Ids are given out in turn, so that the low bits spread them. The caller locks.
#pragma once

#include "lib/assert.h"
#include "lib/types.h"

namespace tollgate {

template <class T, T* T::*Next, i32 (*IdOf)(const T&), unsigned Buckets>
class IdHash {
public:
    static_assert((Buckets & (Buckets - 1)) == 0);
    constexpr IdHash() = default;

    void insert(T& element) {
        T*& first = bucket(IdOf(element));
        element.*Next = first;
        first = &element;
    }
    /// The id must still be the one it was inserted with.
    void remove(T& element) {
        T** link = &bucket(IdOf(element));
        while (*link != &element) {
            ASSERT(*link != nullptr);
            link = &((*link)->*Next);
        }
        *link = element.*Next;
        element.*Next = nullptr;
    }
    /// The first with this id, or the next one after `from` in the same chain.
    T* find(i32 id) const { return skip(buckets_[index(id)], id); }
    T* find_next(const T& from) const { return skip(from.*Next, IdOf(from)); }

private:
    static unsigned index(i32 id) { return static_cast<unsigned>(id) % Buckets; }
    T*& bucket(i32 id) { return buckets_[index(id)]; }
    static T* skip(T* element, i32 id) {
        while (element != nullptr && IdOf(*element) != id)
            element = element->*Next;
        return element;
    }
    T* buckets_[Buckets] = {};
};

} // namespace tollgate
