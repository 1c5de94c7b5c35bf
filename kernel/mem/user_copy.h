// The only way from the kernel to user memory: copies through the user addresses of the page table that is loaded. Each
// checks that the range lies below kUserTop and survives a page fault anywhere inside: Errno::Fault. Callers must run
// with the right address space loaded (a system call's own, or the submitter's on a worker core) and may be put to
// sleep.
#pragma once

#include "cpu/user_copy.h"
#include "cpu/user_words.h"
#include "lib/address.h"
#include "lib/mutants.h"
#include "lib/result.h"
#include "lib/string_view.h"

#include <span>
#include <type_traits>

namespace tollgate {

/// Whether [address, address + size) lies below kUserTop. Exact: nothing at or above it is ever touched on a user's
/// word.
inline bool is_user_range(u64 address, u64 size) {
    return mutant(Mutant::UserRange) || (size <= kUserTop && address <= kUserTop - size);
}
/// Errno::Fault if not.
inline Result<void> check_user_range(u64 address, u64 size) {
    if (!is_user_range(address, size)) [[unlikely]]
        return fail(Errno::Fault);
    return {};
}

Result<void> copy_from_user_bytes(void* to, u64 from, u64 size);
Result<void> copy_to_user_bytes(u64 to, const void* from, u64 size);
Result<void> clear_user(u64 to, u64 size);

namespace detail {
/// What is moved word by word, inline: a few words of one size.
template <class T>
inline constexpr bool kFewWords = sizeof(T) <= 2 || (sizeof(T) % 4 == 0 && sizeof(T) <= 16) ||
                                  (sizeof(T) % 8 == 0 && sizeof(T) <= 32);
template <class T>
using WordOf =
    std::conditional_t<sizeof(T) % 8 == 0, u64,
                       std::conditional_t<sizeof(T) % 4 == 0, u32, std::conditional_t<sizeof(T) == 2, u16, u8>>>;
} // namespace detail

/// In place.
template <class T>
requires std::is_trivially_copyable_v<T>
[[gnu::always_inline]] inline Result<void> copy_from_user(T& to, UserPtr<const T> from) {
    if constexpr (!detail::kFewWords<T>) {
        return copy_from_user_bytes(&to, from.address(), sizeof(T));
    } else {
        using Word = detail::WordOf<T>;
        constexpr u64 kCount = sizeof(T) / sizeof(Word);
        TRY(check_user_range(from.address(), sizeof(T)));
        const auto* const source = reinterpret_cast<const Word*>(from.address());
        Word words[kCount];
        bool failed = false;
        {
            UserAccess access;
#pragma GCC unroll 4
            for (u64 i = 0; i < kCount; ++i)
                user_get(words[i], source + i, failed);
        }
        if (failed) [[unlikely]]
            return fail(Errno::Fault);
        __builtin_memcpy(&to, words, sizeof(T));
        return {};
    }
}
template <class T>
requires std::is_trivially_copyable_v<T>
[[gnu::always_inline]] inline Result<T> copy_from_user(UserPtr<const T> from) {
    T value;
    TRY(copy_from_user(value, from));
    return value;
}
template <class T>
requires std::is_trivially_copyable_v<T>
[[gnu::always_inline]] inline Result<void> copy_to_user(UserPtr<T> to, const T& value) {
    if constexpr (!detail::kFewWords<T>) {
        return copy_to_user_bytes(to.address(), &value, sizeof(T));
    } else {
        using Word = detail::WordOf<T>;
        constexpr u64 kCount = sizeof(T) / sizeof(Word);
        TRY(check_user_range(to.address(), sizeof(T)));
        auto* const target = reinterpret_cast<Word*>(to.address());
        Word words[kCount];
        __builtin_memcpy(words, &value, sizeof(T));
        bool failed = false;
        {
            UserAccess access;
#pragma GCC unroll 4
            for (u64 i = 0; i < kCount; ++i)
                user_put(target + i, words[i], failed);
        }
        if (failed) [[unlikely]]
            return fail(Errno::Fault);
        return {};
    }
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
    /// The same for all the rest of it; how many bytes that were.
    Result<u64> clear_rest() {
        if (memory_ != Memory::User || !is_user_range(address_, size_)) [[unlikely]]
            return clear_all();
        if (user_clear(reinterpret_cast<void*>(address_), size_) != 0) [[unlikely]]
            return fail(Errno::Fault);
        const u64 done = size_;
        skip(done);
        return done;
    }
    /// One small object. Errno::Fault, also if there is no room for all of it.
    template <class T>
    Result<void> put_object(const T& object) {
        if (memory_ != Memory::User || size_ < sizeof(T)) [[unlikely]]
            return put(&object, sizeof(T));
        TRY(copy_to_user(UserPtr<T>(address_), object));
        skip(sizeof(T));
        return {};
    }
    template <class T>
    Result<void> take_object(T& object) {
        if (memory_ != Memory::User || size_ < sizeof(T)) [[unlikely]]
            return take(&object, sizeof(T));
        TRY(copy_from_user(object, UserPtr<const T>(address_)));
        skip(sizeof(T));
        return {};
    }
    void skip(u64 size) {
        address_ += size;
        size_ -= size;
    }
    /// The first `size` bytes of it, or all if it is smaller.
    IoBuffer first(u64 size) const { return IoBuffer(address_, size < size_ ? size : size_, memory_); }

private:
    enum class Memory : u8 { User, Kernel };
    Result<u64> clear_all(); // the long way, apart: it needs registers that the short one does not
    IoBuffer(u64 address, u64 size, Memory memory) : address_(address), size_(size), memory_(memory) {}

    u64 address_ = 0, size_ = 0;
    Memory memory_ = Memory::User;
};

} // namespace tollgate
