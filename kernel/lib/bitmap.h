// A bitmap over words that somebody else owns: page frames, descriptor numbers, process ids. Searches go a word at a
// time. The caller locks.
#pragma once

#include "lib/assert.h"
#include "lib/bits.h"
#include "lib/types.h"

#include <bit>
#include <optional>
#include <span>

namespace tollgate {

class Bitmap {
public:
    static constexpr size_t kBitsPerWord = 64;
    static constexpr size_t words_for(size_t bits) { return (bits + kBitsPerWord - 1) / kBitsPerWord; }

    constexpr Bitmap() = default;
    /// `bits` may be fewer than the words hold; the rest is never touched. The contents are taken as they are.
    constexpr Bitmap(std::span<u64> words, size_t bits) : words_(words), bits_(bits) {
        ASSERT(words_for(bits) <= words.size());
    }

    constexpr size_t size() const { return bits_; }
    constexpr bool test(size_t bit) const { return (word(bit) & mask(bit)) != 0; }
    constexpr void set(size_t bit) { word(bit) |= mask(bit); }
    constexpr void clear(size_t bit) { word(bit) &= ~mask(bit); }

    constexpr void set_range(size_t first, size_t count) {
        for_words(first, count, [](u64& word, u64 mask) { word |= mask; });
    }
    constexpr void clear_range(size_t first, size_t count) {
        for_words(first, count, [](u64& word, u64 mask) { word &= ~mask; });
    }

    constexpr std::optional<size_t> find_first_clear(size_t from = 0) const { return find(from, ~u64{0}); }
    constexpr std::optional<size_t> find_first_set(size_t from = 0) const { return find(from, 0); }

    /// The first of `count` clear bits in a row that start at a multiple of `alignment` (a power of two).
    constexpr std::optional<size_t> find_clear_run(size_t count, size_t from = 0, size_t alignment = 1) const {
        ASSERT(count > 0 && is_power_of_two(alignment));
        for (size_t start = from;;) {
            const auto clear_bit = find_first_clear(start);
            if (!clear_bit)
                return std::nullopt;
            start = align_up(*clear_bit, alignment);
            if (!range_fits(start, count, bits_))
                return std::nullopt;
            const auto end = find_first_set(start);
            if (!end || *end - start >= count)
                return start;
            start = *end + 1;
        }
    }

    constexpr size_t count_set() const {
        size_t total = 0;
        for (size_t i = 0; i < words_for(bits_); ++i)
            total += count_bits(words_[i] & valid_mask(i));
        return total;
    }

private:
    static constexpr u64 mask(size_t bit) { return u64{1} << (bit % kBitsPerWord); }
    constexpr u64& word(size_t bit) const {
        ASSERT(bit < bits_);
        return words_[bit / kBitsPerWord];
    }
    constexpr u64 valid_mask(size_t index) const {
        const size_t left = bits_ - index * kBitsPerWord;
        return left >= kBitsPerWord ? ~u64{0} : (u64{1} << left) - 1;
    }

    /// The first bit from `from` on that is set after XOR with `flip`.
    constexpr std::optional<size_t> find(size_t from, u64 flip) const {
        if (from >= bits_)
            return std::nullopt;
        size_t index = from / kBitsPerWord;
        u64 candidates = (words_[index] ^ flip) & (~u64{0} << (from % kBitsPerWord)) & valid_mask(index);
        while (candidates == 0) {
            if (++index == words_for(bits_))
                return std::nullopt;
            candidates = (words_[index] ^ flip) & valid_mask(index);
        }
        return index * kBitsPerWord + static_cast<size_t>(std::countr_zero(candidates));
    }

    template <class Change>
    constexpr void for_words(size_t first, size_t count, Change change) {
        ASSERT(range_fits(first, count, bits_));
        while (count > 0) {
            const size_t shift = first % kBitsPerWord;
            const size_t here = count < kBitsPerWord - shift ? count : kBitsPerWord - shift;
            const u64 ones = here == kBitsPerWord ? ~u64{0} : (u64{1} << here) - 1;
            change(words_[first / kBitsPerWord], ones << shift);
            first += here;
            count -= here;
        }
    }

    std::span<u64> words_;
    size_t bits_ = 0;
};

} // namespace tollgate
