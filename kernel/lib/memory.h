// Moving and comparing bytes. In the kernel these are memcpy and its family, which the compiler also calls by itself;
// on the host the C library has those names, so the tests reach the same code by the names below.
#pragma once

#include "lib/types.h"

#ifdef TOLLGATE_KERNEL
extern "C" {
void* memcpy(void* to, const void* from, std::size_t size);
void* memmove(void* to, const void* from, std::size_t size);
void* memset(void* to, int value, std::size_t size);
int memcmp(const void* left, const void* right, std::size_t size);
std::size_t strlen(const char* text);
}
#else
#include <cstring>
#endif

namespace tollgate {

/// memcpy(): the ranges must not overlap.
void copy_bytes(void* to, const void* from, size_t size);
/// memmove(): the ranges may overlap.
void move_bytes(void* to, const void* from, size_t size);
/// memset().
void fill_bytes(void* to, u8 value, size_t size);
/// memcmp(): the sign of the first difference, as unsigned bytes.
int compare_bytes(const void* left, const void* right, size_t size);
/// strlen().
size_t string_length(const char* text);

} // namespace tollgate
