// user_copy.S for C++, and the page-fault handler's way out of it. The copies return 0, or another number if a fault
// ended them: what has been moved by then is not said.
#pragma once

#include "lib/types.h"

namespace tollgate {

extern "C" u64 user_copy(void* to, const void* from, u64 size);
/// user_words.S: replaces the word, whose address has been checked, if it is `expected`, atomically; `seen` is what it
/// was. 0 on success.
extern "C" u64 user_exchange32(u32* at, u32 expected, u32 desired, u32* seen);
extern "C" u64 user_clear(void* to, u64 size);
/// Reads a word of the kernel half that may not be mapped.
extern "C" bool kernel_read(u64 address, u64* value);
extern "C" i64 user_string(char* to, const char* from, u64 size);

/// Where to go on after a fault at `rip`, or 0 if a fault there is a bug.
u64 find_fixup(u64 rip);

} // namespace tollgate
