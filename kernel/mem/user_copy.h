// The only way from the kernel to user memory: copies through the user addresses of the page table that is loaded. Each
// checks that the range lies below kUserTop and survives a page fault anywhere inside: Errno::Fault. Callers must run
// with the right address space loaded (a system call's own, or the submitter's on a worker core) and may be put to
// sleep.
#pragma once

#include "lib/address.h"
#include "lib/result.h"
#include "lib/string_view.h"

#include <span>
#include <type_traits>

namespace tollgate {

/// Errno::Fault if [address, address + size) is not entirely below kUserTop.
Result<void> check_user_range(u64 address, u64 size);

Result<void> copy_from_user_bytes(void* to, u64 from, u64 size);
Result<void> copy_to_user_bytes(u64 to, const void* from, u64 size);
Result<void> clear_user(u64 to, u64 size);

template <class T>
requires std::is_trivially_copyable_v<T> Result<T> copy_from_user(UserPtr<const T> from) {
    T value;
    TRY(copy_from_user_bytes(&value, from.address(), sizeof value));
    return value;
}
template <class T>
requires std::is_trivially_copyable_v<T> Result<void> copy_to_user(UserPtr<T> to, const T& value) {
    return copy_to_user_bytes(to.address(), &value, sizeof value);
}
/// Copies a NUL-terminated string, the NUL excluded; reads no byte after it. Errno::NameTooLong if there is none within
/// buffer.size().
Result<StringView> copy_string_from_user(std::span<char> buffer, UserPtr<const char> from);

/// Where a file operation's bytes come from or go to: user memory, or, for sendfile(2) and the program loader, the
/// kernel's own. Moving bytes advances it.
class IoBuffer {
public:
    IoBuffer() = default; ///< of no bytes
    /// User memory; every access is checked.
    IoBuffer(u64 user_address, u64 size) : address_(user_address), size_(size) {}
    /// Kernel memory, which outlives the operation.
    static IoBuffer of_kernel(void* memory, u64 size) {
        return IoBuffer(reinterpret_cast<u64>(memory), size, Memory::Kernel);
    }
    u64 size() const { return size_; }
    u64 address() const { return address_; }
    /// Copies kernel bytes into the buffer (for read()) and advances by what was copied. Errno::Fault.
    Result<void> put(const void* from, u64 size);
    /// Copies bytes out of the buffer (for write()) and advances. Errno::Fault.
    Result<void> take(void* to, u64 size);
    /// Puts zeros. Errno::Fault.
    Result<void> clear(u64 size);
    void skip(u64 size) {
        address_ += size;
        size_ -= size;
    }
    /// The first `size` bytes of it, or all if it is smaller.
    IoBuffer first(u64 size) const { return IoBuffer(address_, size < size_ ? size : size_, memory_); }

private:
    enum class Memory : u8 { User, Kernel };
    IoBuffer(u64 address, u64 size, Memory memory) : address_(address), size_(size), memory_(memory) {}

    u64 address_ = 0, size_ = 0;
    Memory memory_ = Memory::User;
};

} // namespace tollgate
