// Out of memory, threats X2: each operation is made again and again while its first, second, third ... allocation in
// the kernel fails. It must answer with an error that says so, or end the process that touched the memory; and
// afterwards everything works and nothing is lost.
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/tests/support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;
using api::Probe;

constexpr unsigned kMostAllocations = 400; // more than any operation makes

long raw(long number, auto... arguments) { return Native::call(number, arguments...); }

char* map(size_t pages, int flags = MAP_PRIVATE) {
    const long address = raw(SYS_mmap, 0, pages * kPage, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    return reinterpret_cast<char*>(address);
}

// --- operations: 0 or a negative error; what they made is gone afterwards

long map_many() {
    long error = 0;
    char* areas[8];
    unsigned made = 0;
    for (; made < 8; ++made) {
        const long address = reinterpret_cast<long>(map(1 + made % 3));
        if (address < 0) {
            error = address;
            break;
        }
        areas[made] = reinterpret_cast<char*>(address);
        if (made % 2)
            error = error ? error : raw(SYS_mprotect, address, kPage, PROT_READ);
    }
    for (unsigned i = 0; i < made; ++i)
        while (raw(SYS_munmap, areas[i], (1 + i % 3) * kPage) < 0) {
        }
    return error;
}

long populate() {
    const long address = raw(SYS_mmap, 0, 16 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address < 0)
        return address;
    const long error = raw(SYS_madvise, address, 16 * kPage, MADV_POPULATE_WRITE);
    raw(SYS_munmap, address, 16 * kPage);
    return error;
}

long share() {
    char* const memory = map(4, MAP_SHARED);
    if (reinterpret_cast<long>(memory) < 0)
        return reinterpret_cast<long>(memory);
    const long error = raw(SYS_mlock, memory, 4 * kPage);
    raw(SYS_munmap, memory, 4 * kPage);
    return error;
}

long move() {
    char* const memory = map(4);
    if (reinterpret_cast<long>(memory) < 0)
        return reinterpret_cast<long>(memory);
    long error = raw(SYS_madvise, memory, 4 * kPage, MADV_POPULATE_WRITE);
    char* at = memory;
    size_t pages = 4;
    if (error == 0) {
        const long moved = raw(SYS_mremap, memory, 4 * kPage, 600 * kPage, MREMAP_MAYMOVE);
        if (moved < 0) {
            error = moved;
        } else {
            at = reinterpret_cast<char*>(moved);
            pages = 600;
        }
    }
    while (raw(SYS_munmap, at, pages * kPage) < 0) {
    }
    return error;
}

long write_file() {
    const long file = raw(SYS_open, "/tmp/exhaustion", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0)
        return file;
    static const char bytes[3 * kPage] = {1};
    long result = raw(SYS_write, file, bytes, sizeof bytes);
    long error = result < 0 ? result : 0;
    raw(SYS_close, file);
    result = raw(SYS_open, "/tmp", O_RDONLY | O_DIRECTORY);
    if (result >= 0)
        raw(SYS_close, result);
    else
        error = error ? error : result;
    raw(SYS_unlink, "/tmp/exhaustion");
    return error;
}

long duplicate() {
    const long copy = raw(SYS_dup, 1);
    if (copy < 0)
        return copy;
    return raw(SYS_close, copy);
}

long make_pipe() {
    int ends[2];
    const long error = raw(SYS_pipe2, ends, 0);
    if (error < 0)
        return error == -ENOSYS ? 0 : error;
    const long written = raw(SYS_write, ends[1], "x", 1);
    raw(SYS_close, ends[0]);
    raw(SYS_close, ends[1]);
    return written < 0 ? written : 0;
}

long fork_and_wait() {
    const long child = raw(SYS_fork);
    if (child == 0)
        raw(SYS_exit_group, 0);
    if (child < 0)
        return child == -ENOSYS ? 0 : child;
    int status;
    raw(SYS_wait4, child, &status, 0, 0);
    return 0;
}

/// Touches memory in a child, which may be killed for it; the child asks for the failure itself.
long touch_in_child(unsigned number) {
    const long child = raw(SYS_fork);
    if (child == 0) {
        char* const memory = map(600, MAP_PRIVATE);
        probe(Probe::FailAllocation, number, 1);
        for (size_t page = 0; page < 600; page += 50)
            memory[page * kPage] = 1;
        const long made = probe(Probe::FailAllocation, 0);
        raw(SYS_exit_group, made < number ? 1 : 2); // 1: done
    }
    if (child < 0)
        return child;
    int status = 0;
    raw(SYS_wait4, child, &status, 0, 0);
    return status;
}

struct Operation {
    const char* name;
    long (*run)();
};
constexpr Operation kOperations[] = {
    {"X2 mmap, mprotect and munmap", map_many},
    {"X2 MADV_POPULATE_WRITE", populate},
    {"X2 shared memory", share},
    {"X2 mremap", move},
    {"X2 a file", write_file},
    {"X2 dup", duplicate},
    {"X2 a pipe", make_pipe},
    {"X2 fork", fork_and_wait},
};

bool says_no_memory(long error) {
    return error == -ENOMEM || error == -EAGAIN || error == -ENFILE || error == -ENOSPC || error == -ENOBUFS;
}

/// Number of allocations that the operation makes; 0 if one of its failures was wrong.
unsigned walk(Ktap& ktap, const Operation& operation) {
    for (unsigned number = 1; number <= kMostAllocations; ++number) {
        probe(Probe::FailAllocation, number);
        const long result = operation.run();
        const long made = probe(Probe::FailAllocation, 0);
        ktap.check(result == 0 || says_no_memory(result), "allocation %u failed: the answer is %ld", number, result);
        if (static_cast<unsigned long>(made) < number)
            return number - 1;
    }
    return 0;
}

void test_operation(Ktap& ktap, const Operation& operation) {
    ktap.check(operation.run() == 0, "it does not even work with memory");
    unsigned made = 0;
    check_frames(ktap, [&] { made = walk(ktap, operation); });
    ktap.check(made <= kMostAllocations, "it never ended");
    ktap.check(operation.run() == 0, "it does not work any more after %u failures", made);
    ktap.test(operation.name);
}

void test_touch(Ktap& ktap) {
    unsigned killed = 0;
    check_frames(ktap, [&] {
        for (unsigned number = 1; number < kMostAllocations; ++number) {
            const long status = touch_in_child(number);
            if (status == -ENOSYS)
                break;
            if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
                break;
            killed += WIFSIGNALED(status);
            ktap.check(WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGBUS),
                       "allocation %u failed: status %#lx", number, static_cast<unsigned long>(status));
        }
    });
    ktap.check(true, "%u", killed);
    ktap.test("X2 a touch without memory ends the process that touched");
}

} // namespace

int main() {
    mkdir("/tmp", 01777);
    Ktap ktap(std::size(kOperations) + 1);
    for (const Operation& operation : kOperations)
        test_operation(ktap, operation);
    test_touch(ktap);
    return ktap.finish();
}
