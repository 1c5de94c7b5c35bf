// Memory of several processes: fork's copies, shared mappings, and files in memory.
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "userland/conform/memory_support.h"

namespace {

using namespace tollgate;
using namespace tollgate::conform;

constexpr const char* kPath = "/tmp/conform-memory";

/// A file of so many pages, whose bytes are the number of their page plus 1; open for reading and writing.
int make_file(size_t pages, int flags = O_RDWR) {
    const int file = open(kPath, O_RDWR | O_CREAT | O_TRUNC, 0600);
    char page[kPage];
    for (size_t i = 0; i < pages; ++i) {
        std::memset(page, static_cast<int>(i + 1), kPage);
        if (write(file, page, kPage) != static_cast<ssize_t>(kPage))
            return -1;
    }
    if (flags == O_RDWR)
        return file;
    close(file);
    return open(kPath, flags);
}

char byte_of_file(int file, off_t offset) {
    char byte = 0;
    return pread(file, &byte, 1, offset) == 1 ? byte : -1;
}

/// Waits until the byte has the value, which another process writes.
bool comes(const volatile char* at, char value) {
    for (int i = 0; i < 200000 && *at != value; ++i)
        usleep(20); // asleep: under icount a CPU that only spins keeps the others from their turn
    return *at == value;
}

void test_copies(Ktap& ktap) {
    char* const memory = map(8);
    std::memset(memory, 1, 8 * kPage);
    ktap.check(exits_with(0, [&] { _exit(all(memory, 8 * kPage, 1) ? 0 : 1); }), "the child does not see them");
    ktap.test("a child has its parent's bytes");
    ktap.check(exits_with(0,
                          [&] {
                              std::memset(memory, 2, 8 * kPage);
                              _exit(all(memory, 8 * kPage, 2) ? 0 : 1);
                          }),
               "the child's own writes");
    ktap.check(all(memory, 8 * kPage, 1), "the parent sees the child's writes");
    ktap.test("a child's writes stay with it");

    char* const flag = map(1, kReadWrite, kShared);
    pid_t child = fork();
    if (child == 0) {
        if (!comes(flag, 1))
            _exit(2);
        _exit(all(memory, 8 * kPage, 1) ? 0 : 1);
    }
    std::memset(memory, 3, 8 * kPage);
    flag[0] = 1;
    int status = -1;
    waitpid(child, &status, 0);
    ktap.check(status == 0, "the child sees the parent's writes: %#x", status);
    ktap.check(all(memory, 8 * kPage, 3), "the parent's own writes");
    ktap.test("a parent's writes stay with it");

    ktap.check(exits_with(0,
                          [&] {
                              memory[0] = 10;
                              _exit(exits_with(0,
                                               [&] {
                                                   if (memory[0] != 10)
                                                       _exit(1);
                                                   memory[0] = 11;
                                               }) &&
                                            memory[0] == 10
                                        ? 0
                                        : 1);
                          }),
               "three generations");
    ktap.check(memory[0] == 3, "the first one's bytes");
    ktap.test("grandchildren have copies of copies");

    // The kernel's own writes to a page that is shared copy-on-write.
    ktap.check(exits_with(0, [&] { _exit(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, memory + kPage) == 0 ? 0 : 1); }),
               "the call failed");
    ktap.check(all(memory + kPage, kPage, 3), "it wrote to the parent's page");
    ktap.test("what the kernel writes for a child stays with it");

    ktap.check(exits_with(0,
                          [&] {
                              mprotect(memory, kPage, PROT_READ);
                              mprotect(memory, kPage, kReadWrite);
                              memory[0] = 77;
                          }) &&
                   memory[0] == 3,
               "mprotect undid the copy");
    ktap.test("mprotect does not make a shared page writable");
    ktap.check(exits_with(0,
                          [&] {
                              munmap(memory, 4 * kPage);
                              mprotect(memory + 4 * kPage, kPage, PROT_NONE);
                              _exit(mapped(memory) ? 1 : 0);
                          }) &&
                   all(memory, 8 * kPage, 3),
               "the parent lost memory");
    ktap.test("a child's munmap and mprotect stay with it");
    ktap.check(exits_with(0,
                          [&] {
                              char* const moved =
                                  static_cast<char*>(mremap(memory, 8 * kPage, 16 * kPage, MREMAP_MAYMOVE));
                              if (moved == MAP_FAILED || !all(moved, 8 * kPage, 3))
                                  _exit(1);
                              std::memset(moved, 9, 16 * kPage);
                          }) &&
                   all(memory, 8 * kPage, 3),
               "the parent sees it");
    ktap.test("pages that a child moves are copied when it writes them");
    ktap.check(exits_with(0,
                          [&] {
                              madvise(memory, kPage, MADV_DONTNEED);
                              _exit(all(memory, kPage, 0) ? 0 : 1);
                          }) &&
                   memory[0] == 3,
               "the parent's page");
    ktap.test("MADV_DONTNEED in a child stays with it");

