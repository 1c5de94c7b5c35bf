// StringView: characters somebody else owns, with a length and without a terminator. It stands in for std::string_view,
// which needs a C library. Number parsing on views is in the same place, since nothing else produces numbers from text.
#pragma once

#include "lib/assert.h"
#include "lib/result.h"
#include "lib/types.h"

#include <compare>
#include <optional>
#include <span>

namespace tollgate {

/// Length of the string at `text`, at most `limit`; never looks at text[limit].
constexpr size_t strnlen(const char* text, size_t limit) {
    size_t length = 0;
    while (length < limit && text[length] != '\0')
        ++length;
    return length;
}

class StringView {
public:
    constexpr StringView() = default;
    constexpr StringView(const char* text) : data_(text), size_(text ? __builtin_strlen(text) : 0) {}
    constexpr StringView(const char* data, size_t size) : data_(data), size_(size) {}
    constexpr explicit StringView(std::span<const char> text) : data_(text.data()), size_(text.size()) {}

    static StringView from_bytes(std::span<const std::byte> bytes) {
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

    constexpr const char* data() const { return data_; }
    constexpr size_t size() const { return size_; }
    constexpr bool empty() const { return size_ == 0; }
    constexpr const char* begin() const { return data_; }
    constexpr const char* end() const { return data_ + size_; }
    constexpr char operator[](size_t index) const {
        ASSERT(index < size_);
        return data_[index];
    }
    constexpr char front() const { return (*this)[0]; }
    constexpr char back() const { return (*this)[size_ - 1]; }

    /// The part from `start`, at most `length` long. Out-of-range values are cut, not errors.
    constexpr StringView substr(size_t start, size_t length = ~size_t{0}) const {
        if (start > size_)
            start = size_;
        const size_t rest = size_ - start;
        return {data_ + start, length < rest ? length : rest};
    }

    constexpr bool starts_with(StringView prefix) const { return substr(0, prefix.size_) == prefix; }
    constexpr bool ends_with(StringView suffix) const {
        return suffix.size_ <= size_ && substr(size_ - suffix.size_) == suffix;
    }

    constexpr std::optional<size_t> find(char wanted, size_t from = 0) const {
        for (size_t i = from; i < size_; ++i)
            if (data_[i] == wanted)
                return i;
        return std::nullopt;
    }
    constexpr std::optional<size_t> find(StringView wanted, size_t from = 0) const {
        for (size_t i = from; i <= size_ && wanted.size_ <= size_ - i; ++i)
            if (substr(i, wanted.size_) == wanted)
                return i;
        return std::nullopt;
    }
    constexpr std::optional<size_t> rfind(char wanted) const {
        for (size_t i = size_; i > 0; --i)
            if (data_[i - 1] == wanted)
                return i - 1;
        return std::nullopt;
    }
    constexpr bool contains(char wanted) const { return find(wanted).has_value(); }
    constexpr bool contains(StringView wanted) const { return find(wanted).has_value(); }

    /// Without the blanks (space, tab, CR, LF) at both ends.
    constexpr StringView trimmed() const {
        size_t first = 0;
        size_t last = size_;
        while (first < last && is_blank(data_[first]))
            ++first;
        while (last > first && is_blank(data_[last - 1]))
            --last;
        return {data_ + first, last - first};
    }

    class Parts;
    /// The pieces between separators, for a range-for: "a//b" gives "a", "", "b"; "" gives one empty piece.
    constexpr Parts split(char separator) const;

    static constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

    friend constexpr bool operator==(StringView left, StringView right) {
        if (left.size_ != right.size_)
            return false;
        for (size_t i = 0; i < left.size_; ++i)
            if (left.data_[i] != right.data_[i])
                return false;
        return true;
    }
    friend constexpr std::strong_ordering operator<=>(StringView left, StringView right) {
        const size_t common = left.size_ < right.size_ ? left.size_ : right.size_;
        for (size_t i = 0; i < common; ++i)
            if (left.data_[i] != right.data_[i])
                return static_cast<u8>(left.data_[i]) <=> static_cast<u8>(right.data_[i]);
        return left.size_ <=> right.size_;
    }

private:
    const char* data_ = nullptr;
    size_t size_ = 0;
};

/// What StringView::split() returns.
class StringView::Parts {
public:
    class Iterator {
    public:
        constexpr Iterator(StringView rest, char separator) : rest_(rest), separator_(separator) { cut(); }
        constexpr StringView operator*() const { return part_; }
        constexpr Iterator& operator++() {
            if (last_)
                done_ = true;
            else
                cut();
            return *this;
        }
        constexpr bool done() const { return done_; }

    private:
        constexpr void cut() {
            const auto at = rest_.find(separator_);
            last_ = !at.has_value();
            part_ = at ? rest_.substr(0, *at) : rest_;
            rest_ = at ? rest_.substr(*at + 1) : StringView();
        }
        StringView rest_;
        StringView part_;
        char separator_;
        bool last_ = false;
        bool done_ = false;
    };
    struct End {
        friend constexpr bool operator==(const Iterator& iterator, End) { return iterator.done(); }
    };

    constexpr Parts(StringView text, char separator) : text_(text), separator_(separator) {}
    constexpr Iterator begin() const { return {text_, separator_}; }
    constexpr End end() const { return {}; }

private:
    StringView text_;
    char separator_;
};

constexpr StringView::Parts StringView::split(char separator) const { return {*this, separator}; }

/// The value of a digit in bases up to 16, or 16 for anything else.
constexpr unsigned digit_value(char c) {
    if (c >= '0' && c <= '9')
        return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f')
        return static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return static_cast<unsigned>(c - 'A') + 10;
    return 16;
}

/// All of `text` as a number in `base` (2 to 16), no sign, no prefix. Inval: empty or a strange character. Range: over
/// 64 bits.
constexpr Result<u64> parse_digits(StringView text, unsigned base) {
    if (text.empty())
        return fail(Errno::Inval);
    u64 value = 0;
    bool overflow = false;
    for (const char c : text) {
        const unsigned digit = digit_value(c);
        if (digit >= base)
            return fail(Errno::Inval);
        overflow |= __builtin_mul_overflow(value, u64{base}, &value);
        overflow |= __builtin_add_overflow(value, u64{digit}, &value);
    }
    if (overflow)
        return fail(Errno::Range);
    return value;
}

constexpr Result<u64> parse_decimal(StringView text) { return parse_digits(text, 10); }

/// Hexadecimal, with or without a leading 0x.
constexpr Result<u64> parse_hex(StringView text) {
    const bool prefixed = text.starts_with("0x") || text.starts_with("0X");
    return parse_digits(prefixed ? text.substr(2) : text, 16);
}

/// Hexadecimal when it starts with 0x, else decimal.
constexpr Result<u64> parse_number(StringView text) {
    return text.starts_with("0x") || text.starts_with("0X") ? parse_hex(text) : parse_decimal(text);
}

} // namespace tollgate
