// The byte loops behind memcpy and its family, called by everything. They move 8 bytes at a time: under TCG `rep movsb`
// is nine times slower than that, and the kernel may not touch vector registers.
#include "lib/memory.h"

namespace tollgate {

namespace {

// A 64-bit word at any address, of any type: x86 allows both, and the attributes tell the compiler.
using Word [[gnu::may_alias, gnu::aligned(1)]] = u64;

// Without this GCC recognises the loops below as memcpy and memset, and replaces them by calls to themselves.
template <class T>
[[gnu::always_inline]] inline void hide(T*& pointer) {
    asm volatile("" : "+r"(pointer));
}

[[gnu::always_inline]] inline Word& word(u8* at) { return *reinterpret_cast<Word*>(at); }
[[gnu::always_inline]] inline const Word& word(const u8* at) { return *reinterpret_cast<const Word*>(at); }

[[gnu::always_inline]] inline void copy_up(u8* to, const u8* from, size_t size) {
    for (; size >= 32; size -= 32, to += 32, from += 32) {
        hide(to);
        const u64 a = word(from);
        const u64 b = word(from + 8);
        const u64 c = word(from + 16);
        const u64 d = word(from + 24);
        word(to) = a;
        word(to + 8) = b;
        word(to + 16) = c;
        word(to + 24) = d;
    }
    for (; size >= 8; size -= 8, to += 8, from += 8) {
        hide(to);
        word(to) = word(from);
    }
    for (; size > 0; --size) {
        hide(to);
        *to++ = *from++;
    }
}

[[gnu::always_inline]] inline void copy_down(u8* to, const u8* from, size_t size) {
    to += size;
    from += size;
    for (; size >= 8; size -= 8) {
        hide(to);
        to -= 8;
        from -= 8;
        word(to) = word(from);
    }
    for (; size > 0; --size) {
        hide(to);
        *--to = *--from;
    }
}

} // namespace

void copy_bytes(void* to, const void* from, size_t size) {
    copy_up(static_cast<u8*>(to), static_cast<const u8*>(from), size);
}

void move_bytes(void* to, const void* from, size_t size) {
    auto* const target = static_cast<u8*>(to);
    const auto* const source = static_cast<const u8*>(from);
    // Unsigned wrap-around makes this true also when the target lies below the source.
    if (reinterpret_cast<u64>(target) - reinterpret_cast<u64>(source) >= size)
        copy_up(target, source, size);
    else
        copy_down(target, source, size);
}

void fill_bytes(void* to, u8 value, size_t size) {
    auto* target = static_cast<u8*>(to);
    const u64 pattern = u64{value} * 0x0101010101010101;
    for (; size >= 32; size -= 32, target += 32) {
        hide(target);
        word(target) = pattern;
        word(target + 8) = pattern;
        word(target + 16) = pattern;
        word(target + 24) = pattern;
    }
    for (; size >= 8; size -= 8, target += 8) {
        hide(target);
        word(target) = pattern;
    }
    for (; size > 0; --size) {
        hide(target);
        *target++ = value;
    }
}

int compare_bytes(const void* left, const void* right, size_t size) {
    const auto* a = static_cast<const u8*>(left);
    const auto* b = static_cast<const u8*>(right);
    for (; size >= 8 && word(a) == word(b); size -= 8) {
        a += 8;
        b += 8;
    }
    for (; size > 0; --size, ++a, ++b)
        if (*a != *b)
            return *a < *b ? -1 : 1;
    return 0;
}

size_t string_length(const char* text) {
    const char* end = text;
    while (*end != '\0') {
        ++end;
        hide(end);
    }
    return static_cast<size_t>(end - text);
}

} // namespace tollgate

#ifdef TOLLGATE_KERNEL
extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) {
    tollgate::copy_bytes(to, from, size);
    return to;
}

void* memmove(void* to, const void* from, std::size_t size) {
    tollgate::move_bytes(to, from, size);
    return to;
}

void* memset(void* to, int value, std::size_t size) {
    tollgate::fill_bytes(to, static_cast<tollgate::u8>(value), size);
    return to;
}

int memcmp(const void* left, const void* right, std::size_t size) { return tollgate::compare_bytes(left, right, size); }

std::size_t strlen(const char* text) { return tollgate::string_length(text); }
}
#endif
