// Memory of one process: mmap, munmap, mprotect, mremap, madvise, mincore, msync, mlock, brk.
#include <sys/resource.h>

#include "userland/conform/memory_support.h"

namespace {

using namespace tollgate;
using namespace tollgate::conform;

constexpr uint64_t kTop = uint64_t{1} << 47;
/// An address that the compiler knows nothing about.
void* at(uint64_t address) {
    asm("" : "+r"(address));
    return reinterpret_cast<void*>(address);
}

void test_mmap(Ktap& ktap) {
    char* memory = map(4);
    ktap.check(memory && reinterpret_cast<uint64_t>(memory) % kPage == 0, "no memory, or not aligned");
    ktap.check(all(memory, 4 * kPage, 0), "not zeros");
    ktap.test("mmap gives zeros");
    std::memset(memory, 1, 4 * kPage);
    munmap(memory, 4 * kPage);
    ktap.test("munmap takes them away", !readable(memory) && !readable(memory + 3 * kPage) && !mapped(memory));
    char* again = map(4);
    ktap.check(again && all(again, 4 * kPage, 0), "old bytes came back");
    munmap(again, 4 * kPage);
    ktap.test("memory that was used comes back as zeros");

    ktap.check(error_of(mmap(nullptr, 0, kReadWrite, kPrivate, -1, 0)) == EINVAL, "mmap");
    ktap.check(error_of(munmap(memory, 0)) == EINVAL, "munmap");
    ktap.test("a length of 0 is EINVAL");
    ktap.check(error_of(mmap(nullptr, kPage, kReadWrite, MAP_ANONYMOUS, -1, 0)) == EINVAL, "no type");
    ktap.check(error_of(mmap(nullptr, kPage, kReadWrite, MAP_ANONYMOUS | 0xf, -1, 0)) == EINVAL, "a wrong type");
    ktap.test("a mapping is private or shared, else EINVAL");
    ktap.check(syscall(SYS_mmap, nullptr, kPage, kReadWrite, kPrivate, -1, 1) == -1 && errno == EINVAL, "offset 1");
    ktap.check(error_of(mmap(at(0x10000001), kPage, kReadWrite, kPrivate | MAP_FIXED, -1, 0)) == EINVAL, "address");
    ktap.check(error_of(munmap(at(0x10000001), kPage)) == EINVAL, "munmap");
    ktap.check(error_of(mprotect(at(0x10000001), kPage, PROT_READ)) == EINVAL, "mprotect");
    ktap.check(error_of(madvise(at(0x10000001), kPage, MADV_NORMAL)) == EINVAL, "madvise");
    ktap.check(error_of(msync(at(0x10000001), kPage, MS_SYNC)) == EINVAL, "msync");
    unsigned char vector[4];
    ktap.check(error_of(mincore(at(0x10000001), kPage, vector)) == EINVAL, "mincore");
    ktap.check(error_of(mremap(at(0x10000001), kPage, kPage, 0)) == EINVAL, "mremap");
    ktap.test("what must be aligned is, else EINVAL");
    for (const size_t length : {size_t{1} << 47, size_t{1} << 62, ~size_t{0}, ~size_t{0} - kPage})
        ktap.check(error_of(mmap(nullptr, length, kReadWrite, kPrivate | MAP_NORESERVE, -1, 0)) == ENOMEM,
                   "length %#zx", length);
    ktap.test("more than the address space is ENOMEM");
    ktap.check(error_of(mmap(at(kTop - kPage), 2 * kPage, PROT_READ, kPrivate | MAP_FIXED, -1, 0)) == ENOMEM, "across");
    ktap.check(error_of(mmap(at(kTop), kPage, PROT_READ, kPrivate | MAP_FIXED, -1, 0)) == ENOMEM, "at the top");
    ktap.check(error_of(mmap(at(~uint64_t{0} << 12), kPage, PROT_READ, kPrivate | MAP_FIXED, -1, 0)) == ENOMEM,
               "the last page");
    ktap.test("fixed beyond the top is ENOMEM");
    ktap.check(error_of(munmap(at(kTop), kPage)) == EINVAL, "at the top");
    ktap.check(error_of(munmap(at(kPage), ~size_t{0} & ~(kPage - 1))) == EINVAL, "everything");
    ktap.test("munmap beyond the top is EINVAL");
    memory = map(1);
    munmap(memory, kPage);
    ktap.test("munmap of nothing is fine", munmap(memory, kPage) == 0);
}

void test_placement(Ktap& ktap) {
    char* const base = map(8);
    munmap(base, 8 * kPage);
    char* memory = map(1, kReadWrite, kPrivate, base + 2 * kPage);
    ktap.test("a free hint is followed", memory == base + 2 * kPage);
    char* second = map(1, kReadWrite, kPrivate, base + 2 * kPage);
    ktap.test("a hint that is taken is not", second && second != memory);
    munmap(second, kPage);
    second = map(1, kReadWrite, kPrivate, base + 5 * kPage + 123);
    ktap.test("a hint is rounded down", second == base + 5 * kPage);
    munmap(second, kPage);
    *memory = 7;
    ktap.check(map(1, kReadWrite, kPrivate | MAP_FIXED, memory) == memory && *memory == 0, "not replaced");
    ktap.test("MAP_FIXED replaces what is there");
    *memory = 7;
    ktap.check(!map(1, kReadWrite, kPrivate | MAP_FIXED_NOREPLACE, memory) && errno == EEXIST, "over it: %d", errno);
    ktap.check(!map(3, kReadWrite, kPrivate | MAP_FIXED_NOREPLACE, memory - kPage) && errno == EEXIST, "around it");
    ktap.check(*memory == 7, "its content went");
    ktap.test("MAP_FIXED_NOREPLACE over something is EEXIST");
    second = map(1, kReadWrite, kPrivate | MAP_FIXED_NOREPLACE, memory + kPage);
    ktap.test("MAP_FIXED_NOREPLACE over nothing maps", second == memory + kPage);
    munmap(base, 8 * kPage);
    memory = map(1, kReadWrite, kPrivate | MAP_32BIT);
    ktap.test("MAP_32BIT is below 2 GiB", memory && reinterpret_cast<uint64_t>(memory) < uint64_t{1} << 31);
    munmap(memory, kPage);
    memory = map(4, kReadWrite, kPrivate | MAP_POPULATE);
    unsigned char there[4] = {};
    ktap.check(memory && mincore(memory, 4 * kPage, there) == 0, "mincore");
    ktap.check((there[0] & there[1] & there[2] & there[3] & 1) == 1, "not all pages are there");
    ktap.test("MAP_POPULATE brings pages in");
    munmap(memory, 4 * kPage);
    for (const int flag : {MAP_STACK, MAP_NORESERVE, MAP_GROWSDOWN, MAP_LOCKED, MAP_DENYWRITE}) {
        memory = map(2, kReadWrite, kPrivate | flag);
        ktap.check(memory && (memory[kPage] = 1), "flag %#x", flag);
        munmap(memory, 2 * kPage);
    }
    ktap.test("flags about speed and size are taken");
}

void test_munmap_parts(Ktap& ktap) {
    char* const memory = map(5);
    for (int i = 0; i < 5; ++i)
        memory[i * kPage] = static_cast<char>(i + 1);
    ktap.check(munmap(memory + 2 * kPage, kPage) == 0, "munmap");
    ktap.check(!mapped(memory + 2 * kPage) && memory[kPage] == 2 && memory[3 * kPage] == 4, "the middle");
    ktap.test("a hole in the middle");
    ktap.check(munmap(memory, kPage) == 0 && !mapped(memory) && memory[kPage] == 2, "the front");
    ktap.check(munmap(memory + 4 * kPage, kPage) == 0 && !mapped(memory + 4 * kPage) && memory[3 * kPage] == 4, "end");
    ktap.test("the front and the end");
    ktap.check(munmap(memory, 5 * kPage) == 0, "munmap");
    ktap.test("a range with holes in it", !mapped(memory + kPage) && !mapped(memory + 3 * kPage));

    char* const many = map(400);
    bool right = true;
    for (int i = 0; i < 400; i += 2)
        right = right && munmap(many + i * kPage, kPage) == 0;
    for (int i = 1; i < 400; i += 2)
        many[i * kPage] = static_cast<char>(i);
    for (int i = 0; i < 400; ++i)
        right = right && mapped(many + i * kPage) == (i % 2 == 1) &&
                (i % 2 == 0 || many[i * kPage] == static_cast<char>(i));
    ktap.test("two hundred areas are kept apart", right);
    munmap(many, 400 * kPage);
}

void test_mprotect(Ktap& ktap) {
    char* const memory = map(4);
    std::memset(memory, 5, 4 * kPage);
    ktap.check(mprotect(memory + kPage, kPage, PROT_READ) == 0, "mprotect");
    ktap.check(readable(memory + kPage) && !writable(memory + kPage) && writable(memory) &&
                   writable(memory + 2 * kPage),
               "rights");
    ktap.test("mprotect to read-only");
    ktap.check(mprotect(memory + 2 * kPage, kPage, PROT_NONE) == 0 && !readable(memory + 2 * kPage), "PROT_NONE");
    ktap.check(mprotect(memory, 4 * kPage, kReadWrite) == 0 && writable(memory + kPage), "and back");
    ktap.check(memory[2 * kPage + 100] == 5, "the content went");
    ktap.test("PROT_NONE keeps the content");
    ktap.check(killed_by(SIGSEGV,
                         [&] {
                             mprotect(memory, kPage, PROT_READ);
                             *static_cast<volatile char*>(memory) = 1;
                         }),
               "a write");
    ktap.check(killed_by(SIGSEGV,
                         [&] {
                             mprotect(memory, kPage, PROT_NONE);
                             (void)*static_cast<volatile char*>(memory);
                         }),
               "a read");
    ktap.test("a forbidden access is SIGSEGV");
    munmap(memory + 2 * kPage, kPage);
    ktap.check(error_of(mprotect(memory, 4 * kPage, PROT_READ)) == ENOMEM, "a hole");
    ktap.check(error_of(mprotect(memory + 2 * kPage, kPage, PROT_READ)) == ENOMEM, "nothing there");
    ktap.check(error_of(mprotect(at(kTop - kPage), 2 * kPage, PROT_READ)) == ENOMEM, "beyond the top");
    ktap.test("mprotect of what is not mapped is ENOMEM");
    ktap.check(error_of(mprotect(memory, kPage, 0x10)) == EINVAL, "unknown bits");
    ktap.check(error_of(mprotect(memory, kPage, PROT_READ | PROT_GROWSDOWN)) == EINVAL, "PROT_GROWSDOWN");
    ktap.check(error_of(mprotect(memory, kPage, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP)) == EINVAL, "both");
    ktap.test("mprotect with rights that cannot be is EINVAL");
    ktap.test("mprotect of no bytes is fine", mprotect(memory, 0, PROT_READ) == 0);
    munmap(memory, 4 * kPage);
}

void test_mremap(Ktap& ktap) {
    const auto move = [](void* from, size_t before, size_t after, int flags, void* to = nullptr) {
        return static_cast<char*>(mremap(from, before * kPage, after * kPage, flags, to));
    };
    char* const base = map(16);
    munmap(base, 16 * kPage);
    char* memory = map(2, kReadWrite, kPrivate | MAP_FIXED, base);
    std::memset(memory, 3, 2 * kPage);
    ktap.check(move(memory, 2, 4, 0) == memory, "it moved");
    ktap.check(all(memory, 2 * kPage, 3) && all(memory + 2 * kPage, 2 * kPage, 0), "content");
    ktap.test("mremap grows in place");
    ktap.check(move(memory, 4, 1, 0) == memory && !mapped(memory + kPage) && memory[0] == 3, "shrink");
    ktap.test("mremap shrinks");
    ktap.test("mremap to the same size does nothing", move(memory, 1, 1, 0) == memory && memory[5] == 3);
    map(1, kReadWrite, kPrivate | MAP_FIXED, memory + kPage);
    mprotect(memory + kPage, kPage, PROT_READ);
    ktap.test("mremap without room is ENOMEM", error_of(move(memory, 1, 2, 0)) == ENOMEM);
    char* moved = move(memory, 1, 3, MREMAP_MAYMOVE);
    ktap.check(moved != MAP_FAILED && moved != memory && !mapped(memory), "it did not move");
    ktap.check(all(moved, kPage, 3) && all(moved + kPage, 2 * kPage, 0), "content");
    ktap.test("MREMAP_MAYMOVE moves");
    char* const target = base + 8 * kPage;
    map(1, kReadWrite, kPrivate | MAP_FIXED, target)[0] = 9;
    ktap.check(move(moved, 3, 2, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target, "not there");
    ktap.check(all(target, kPage, 3) && !mapped(moved) && !mapped(moved + 2 * kPage), "content, or the rest is left");
    ktap.test("MREMAP_FIXED moves there, shrinks, and replaces");
    ktap.check(error_of(move(target, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, target + kPage)) == EINVAL, "overlap");
    ktap.check(error_of(move(target, 2, 2, MREMAP_FIXED, base)) == EINVAL, "without MAYMOVE");
    ktap.check(error_of(move(target, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, base + 1)) == EINVAL, "unaligned");
    ktap.check(error_of(move(target, 2, 2, 0x100)) == EINVAL, "unknown flags");
    ktap.check(error_of(move(target, 2, 0, MREMAP_MAYMOVE)) == EINVAL, "no new size");
    ktap.check(error_of(move(target, 0, 2, MREMAP_MAYMOVE)) == EINVAL, "no old size, private");
    ktap.test("mremap with what cannot be is EINVAL");
    ktap.check(error_of(move(target, 3, 4, MREMAP_MAYMOVE)) == EFAULT, "beyond the mapping");
    ktap.check(error_of(move(base + 4 * kPage, 1, 2, MREMAP_MAYMOVE)) == EFAULT, "nothing there");
    ktap.test("mremap of what is not mapped is EFAULT");
    target[kPage] = 3;
    char* part = move(target + kPage, 1, 2, MREMAP_MAYMOVE | MREMAP_FIXED, base + 12 * kPage);
    ktap.check(part == base + 12 * kPage && part[0] == 3 && mapped(target) && !mapped(target + kPage), "part");
    ktap.test("part of a mapping moves");
    munmap(base, 16 * kPage);
    char* const large = map(300);
    for (int i = 0; i < 300; i += 7)
        large[i * kPage] = static_cast<char>(i);
    char* const elsewhere = move(large, 300, 900, MREMAP_MAYMOVE);
    bool right = elsewhere != MAP_FAILED;
    for (int i = 0; right && i < 300; ++i)
        right = elsewhere[i * kPage] == (i % 7 ? 0 : static_cast<char>(i));
    ktap.test("many pages move", right);
    munmap(elsewhere, 900 * kPage);
}

void test_madvise(Ktap& ktap) {
    char* const memory = map(4);
    std::memset(memory, 4, 4 * kPage);
    ktap.check(madvise(memory + kPage, 2 * kPage, MADV_DONTNEED) == 0, "madvise");
    ktap.check(memory[0] == 4 && all(memory + kPage, 2 * kPage, 0) && memory[3 * kPage] == 4, "content");
    ktap.test("MADV_DONTNEED makes zeros of private memory");
    for (const int advice : {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_FREE, MADV_DONTFORK,
                             MADV_DOFORK, MADV_DONTDUMP, MADV_DODUMP, MADV_COLD, MADV_WIPEONFORK, MADV_KEEPONFORK})
        ktap.check(madvise(memory, 4 * kPage, advice) == 0, "advice %d", advice);
    ktap.test("advice is taken");
    for (const int advice : {5, 6, 7, 26, 99, 1000, -1, -1000})
        ktap.check(error_of(madvise(memory, kPage, advice)) == EINVAL, "advice %d", advice);
    ktap.test("unknown advice is EINVAL");
    ktap.check(error_of(madvise(memory, ~size_t{0}, MADV_DONTNEED)) == EINVAL, "a length that wraps");
    ktap.check(madvise(memory, 0, MADV_DONTNEED) == 0, "no bytes");
    ktap.test("madvise's lengths");
    munmap(memory + kPage, kPage);
    std::memset(memory + 2 * kPage, 4, kPage);
    ktap.check(error_of(madvise(memory, 3 * kPage, MADV_DONTNEED)) == ENOMEM && memory[2 * kPage] == 0, "a hole");
    ktap.test("madvise over a hole does the rest and is ENOMEM");
    munmap(memory, 4 * kPage);
}

void test_mincore(Ktap& ktap) {
    char* const memory = map(300);
    unsigned char there[300];
    for (int i = 0; i < 300; i += 3)
        memory[i * kPage] = 1;
    bool right = mincore(memory, 300 * kPage, there) == 0;
    for (int i = 0; i < 300; ++i)
        right = right && (there[i] & 1) == (i % 3 == 0);
    ktap.test("mincore tells which pages are there", right);
    ktap.check(error_of(mincore(memory, kPage, reinterpret_cast<unsigned char*>(8))) == EFAULT, "a bad vector");
    ktap.check(error_of(mincore(at(kTop - kPage), 2 * kPage, there)) == ENOMEM, "beyond the top");
    munmap(memory + kPage, kPage);
    ktap.check(error_of(mincore(memory, 3 * kPage, there)) == ENOMEM, "a hole");
    ktap.check(mincore(memory, 0, there) == 0, "no bytes");
    ktap.test("mincore's errors");
    munmap(memory, 300 * kPage);
}

void test_sync_and_lock(Ktap& ktap) {
    char* const memory = map(4);
    for (const int flags : {0, MS_SYNC, MS_ASYNC, MS_INVALIDATE, MS_SYNC | MS_INVALIDATE})
        ktap.check(msync(memory, 4 * kPage, flags) == 0, "flags %d", flags);
    ktap.test("msync is taken");
    ktap.check(error_of(msync(memory, kPage, MS_SYNC | MS_ASYNC)) == EINVAL, "both");
    ktap.check(error_of(msync(memory, kPage, 8)) == EINVAL, "unknown");
    ktap.test("msync with wrong flags is EINVAL");
    munmap(memory + kPage, kPage);
    ktap.check(error_of(msync(memory, 3 * kPage, MS_SYNC)) == ENOMEM, "a hole");
    ktap.check(msync(memory, 0, MS_SYNC) == 0, "no bytes");
    ktap.test("msync over a hole is ENOMEM");

    ktap.check(mlock(memory + 5, 10) == 0, "mlock");
    unsigned char there = 0;
    ktap.check(mincore(memory, kPage, &there) == 0 && (there & 1), "the page is not there");
    ktap.check(munlock(memory, kPage) == 0, "munlock");
    ktap.test("mlock brings pages in, at any address");
    ktap.check(error_of(mlock(memory, 3 * kPage)) == ENOMEM, "mlock");
    ktap.check(error_of(munlock(memory, 3 * kPage)) == ENOMEM, "munlock");
    ktap.test("mlock over a hole is ENOMEM");
    ktap.check(syscall(SYS_mlock2, memory, kPage, 1) == 0, "MLOCK_ONFAULT");
    ktap.check(syscall(SYS_mlock2, memory, kPage, 2) == -1 && errno == EINVAL, "unknown flags");
    ktap.check(error_of(mlockall(0)) == EINVAL && error_of(mlockall(64)) == EINVAL, "mlockall's flags");
    ktap.check(error_of(mlockall(4)) == EINVAL, "MCL_ONFAULT alone");
    ktap.check(munlockall() == 0, "munlockall");
    ktap.test("mlock2, mlockall");
    munmap(memory, 4 * kPage);
}

void test_brk(Ktap& ktap) {
    const auto set_break = [](uint64_t address) { return static_cast<uint64_t>(syscall(SYS_brk, address)); };
    const uint64_t start = set_break(0);
    ktap.test("brk(0) tells the break", start != 0 && set_break(0) == start);
    ktap.check(set_break(start + 3 * kPage + 5) == start + 3 * kPage + 5, "it did not move");
    const uint64_t first = (start + kPage - 1) & ~(kPage - 1);
    char* const heap = reinterpret_cast<char*>(first);
    ktap.check(all(heap, 2 * kPage, 0), "not zeros");
    std::memset(heap, 1, 2 * kPage);
    ktap.test("brk grows, by zeros");
    ktap.check(set_break(first) == first && !readable(heap) && !readable(heap + kPage), "shrink");
    ktap.check(set_break(first + kPage) == first + kPage && all(heap, kPage, 0), "old bytes came back");
    ktap.test("brk shrinks, and what comes back is zeros");
    ktap.check(set_break(kTop) == first + kPage && set_break(~uint64_t{0}) == first + kPage, "beyond the top");
    ktap.check(set_break(1) == first + kPage, "below the start");
    ktap.test("a break that cannot be is not set");
    char* const wall = map(1, PROT_READ, kPrivate | MAP_FIXED_NOREPLACE, at(first + 4 * kPage));
    ktap.check(wall != nullptr && set_break(first + 6 * kPage) == first + kPage, "it ran over a mapping");
    ktap.check(set_break(first + 3 * kPage) == first + 3 * kPage, "up to it");
    ktap.test("brk stops at a mapping");
    munmap(wall, kPage);
    set_break(start);
}

void test_limits(Ktap& ktap) {
    ktap.check(exits_with(0,
                          [] {
                              const rlimit limit{64 << 20, 64 << 20};
                              if (setrlimit(RLIMIT_AS, &limit) != 0)
                                  _exit(1);
                              if (map(128 << 8) || errno != ENOMEM)
                                  _exit(2);
                              _exit(map(16) ? 0 : 3);
                          }),
               "RLIMIT_AS");
    ktap.test("RLIMIT_AS bounds mmap");
    ktap.check(exits_with(0,
                          [] {
                              const rlimit limit{1 << 20, 1 << 20};
                              const long start = syscall(SYS_brk, 0);
                              if (setrlimit(RLIMIT_DATA, &limit) != 0)
                                  _exit(1);
                              if (syscall(SYS_brk, start + (8 << 20)) != start)
                                  _exit(2);
                              _exit(0);
                          }),
               "RLIMIT_DATA");
    ktap.test("RLIMIT_DATA bounds brk");
}

void test_addresses(Ktap& ktap) {
    for (const uint64_t address : {uint64_t{0}, kPage, kTop - kPage, kTop, ~uint64_t{0} & ~(kPage - 1)})
        ktap.check(!readable(at(address)) && !writable(at(address)), "%#lx", address);
    ktap.test("the kernel and page 0 cannot be read or written");
    ktap.check(killed_by(SIGSEGV, [] { *static_cast<volatile char*>(at(8)) = 1; }), "null");
    ktap.check(killed_by(SIGSEGV, [] { *static_cast<volatile char*>(at(0xffff800000000000)) = 1; }), "kernel");
    ktap.check(killed_by(SIGSEGV, [] { *static_cast<volatile char*>(at(uint64_t{1} << 60)) = 1; }), "non-canonical");
    ktap.test("an address without memory is SIGSEGV");
    char* const memory = map(2, kReadWrite);
    munmap(memory + kPage, kPage);
    char* const edge = memory + kPage - 8; // 8 bytes of room for 16
    ktap.check(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, edge) == -1 && errno == EFAULT, "a write across the end");
    std::memset(memory, 'a', kPage);
    ktap.check(syscall(SYS_access, memory + kPage - 100, 0) == -1 && errno == EFAULT, "a string across the end");
    ktap.test("the kernel's copies stop at a hole");
    munmap(memory, kPage);
    char* const huge = map(size_t{1} << 28, PROT_NONE, kPrivate | MAP_NORESERVE); // 1 TiB
    ktap.check(huge != nullptr, "not to be had");
    ktap.check(huge && mprotect(huge + (size_t{1} << 39), kPage, kReadWrite) == 0, "mprotect");
    if (huge)
        huge[size_t{1} << 39] = 1;
    ktap.check(munmap(huge, size_t{1} << 40) == 0, "munmap");
    ktap.test("a terabyte of nothing");
}

} // namespace

int main() {
    Ktap ktap(63);
    test_mmap(ktap);
    test_placement(ktap);
    test_munmap_parts(ktap);
    test_mprotect(ktap);
    test_mremap(ktap);
    test_madvise(ktap);
    test_mincore(ktap);
    test_sync_and_lock(ktap);
    test_brk(ktap);
    test_limits(ktap);
    test_addresses(ktap);
    return ktap.finish();
}
