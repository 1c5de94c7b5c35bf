// Pointers that user code may not hand to the kernel: threats P1-P3, through every call that takes one.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "api/fastcall.h"
#include "userland/lib/ktap.h"
#include "userland/tests/support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;

int scratch_file = -1; // some bytes to read
int output_file = -1;  // takes what is written
int device = -1;       // /dev/fastcall-examples

/// Two pages in a row: the first can be used, the second cannot.
char* page_before_hole() {
    auto* const pages =
        static_cast<char*>(mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    munmap(pages + kPage, kPage);
    std::memset(pages, 'x', kPage);
    return pages;
}

/// execve() in a child, so that this program goes on should it work; then the result is 0.
[[gnu::noinline]] long execute(const void* path, const void* arguments, const void* environment) {
    static volatile long result;
    result = 0;
    const int child = vfork();
    if (child == 0) {
        result = Native::call(SYS_execve, path, arguments, environment);
        _exit(0);
    }
    wait_status(child);
    return result;
}
const void* at(uint64_t address) { return reinterpret_cast<const void*>(address); }

/// What a call does with the memory behind its pointer.
enum class Use { Reads, Writes };

struct Call {
    const char* name;
    Use use;
    long (*call)(uint64_t pointer);
    bool null_allowed = false; ///< a null pointer means something else
};

constexpr long kBytes = 64;

constexpr Call kCalls[] = {
    {"copy64", Use::Reads, [](uint64_t p) { return Native::call(api::kSysCopy64, p); }},
    {"copy64 by int 0x80", Use::Reads, [](uint64_t p) { return Int80::call(api::kSysCopy64, p); }},
    {"write", Use::Reads, [](uint64_t p) { return Native::call(SYS_write, output_file, p, kBytes); }},
    {"pwrite64", Use::Reads, [](uint64_t p) { return Native::call(SYS_pwrite64, output_file, p, kBytes, 0); }},
    {"writev vector", Use::Reads, [](uint64_t p) { return Native::call(SYS_writev, output_file, p, 2); }},
    {"writev buffer", Use::Reads,
     [](uint64_t p) {
         const iovec part{reinterpret_cast<void*>(p), kBytes};
         return Native::call(SYS_writev, output_file, &part, 1);
     }},
    {"open", Use::Reads, [](uint64_t p) { return Native::call(SYS_open, p, O_RDONLY); }},
    {"openat", Use::Reads, [](uint64_t p) { return Native::call(SYS_openat, AT_FDCWD, p, O_RDONLY); }},
    {"access", Use::Reads, [](uint64_t p) { return Native::call(SYS_access, p, F_OK); }},
    {"readlink path", Use::Reads,
     [](uint64_t p) {
         char to[64];
         return Native::call(SYS_readlink, p, to, 64);
     }},
    {"stat path", Use::Reads,
     [](uint64_t p) {
         char to[256];
         return Native::call(SYS_stat, p, to);
     }},
    {"execve path", Use::Reads,
     [](uint64_t p) {
         char* none[] = {nullptr};
         return execute(at(p), none, none);
     }},
    {"execve argv", Use::Reads,
     [](uint64_t p) {
         char* none[] = {nullptr};
         return execute(sibling("test-raw"), at(p), none);
     },
     true},
    {"execve argv[0]", Use::Reads,
     [](uint64_t p) {
         const uint64_t list[] = {p, 0};
         return execute(sibling("test-raw"), list, list + 1);
     },
     true},
    {"nanosleep", Use::Reads, [](uint64_t p) { return Native::call(SYS_nanosleep, p, nullptr); }},
    {"sched_setaffinity", Use::Reads, [](uint64_t p) { return Native::call(SYS_sched_setaffinity, 0, 8, p); }},
    {"rt_sigaction new", Use::Reads, [](uint64_t p) { return Native::call(SYS_rt_sigaction, SIGUSR1, p, nullptr, 8); },
     true},
    {"rt_sigprocmask new", Use::Reads,
     [](uint64_t p) { return Native::call(SYS_rt_sigprocmask, SIG_BLOCK, p, nullptr, 8); }, true},
    {"futex wait", Use::Reads, [](uint64_t p) { return Native::call(SYS_futex, p & ~3ull, 0, ~0u, nullptr); }},
    {"flexsc_register", Use::Reads, [](uint64_t p) { return Native::call(api::kSysFlexscRegister, p); }},

    {"read", Use::Writes, [](uint64_t p) { return Native::call(SYS_pread64, scratch_file, p, kBytes, 0); }},
    {"read by int 0x80", Use::Writes, [](uint64_t p) { return Int80::call(SYS_pread64, scratch_file, p, kBytes, 0); }},
    {"readv buffer", Use::Writes,
     [](uint64_t p) {
         Native::call(SYS_lseek, scratch_file, 0, SEEK_SET);
         const iovec part{reinterpret_cast<void*>(p), kBytes};
         return Native::call(SYS_readv, scratch_file, &part, 1);
     }},
    {"uname", Use::Writes, [](uint64_t p) { return Native::call(SYS_uname, p); }},
    {"fstat", Use::Writes, [](uint64_t p) { return Native::call(SYS_fstat, scratch_file, p); }},
    {"newfstatat", Use::Writes, [](uint64_t p) { return Native::call(SYS_newfstatat, AT_FDCWD, "/bin", p, 0); }},
    {"getcwd", Use::Writes, [](uint64_t p) { return Native::call(SYS_getcwd, p, 64); }},
    {"readlink buffer", Use::Writes, [](uint64_t p) { return Native::call(SYS_readlink, "/proc/self/exe", p, 64); }},
    {"clock_gettime", Use::Writes, [](uint64_t p) { return Native::call(SYS_clock_gettime, CLOCK_MONOTONIC, p); }},
    {"clock_getres", Use::Writes, [](uint64_t p) { return Native::call(SYS_clock_getres, CLOCK_MONOTONIC, p); }, true},
    {"gettimeofday", Use::Writes, [](uint64_t p) { return Native::call(SYS_gettimeofday, p, nullptr); }, true},
    {"time", Use::Writes, [](uint64_t p) { return Native::call(SYS_time, p); }, true},
    {"sysinfo", Use::Writes, [](uint64_t p) { return Native::call(SYS_sysinfo, p); }},
    {"getrlimit", Use::Writes, [](uint64_t p) { return Native::call(SYS_getrlimit, int{RLIMIT_STACK}, p); }},
    {"prlimit64", Use::Writes, [](uint64_t p) { return Native::call(SYS_prlimit64, 0, int{RLIMIT_STACK}, nullptr, p); },
     true},
    {"sched_getaffinity", Use::Writes, [](uint64_t p) { return Native::call(SYS_sched_getaffinity, 0, 8, p); }},
    {"getrandom", Use::Writes, [](uint64_t p) { return Native::call(SYS_getrandom, p, kBytes, 0); }},
    {"rt_sigaction old", Use::Writes, [](uint64_t p) { return Native::call(SYS_rt_sigaction, SIGUSR1, nullptr, p, 8); },
     true},
    {"arch_prctl", Use::Writes, [](uint64_t p) { return Native::call(SYS_arch_prctl, 0x1003, p); }},
    {"getcpu", Use::Writes, [](uint64_t p) { return Native::call(SYS_getcpu, p, nullptr, nullptr); }, true},
    {"getdents64", Use::Writes,
     [](uint64_t p) {
         const int directory = open("/", O_RDONLY | O_DIRECTORY);
         const long result = Native::call(SYS_getdents64, directory, p, 64);
         close(directory);
         return result;
     }},
    {"ioctl", Use::Writes, [](uint64_t p) { return Native::call(SYS_ioctl, device, api::kFastcallIoctlNoop, p); }},
};

struct Pointer {
    const char* name;
    uint64_t address;
    /// In the kernel half and mapped there: only the range check stands in the way. If it is missing (a mutant),
    /// reading does no harm; writing is tried on the kernel's text only, which cannot be written.
    bool mapped_in_kernel = false;
    bool read_only_there = false;
};

constexpr Pointer kPointers[] = {
    {"null", 0},
    {"one", 1},
    {"the page at 4096", 0x1000},
    {"an odd address", 0x1235},
    {"the top of user space", kUserTop},
    {"across the top", kUserTop - 1},
    {"the first non-canonical address", uint64_t{1} << 47},
    {"a non-canonical address", uint64_t{1} << 63},
    {"the last non-canonical address", 0xffff7ffffffffff8},
    {"the direct map", 0xffff800000100000, true},
    {"an unmapped kernel address", 0xffffc00000000000},
    {"the kernel's text", 0xffffffff80200000, true, true},
    {"an unmapped address above it", 0xffffffffbffff000},
    {"the fastcall table", 0xffffffffc0000000, true},
    {"the last byte", ~uint64_t{0}},
    {"the last word", ~uint64_t{0} - 7},
};

void test_pointers(Ktap& ktap) {
    for (const Pointer& pointer : kPointers) {
        for (const Call& call : kCalls) {
            if (pointer.address == 0 && call.null_allowed)
                continue;
            if (call.use == Use::Writes && pointer.mapped_in_kernel && !pointer.read_only_there)
                continue;
            const long result = call.call(pointer.address);
            ktap.check(result == -EFAULT, "%s: %ld", call.name, result);
        }
        char name[80];
        std::snprintf(name, sizeof name, "P1 %s: EFAULT from every call", pointer.name);
        ktap.test(name);
    }
}

void test_mapped_edges(Ktap& ktap) {
    char* const page = page_before_hole();
    const auto hole = reinterpret_cast<uint64_t>(page) + kPage;
    ktap.check(Native::call(api::kSysCopy64, hole - 64) == 0, "64 bytes up to the hole");
    for (const uint64_t missing : {1, 8, 63, 64}) {
        const long result = Native::call(api::kSysCopy64, hole - 64 + missing);
        ktap.check(result == -EFAULT, "%llu bytes in the hole: %ld", static_cast<unsigned long long>(missing), result);
    }
    long result = Native::call(SYS_clock_gettime, CLOCK_MONOTONIC, hole - 8);
    ktap.check(result == -EFAULT, "clock_gettime across the hole: %ld", result);
    // Read-only memory: the program's own text.
    result = Native::call(SYS_uname, reinterpret_cast<uint64_t>(&page_before_hole) & ~(kPage - 1));
    ktap.check(result == -EFAULT, "uname into text: %ld", result);
    mprotect(page, kPage, PROT_READ);
    result = Native::call(SYS_clock_gettime, CLOCK_MONOTONIC, page);
    ktap.check(result == -EFAULT, "clock_gettime into a read-only page: %ld", result);
    ktap.check(Native::call(api::kSysCopy64, page) == 0, "copy64 from a read-only page");
    mprotect(page, kPage, PROT_NONE);
    ktap.check(Native::call(api::kSysCopy64, page) == -EFAULT, "copy64 from a page without rights");
    munmap(page, kPage);
    ktap.check(Native::call(api::kSysCopy64, page) == -EFAULT, "copy64 from a page that is gone");
    // Pages that nobody has touched yet are there for the kernel too.
    void* const fresh = mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ktap.check(Native::call(api::kSysCopy64, static_cast<char*>(fresh) + kPage - 32) == 0,
               "copy64 from untouched pages");
    ktap.check(Native::call(SYS_clock_gettime, CLOCK_MONOTONIC, static_cast<char*>(fresh) + kPage - 8) == 0,
               "clock_gettime into untouched pages");
    munmap(fresh, 2 * kPage);
    ktap.test("P1 the edges of what is mapped");
}

// --- P2

bool is_refused(long result) { return result == -EFAULT || result == -EINVAL; }

void test_lengths(Ktap& ktap) {
    char* const page = page_before_hole();
    const auto address = reinterpret_cast<uint64_t>(page);
    for (const uint64_t length : {~uint64_t{0}, ~uint64_t{0} - 4095, uint64_t{1} << 63, uint64_t{1} << 47,
                                  kUserTop - address + 1, uint64_t{1} << 48}) {
        const auto shown = static_cast<unsigned long long>(length);
        long result = Native::call(SYS_pread64, scratch_file, page, length, 0);
        // What fits may be read before the length turns out to be impossible; more than the page never.
        ktap.check(is_refused(result) || (result >= 0 && result <= static_cast<long>(kPage)), "read of %#llx: %ld",
                   shown, result);
        result = Native::call(SYS_write, output_file, page, length);
        ktap.check(is_refused(result) || (result >= 0 && result <= static_cast<long>(kPage)), "write of %#llx: %ld",
                   shown, result);
        const iovec part{page, length};
        result = Native::call(SYS_writev, output_file, &part, 1);
        ktap.check(is_refused(result) || (result >= 0 && result <= static_cast<long>(kPage)), "writev of %#llx: %ld",
                   shown, result);
        result = Native::call(SYS_getrandom, page, length, 0);
        ktap.check(is_refused(result) || (result >= 0 && result <= static_cast<long>(kPage)), "getrandom of %#llx: %ld",
                   shown, result);
    }
    // Two parts whose sum overflows [man 2 readv: EINVAL].
    const iovec parts[] = {{page, ~size_t{0} >> 1}, {page, ~size_t{0} >> 1}};
    long result = Native::call(SYS_writev, output_file, parts, 2);
    ktap.check(is_refused(result), "writev with an overflowing sum: %ld", result);
    result = Native::call(SYS_writev, output_file, parts, uint64_t{1} << 32);
    ktap.check(is_refused(result), "writev of 2^32 parts: %ld", result);
    result = Native::call(SYS_writev, output_file, parts, -1);
    ktap.check(is_refused(result), "writev of -1 parts: %ld", result);
    // A length just over 31 bits: nothing may be taken for negative, and nothing read behind the page.
    result = Native::call(SYS_write, output_file, page, uint64_t{0x80000000});
    ktap.check(is_refused(result) || (result >= 0 && result <= static_cast<long>(kPage)), "write of 2^31: %ld", result);
    result = Native::call(SYS_getcwd, page, 0);
    ktap.check(result == -ERANGE || result == -EINVAL, "getcwd into no bytes: %ld", result);
    result = Native::call(SYS_getcwd, page, 1);
    ktap.check(result == -ERANGE, "getcwd into one byte: %ld", result);
    ktap.check(Native::call(SYS_pread64, scratch_file, 0, 0, 0) == 0, "no bytes into a null pointer is no error");
    munmap(page, kPage);
    ktap.test("P2 lengths that overflow or leave user space");
}

// --- P3

void test_strings(Ktap& ktap) {
    char* const page = page_before_hole();
    const auto at_end = [&](const char* text, bool terminated) {
        const size_t size = std::strlen(text) + (terminated ? 1 : 0);
        return static_cast<char*>(std::memcpy(page + kPage - size, text, size));
    };
    long result = Native::call(SYS_open, at_end("/dev/null", false), O_RDONLY);
    ktap.check(result == -EFAULT, "open of a path that runs into a hole: %ld", result);
    result = Native::call(SYS_open, at_end("/dev/null", true), O_RDONLY);
    ktap.check(result >= 0, "open of a path whose NUL is the last byte of the page: %ld", result);
    Native::call(SYS_close, result);
    result = Native::call(SYS_access, page + kPage, F_OK);
    ktap.check(result == -EFAULT, "access of a path in the hole: %ld", result);

    // No NUL within PATH_MAX: refused by length, whatever comes behind.
    auto* const pages =
        static_cast<char*>(mmap(nullptr, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    std::memset(pages, '/', 4 * kPage);
    result = Native::call(SYS_open, pages, O_RDONLY);
    ktap.check(result == -ENAMETOOLONG, "open of four pages of slashes: %ld", result);

    const char* const program = sibling("test-raw");
    char** const list = reinterpret_cast<char**>(page + kPage - sizeof(char*));
    char* const none[] = {nullptr};
    *list = at_end("", false) - 100; // a good pointer, but the list has no end
    result = execute(program, list, none);
    ktap.check(result == -EFAULT, "execve with an argument list that runs into a hole: %ld", result);
    char* const arguments[] = {page + kPage - 3, nullptr};
    std::memset(page, 'x', kPage);
    result = execute(program, arguments, none);
    ktap.check(result == -EFAULT, "execve with an argument that runs into a hole: %ld", result);
    result = execute(program, none, arguments);
    ktap.check(result == -EFAULT, "execve with an environment that runs into a hole: %ld", result);

    // Too much to carry over: 256 times four pages, where a quarter of the stack's limit may be filled.
    std::memset(pages, 'a', 4 * kPage);
    pages[4 * kPage - 1] = '\0';
    char* many[257] = {};
    for (int i = 0; i < 256; ++i)
        many[i] = pages;
    result = execute(program, many, none);
    ktap.check(result == -E2BIG, "execve with four megabytes of arguments: %ld", result);
    munmap(pages, 4 * kPage);
    munmap(page, kPage);
    ktap.test("P3 strings without an end");
}

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {});
    scratch_file = open("/proc/self/exe", O_RDONLY);
    output_file = open("/tmp/pointers", O_RDWR | O_CREAT | O_TRUNC, 0600);
    device = open(api::kFastcallDevice, O_RDONLY);
    constexpr unsigned kTests = sizeof kPointers / sizeof kPointers[0] + 4;
    Ktap ktap(kTests);
    ktap.check(scratch_file >= 0 && output_file >= 0 && device >= 0, "files %d, %d, %d", scratch_file, output_file,
               device);
    ktap.test("the files that the tests use");
    test_pointers(ktap);
    test_mapped_edges(ktap);
    test_lengths(ktap);
    test_strings(ktap);
    return ktap.finish();
}
