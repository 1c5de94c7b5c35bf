// Helpers of the tests beside this file, never part of the kernel proper: building byte images by hand, and memory that
// ends where it says. On the host every image is copied to a heap block of its exact size, so that the address
// sanitizer sees one byte too many.
#pragma once

#include "lib/byte_reader.h"
#include "lib/phys_reader.h"

#include <array>
#include <optional>
#ifndef TOLLGATE_KERNEL
#include <memory>
#endif

namespace tollgate::testing {

/// Up to Capacity bytes, appended and patched.
template <size_t Capacity>
class Image {
public:
    template <class T>
    Image& put(T value) {
        ASSERT(size_ + sizeof(T) <= Capacity);
        memcpy(bytes_.data() + size_, &value, sizeof(T));
        size_ += sizeof(T);
        return *this;
    }
    /// The characters alone; put(u8{0}) adds a terminator.
    Image& put_text(StringView text) {
        for (const char c : text)
            put(c);
        return *this;
    }
    Image& zeros(size_t count) {
        for (size_t i = 0; i < count; ++i)
            put(u8{0});
        return *this;
    }
    Image& pad(size_t alignment) { return zeros(align_up(size_, alignment) - size_); }

    template <class T>
    void patch(size_t offset, T value) {
        ASSERT(offset + sizeof(T) <= size_);
        memcpy(bytes_.data() + offset, &value, sizeof(T));
    }
    template <class T>
    T at(size_t offset) const {
        ASSERT(offset + sizeof(T) <= size_);
        T value;
        memcpy(&value, bytes_.data() + offset, sizeof(T));
        return value;
    }
    /// Sets the byte at `where` so that [start, start + length) sums to zero.
    void fix_checksum(size_t start, size_t length, size_t where) {
        patch(where, u8{0});
        u8 sum = 0;
        for (size_t i = start; i < start + length; ++i)
            sum = static_cast<u8>(sum + at<u8>(i));
        patch(where, static_cast<u8>(0 - sum));
    }

    size_t size() const { return size_; }
    Bytes bytes() const { return Bytes(bytes_.data(), size_); }

private:
    std::array<std::byte, Capacity> bytes_{};
    size_t size_ = 0;
};

/// Calls use(Bytes) on a copy with nothing behind it (in the kernel: on the bytes themselves).
template <class Use>
auto with_exact(Bytes bytes, Use use) {
#ifndef TOLLGATE_KERNEL
    const std::unique_ptr<std::byte[]> copy(new std::byte[bytes.size()]);
    for (size_t i = 0; i < bytes.size(); ++i)
        copy[i] = bytes[i];
    return use(Bytes(copy.get(), bytes.size()));
#else
    return use(bytes);
#endif
}

/// Physical memory that consists of one block at `base`.
class FakeMemory final : public PhysReader {
public:
    FakeMemory(PhysAddr base, Bytes bytes) : base_(base), bytes_(bytes) {}

    std::optional<Bytes> view(PhysAddr base, u64 length) override {
        if (base < base_ || !range_fits(base - base_, length, bytes_.size()))
            return std::nullopt;
        return bytes_.subspan(base - base_, length);
    }

private:
    PhysAddr base_;
    Bytes bytes_;
};

} // namespace tollgate::testing
