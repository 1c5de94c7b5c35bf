// The parts of one message in user memory, as sendmsg(2) and recvmsg(2) name them; or one part, for read and write.
#pragma once

#include "mem/user_copy.h"

namespace tollgate::net {

class IoList {
public:
    explicit IoList(std::span<IoBuffer> parts) : parts_(parts) {
        for (const IoBuffer& part : parts)
            size_ += part.size();
    }
    /// Bytes that are left.
    u64 size() const { return size_; }
    /// Errno::Fault. Not more than size().
    Result<void> put(const void* from, u64 size) {
        return each(size, [&](IoBuffer& part, u64 at, u64 count) {
            return part.put(static_cast<const u8*>(from) + at, count);
        });
    }
    Result<void> take(void* to, u64 size) {
        return each(size,
                    [&](IoBuffer& part, u64 at, u64 count) { return part.take(static_cast<u8*>(to) + at, count); });
    }

private:
    template <class Move>
    Result<void> each(u64 size, Move move) {
        u64 at = 0;
        while (at < size) {
            IoBuffer& part = parts_[current_];
            const u64 count = part.size() < size - at ? part.size() : size - at;
            if (count > 0)
                TRY(move(part, at, count));
            at += count;
            size_ -= count;
            if (part.size() == 0)
                ++current_;
        }
        return {};
    }

    std::span<IoBuffer> parts_;
    u64 size_ = 0, current_ = 0;
};

} // namespace tollgate::net
