// The range check comes first.
#include "mem/user_copy.h"

#include "lib/bits.h"
#include "lib/memory.h"

namespace tollgate {

Result<void> copy_from_user_bytes(void* to, u64 from, u64 size) {
    TRY(check_user_range(from, size));
    if (tollgate::user_copy(to, reinterpret_cast<const void*>(from), size) != 0) [[unlikely]]
        return fail(Errno::Fault);
    return {};
}

Result<void> copy_to_user_bytes(u64 to, const void* from, u64 size) {
    TRY(check_user_range(to, size));
    if (tollgate::user_copy(reinterpret_cast<void*>(to), from, size) != 0) [[unlikely]]
        return fail(Errno::Fault);
    return {};
}

Result<void> clear_user(u64 to, u64 size) {
    TRY(check_user_range(to, size));
    if (user_clear(reinterpret_cast<void*>(to), size) != 0) [[unlikely]]
        return fail(Errno::Fault);
    return {};
}

Result<StringView> copy_string_from_user(std::span<char> buffer, UserPtr<const char> from) {
    if (from.address() >= kUserTop)
        return fail(Errno::Fault);
    const u64 room = kUserTop - from.address();
    const u64 size = buffer.size() < room ? buffer.size() : room;
    const i64 length = user_string(buffer.data(), reinterpret_cast<const char*>(from.address()), size);
    if (length < 0)
        return fail(Errno::Fault);
    if (static_cast<u64>(length) == size)
        return fail(size == buffer.size() ? Errno::NameTooLong : Errno::Fault);
    return StringView(buffer.data(), static_cast<u64>(length));
}

Result<void> IoBuffer::put(const void* from, u64 size) {
    if (size > size_)
        return fail(Errno::Fault);
    if (memory_ == Memory::User) [[likely]]
        TRY(copy_to_user_bytes(address_, from, size));
    else
        memcpy(reinterpret_cast<void*>(address_), from, size);
    skip(size);
    return {};
}

Result<void> IoBuffer::take(void* to, u64 size) {
    if (size > size_)
        return fail(Errno::Fault);
    if (memory_ == Memory::User) [[likely]]
        TRY(copy_from_user_bytes(to, address_, size));
    else
        memcpy(to, reinterpret_cast<const void*>(address_), size);
    skip(size);
    return {};
}

Result<void> IoBuffer::clear(u64 size) {
    if (size > size_)
        return fail(Errno::Fault);
    if (memory_ == Memory::User) [[likely]]
        TRY(clear_user(address_, size));
    else
        memset(reinterpret_cast<void*>(address_), 0, size);
    skip(size);
    return {};
}

Result<u64> IoBuffer::clear_all() {
    const u64 size = size_;
    TRY(clear(size));
    return size;
}

} // namespace tollgate
