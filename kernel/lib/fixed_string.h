// Text in memory of a fixed size, filled through the Sink interface: BufferSink writes into memory of the caller's,
// FixedString carries its own. Both cut what does not fit and remember that they did.
#pragma once

#include "lib/format.h"

#include <span>

namespace tollgate {

/// Writes into the caller's buffer and keeps it terminated by a NUL.
class BufferSink : public Sink {
public:
    /// `buffer` must not be empty and must outlive the sink.
    constexpr explicit BufferSink(std::span<char> buffer) : buffer_(buffer) {
        ASSERT(!buffer.empty());
        buffer_[0] = '\0';
    }

    void write(StringView text) override {
        for (const char c : text) {
            if (size_ + 1 >= buffer_.size()) {
                truncated_ = true;
                break;
            }
            buffer_[size_++] = c;
        }
        buffer_[size_] = '\0';
    }

    constexpr StringView view() const { return {buffer_.data(), size_}; }
    constexpr bool truncated() const { return truncated_; }

private:
    std::span<char> buffer_;
    size_t size_ = 0;
    bool truncated_ = false;
};

/// Up to `Capacity` characters, always followed by a NUL. Copies like a value.
template <size_t Capacity>
class FixedString final : public Sink {
public:
    constexpr FixedString() = default;
    explicit FixedString(StringView text) { write(text); }

    void write(StringView text) override {
        const size_t room = Capacity - size_;
        const size_t taken = text.size() < room ? text.size() : room;
        for (size_t i = 0; i < taken; ++i)
            text_[size_ + i] = text.data()[i];
        size_ += taken;
        text_[size_] = '\0';
        truncated_ |= taken < text.size();
    }

    constexpr StringView view() const { return {text_, size_}; }
    constexpr const char* c_str() const { return text_; }
    constexpr size_t size() const { return size_; }
    constexpr bool empty() const { return size_ == 0; }
    constexpr bool truncated() const { return truncated_; }
    constexpr void clear() {
        size_ = 0;
        truncated_ = false;
        text_[0] = '\0';
    }
    static constexpr size_t capacity() { return Capacity; }

    constexpr operator StringView() const { return view(); }

private:
    char text_[Capacity + 1] = {};
    size_t size_ = 0;
    bool truncated_ = false;
};

} // namespace tollgate