    char* const areas = map(3);
    std::memset(areas, 5, 3 * kPage);
    madvise(areas, kPage, MADV_DONTFORK);
    madvise(areas + kPage, kPage, MADV_WIPEONFORK);
    ktap.check(exits_with(0,
                          [&] {
                              _exit(mapped(areas) ? 1 : !all(areas + kPage, kPage, 0) ? 2 : areas[2 * kPage] - 5);
                          }),
               "the child's view");
    ktap.check(all(areas, 3 * kPage, 5), "the parent's");
    ktap.test("MADV_DONTFORK and MADV_WIPEONFORK");
    munmap(areas, 3 * kPage);

    bool right = true;
    for (int i = 0; i < 50; ++i) {
        memory[0] = static_cast<char>(i);
        right = right && exits_with(0, [&] { _exit(memory[0] == i ? (memory[0] = 99, 0) : 1); }) && memory[0] == i;
    }
    ktap.test("fifty children, one after another", right);
    int statuses = 0;
    for (int i = 0; i < 10; ++i)
        if (fork() == 0) {
            std::memset(memory, i, 8 * kPage);
            for (int turn = 0; turn < 20; ++turn) {
                sched_yield();
                if (!all(memory, 8 * kPage, static_cast<char>(i)))
                    _exit(1);
            }
            _exit(0);
        }
    for (int i = 0; i < 10; ++i) {
        waitpid(-1, &status, 0);
        statuses |= status;
    }
    ktap.test("ten children at once", statuses == 0);
    munmap(memory, 8 * kPage);
    munmap(flag, kPage);
}

void test_shared(Ktap& ktap) {
    char* const memory = map(4, kReadWrite, kShared);
    ktap.check(memory && all(memory, 4 * kPage, 0), "not zeros");
    ktap.check(exits_with(0, [&] { memory[0] = memory[2 * kPage] = 6; }), "the child failed");
    ktap.check(memory[0] == 6 && memory[2 * kPage] == 6, "the parent does not see it");
    ktap.test("shared anonymous memory: a child's writes are seen");
    const pid_t child = fork();
    if (child == 0) {
        if (!comes(memory, 20))
            _exit(1);
        memory[kPage] = 21;
        _exit(0);
    }
    memory[0] = 20;
    ktap.check(comes(memory + kPage, 21), "the child's answer");
    int status = -1;
    waitpid(child, &status, 0);
    ktap.check(status == 0, "the child did not see it");
    ktap.test("shared anonymous memory: both directions");
    ktap.check(madvise(memory, kPage, MADV_DONTNEED) == 0 && memory[0] == 20, "content");
    ktap.test("MADV_DONTNEED keeps shared memory");
    ktap.check(error_of(madvise(memory, kPage, MADV_FREE)) == EINVAL, "MADV_FREE");
    ktap.test("MADV_FREE of shared memory is EINVAL");
    char* const twin = static_cast<char*>(mremap(memory, 0, 4 * kPage, MREMAP_MAYMOVE));
    ktap.check(twin != MAP_FAILED && twin != memory && twin[0] == 20, "content");
    if (twin != MAP_FAILED)
        twin[1] = 30;
    ktap.check(memory[1] == 30, "they are not the same");
    ktap.test("mremap of no bytes maps shared memory twice");
    char* const grown = static_cast<char*>(mremap(memory, 4 * kPage, 8 * kPage, MREMAP_MAYMOVE));
    ktap.check(grown != MAP_FAILED && grown[0] == 20, "content");
    ktap.check(killed_by(SIGBUS, [&] { grown[5 * kPage] = 1; }), "beyond its end");
    ktap.test("shared memory that mremap grows has no more pages: SIGBUS");
    munmap(twin, 4 * kPage);
    munmap(grown, 8 * kPage);
}

