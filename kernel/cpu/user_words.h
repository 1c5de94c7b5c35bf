// Words of user memory by single inline instructions, for calls whose work is a few of them: there a call of user_copy
// costs more than what it moves. Under the rules of user_copy.S: the range has been checked, SMAP is open while a
// UserAccess exists and for nothing else, and every instruction is listed in .fixups with the place to go on at after a
// fault, which sets `failed`; so a run of moves is looked at once, at its end.
#pragma once

#include "cpu/patch.h"

#include <type_traits>

namespace tollgate {

/// Opens SMAP for a scope, in which only user_get and user_put may be called.
class UserAccess {
public:
    [[gnu::always_inline]] UserAccess() { asm volatile(PATCH(PATCH_SMAP, "stac")::: "memory", "cc"); }
    [[gnu::always_inline]] ~UserAccess() { asm volatile(PATCH(PATCH_SMAP, "clac")::: "memory", "cc"); }
    UserAccess(const UserAccess&) = delete;
    UserAccess& operator=(const UserAccess&) = delete;
};

// The question mark: an inline function's entries live and go with it.
#define TOLLGATE_USER_MOVE(instruction)                                                                                \
    "1: " instruction "\n"                                                                                             \
    "2: .pushsection .text.fixup, \"ax?\"\n"                                                                           \
    "3: movb $1, %0\n"                                                                                                 \
    "jmp 2b\n"                                                                                                         \
    ".popsection\n"                                                                                                    \
    ".pushsection .fixups, \"a?\"\n"                                                                                   \
    ".quad 1b, 3b\n"                                                                                                   \
    ".popsection"

/// Reads a word; it is anything after a fault.
template <class T>
requires(std::is_scalar_v<T>) [[gnu::always_inline]] inline void user_get(T& to, const T* from, bool& failed) {
    asm volatile(TOLLGATE_USER_MOVE("mov %2, %1") : "+rm"(failed), "=r"(to) : "m"(*from));
}
template <class T>
requires(std::is_scalar_v<T>) [[gnu::always_inline]] inline void user_put(T* to, T value, bool& failed) {
    asm volatile(TOLLGATE_USER_MOVE("mov %2, %1") : "+rm"(failed), "=m"(*to) : "r"(value));
}
#undef TOLLGATE_USER_MOVE

} // namespace tollgate
