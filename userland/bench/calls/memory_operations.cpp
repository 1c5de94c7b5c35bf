// The address space: areas made and unmade, with and without touching their pages.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userland/bench/calls/operation.h"

namespace tollgate::calls {
namespace {

constexpr long kPage = 4096;
constexpr long kMebibyte = 1 << 20;

long map(long size) {
    return Native::call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

// A result above the last page is an error [syscall(2)]; addresses are positive.
[[gnu::always_inline]] inline long map_touch_unmap(long size, bool touch) {
    const long address = map(size);
    if (address < 0)
        return address;
    if (touch)
        for (long at = 0; at < size; at += kPage)
            *reinterpret_cast<volatile char*>(address + at) = 1;
    return Native::call(SYS_munmap, address, size);
}

[[gnu::noipa]] long mmap_munmap() { return map_touch_unmap(kPage, false); }
[[gnu::noipa]] long mmap_touch_munmap() { return map_touch_unmap(kPage, true); }
[[gnu::noipa]] long mmap_touch_munmap_1m() { return map_touch_unmap(kMebibyte, true); }

// A page that stays: what is mapped beside it finds its page tables there, as in any program that lives for a while. It
// may only be read, so that nothing is merged with it.
long neighbour;
long keep_neighbour() {
    neighbour = Native::call(SYS_mmap, 0, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (neighbour > 0)
        (void)*reinterpret_cast<volatile char*>(neighbour);
    return neighbour;
}
void drop_neighbour() {
    if (neighbour > 0)
        Native::call(SYS_munmap, neighbour, kPage);
}

long area;
long map_area() {
    area = map(kPage);
    if (area > 0)
        *reinterpret_cast<volatile char*>(area) = 1;
    return area;
}
void unmap_area() {
    if (area > 0)
        Native::call(SYS_munmap, area, kPage);
}

[[gnu::noipa]] long mprotect_pair() {
    const long result = Native::call(SYS_mprotect, area, kPage, PROT_READ);
    return result < 0 ? result : Native::call(SYS_mprotect, area, kPage, PROT_READ | PROT_WRITE);
}

long heap_end;
long find_heap_end() { return heap_end = Native::call(SYS_brk, 0); }

[[gnu::noipa]] long brk_grow_shrink() {
    if (Native::call(SYS_brk, heap_end + kPage) != heap_end + kPage)
        return -ENOMEM;
    return Native::call(SYS_brk, heap_end);
}

constexpr Operation kOperations[] = {
    operation<mmap_munmap>("mmap_munmap_4k", 2000, 50, keep_neighbour, drop_neighbour),
    operation<mmap_touch_munmap>("mmap_touch_munmap_4k", 0, 20, keep_neighbour, drop_neighbour),
    operation<mmap_touch_munmap_1m>("mmap_touch_munmap_1m", 300000, 1, keep_neighbour, drop_neighbour, 3),
    operation<mprotect_pair>("mprotect_pair", 1200, 50, map_area, unmap_area),
    operation<brk_grow_shrink>("brk_grow_shrink", 0, 20, find_heap_end),
};

} // namespace

std::span<const Operation> memory_operations() { return kOperations; }

} // namespace tollgate::calls