void test_file(Ktap& ktap) {
    int file = make_file(4);
    char* memory = map(4, kReadWrite, MAP_PRIVATE, nullptr, file);
    ktap.check(memory && memory[0] == 1 && memory[kPage] == 2 && memory[4 * kPage - 1] == 4, "content");
    ktap.test("a private mapping shows the file");
    memory[0] = 50;
    ktap.check(byte_of_file(file, 0) == 1 && memory[0] == 50, "the write reached the file");
    ktap.test("a private mapping keeps its writes");
    ktap.check(madvise(memory, kPage, MADV_DONTNEED) == 0 && memory[0] == 1, "content");
    ktap.test("MADV_DONTNEED brings the file's bytes back");
    munmap(memory, 4 * kPage);

    char* shared = map(4, kReadWrite, MAP_SHARED, nullptr, file);
    ktap.check(shared && shared[0] == 1 && shared[3 * kPage] == 4, "content");
    shared[0] = 60;
    ktap.check(byte_of_file(file, 0) == 60, "the write did not reach the file");
    ktap.test("a shared mapping writes to the file");
    ktap.check(pwrite(file, "\x46", 1, kPage) == 1 && shared[kPage] == 0x46, "not seen");
    ktap.test("writes to the file show in a shared mapping");
    memory = map(2, PROT_READ, MAP_PRIVATE, nullptr, file, 2 * kPage);
    ktap.check(memory && memory[0] == 3 && memory[kPage] == 4, "content");
    ktap.test("an offset");
    munmap(memory, 2 * kPage);
    ktap.check(exits_with(0, [&] { shared[2 * kPage] = 61; }) && shared[2 * kPage] == 61 &&
                   byte_of_file(file, 2 * kPage) == 61,
               "the child's write");
    ktap.test("a child shares the mapping");
    char* const second = map(4, PROT_READ, MAP_SHARED, nullptr, file);
    shared[3 * kPage] = 62;
    ktap.test("two mappings of one file are one memory", second && second[3 * kPage] == 62);
    munmap(second, 4 * kPage);
    close(file);
    shared[0] = 63;
    ktap.check(shared[0] == 63 && shared[kPage + 1] == 2, "content");
    ktap.test("a mapping outlives its descriptor");
    unlink(kPath);
    ktap.test("and the file's name", shared[0] == 63 && shared[2 * kPage] == 61);
    munmap(shared, 4 * kPage);

    file = make_file(1);
    if (ftruncate(file, 10) != 0)
        ktap.check(false, "ftruncate");
    memory = map(2, kReadWrite, MAP_SHARED, nullptr, file);
    ktap.check(memory && all(memory, 10, 1) && all(memory + 10, kPage - 10, 0), "content");
    ktap.test("behind the end of the file come zeros");
    ktap.check(killed_by(SIGBUS, [&] { (void)*static_cast<volatile char*>(memory + kPage); }), "a read");
    ktap.check(killed_by(SIGBUS, [&] { memory[kPage] = 1; }), "a write");
    ktap.check(!readable(memory + kPage), "the kernel could read it");
    ktap.test("a page beyond the end of the file is SIGBUS");
    ktap.check(ftruncate(file, 2 * kPage) == 0 && memory[kPage] == 0, "content");
    memory[kPage] = 5;
    ktap.check(byte_of_file(file, kPage) == 5, "the write");
    ktap.test("a file that grows has that page");
    ktap.check(ftruncate(file, kPage) == 0 &&
                   killed_by(SIGBUS, [&] { (void)*static_cast<volatile char*>(memory + kPage); }),
               "it is still there");
    ktap.test("a file that shrinks takes it away");
    ktap.check(ftruncate(file, 2 * kPage) == 0 && memory[kPage] == 0, "old bytes came back");
    ktap.test("and what comes back is zeros");
    munmap(memory, 2 * kPage);
    close(file);
}

