// ByteReader: a cursor over bytes from outside that never reads past them. All parsers go through it or through
// read_object(); values are copied out, so that no alignment is asked of the input. Little endian, as the machine.
#pragma once

#include "lib/bits.h"
#include "lib/memory.h"
#include "lib/parse_error.h"
#include "lib/types.h"

#include <span>
#include <type_traits>

namespace tollgate {

using Bytes = std::span<const std::byte>;

/// A T copied from `offset` in `bytes`; the error carries `what` and the offset.
template <class T>
requires std::is_trivially_copyable_v<T> Parsed<T> read_object(Bytes bytes, u64 offset, const char* what) {
    if (!range_fits(offset, sizeof(T), bytes.size()))
        return parse_error(what, offset);
    T value;
    memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}

/// The part [offset, offset + length) of `bytes`.
inline Parsed<Bytes> read_span(Bytes bytes, u64 offset, u64 length, const char* what) {
    if (!range_fits(offset, length, bytes.size()))
        return parse_error(what, offset);
    return bytes.subspan(offset, length);
}

class ByteReader {
public:
    explicit ByteReader(Bytes bytes) : bytes_(bytes) {}

    u64 position() const { return position_; }
    u64 remaining() const { return bytes_.size() - position_; }
    bool at_end() const { return remaining() == 0; }

    /// The next sizeof(T) bytes as a T. On error nothing is consumed, here and below.
    template <class T>
    Parsed<T> take(const char* what) {
        auto value = read_object<T>(bytes_, position_, what);
        if (value)
            position_ += sizeof(T);
        return value;
    }

    Parsed<Bytes> take_bytes(u64 length, const char* what) {
        auto part = read_span(bytes_, position_, length, what);
        if (part)
            position_ += length;
        return part;
    }

    Parsed<void> skip(u64 length, const char* what) {
        if (length > remaining())
            return parse_error(what, position_);
        position_ += length;
        return {};
    }

    /// Moves on to the next multiple of `alignment` from the start of the input.
    Parsed<void> align(u64 alignment, const char* what) {
        return skip(align_up(position_, alignment) - position_, what);
    }

private:
    Bytes bytes_;
    u64 position_ = 0;
};

} // namespace tollgate