void test_file_rights(Ktap& ktap) {
    int file = make_file(2, O_RDONLY);
    ktap.check(error_of(mmap(nullptr, kPage, kReadWrite, MAP_SHARED, file, 0)) == EACCES, "shared and writable");
    char* memory = map(1, PROT_READ, MAP_SHARED, nullptr, file);
    ktap.check(memory && memory[0] == 1, "shared and read-only");
    ktap.check(error_of(mprotect(memory, kPage, kReadWrite)) == EACCES, "mprotect");
    ktap.check(mprotect(memory, kPage, PROT_NONE) == 0 && mprotect(memory, kPage, PROT_READ) == 0, "less is fine");
    ktap.test("a file that is open for reading is not written by a shared mapping: EACCES");
    munmap(memory, kPage);
    memory = map(1, kReadWrite, MAP_PRIVATE, nullptr, file);
    ktap.check(memory && (memory[0] = 9) && byte_of_file(file, 0) == 1, "private");
    ktap.test("a private mapping of it may be written");
    munmap(memory, kPage);
    close(file);
    file = open(kPath, O_WRONLY);
    ktap.check(error_of(mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, file, 0)) == EACCES, "private");
    ktap.check(error_of(mmap(nullptr, kPage, PROT_WRITE, MAP_SHARED, file, 0)) == EACCES, "shared");
    ktap.test("a file that is open for writing alone is EACCES");
    close(file);
    ktap.check(error_of(mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, file, 0)) == EBADF, "a closed one");
    ktap.check(error_of(mmap(nullptr, kPage, PROT_READ, MAP_SHARED, -1, 0)) == EBADF, "-1");
    ktap.test("no file is EBADF");
    const int directory = open("/tmp", O_RDONLY);
    ktap.check(error_of(mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, directory, 0)) == ENODEV, "a directory");
    close(directory);
    ktap.test("what has no memory is ENODEV");
    file = open(kPath, O_RDWR);
    ktap.check(error_of(mmap(nullptr, 2 * kPage, PROT_READ, MAP_SHARED, file, ~(kPage - 1))) == EOVERFLOW, "wraps");
    ktap.test("an offset that wraps is EOVERFLOW");
    ktap.check(error_of(mmap(nullptr, 0, PROT_READ, MAP_SHARED, file, 0)) == EINVAL, "length 0");
    ktap.check(error_of(mmap(nullptr, kPage, PROT_READ, MAP_SHARED, file, 100)) == EINVAL, "offset 100");
    ktap.check(error_of(mmap(nullptr, kPage, PROT_READ, 0, file, 0)) == EINVAL, "no type");
    ktap.check(error_of(mmap(nullptr, kPage, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, file, 0)) == EOPNOTSUPP,
               "flags");
    memory = map(1, PROT_READ, MAP_SHARED_VALIDATE, nullptr, file);
    ktap.check(memory && memory[0] == 1, "MAP_SHARED_VALIDATE");
    ktap.test("files: EINVAL, MAP_SHARED_VALIDATE");
    munmap(memory, kPage);
    unsigned char there[2] = {};
    memory = map(2, PROT_READ, MAP_SHARED, nullptr, file);
    ktap.check(memory && mincore(memory, 2 * kPage, there) == 0, "mincore");
    ktap.check((there[0] & 1) && (there[1] & 1), "the file's pages are not in memory");
    ktap.check(msync(memory, 2 * kPage, MS_SYNC) == 0, "msync");
    ktap.test("mincore and msync of a file");
    munmap(memory, 2 * kPage);

    // A buffer that is itself the file's memory.
    memory = map(2, kReadWrite, MAP_SHARED, nullptr, file);
    ktap.check(pread(file, memory + kPage, kPage, 0) == static_cast<ssize_t>(kPage), "pread");
    ktap.check(byte_of_file(file, kPage) == 1 && memory[kPage + 7] == 1, "content");
    ktap.check(pwrite(file, memory, 100, kPage + 50) == 100, "pwrite");
    ktap.test("reading a file into its own mapping");
    munmap(memory, 2 * kPage);
    close(file);
    unlink(kPath);
}

} // namespace

int main() {
    mkdir("/tmp", 01777);
    Ktap ktap(42);
    test_copies(ktap);
    test_shared(ktap);
    test_file(ktap);
    test_file_rights(ktap);
    return ktap.finish();
}
