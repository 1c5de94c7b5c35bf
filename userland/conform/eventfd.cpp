// eventfd(2), memfd_create(2), sendfile(2).
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "userland/conform/ipc_support.h"

using namespace tollgate;
using namespace tollgate::ipc;

namespace {

using std::uint64_t;

short state(int descriptor) {
    pollfd file{descriptor, POLLIN | POLLOUT, 0};
    return poll(&file, 1, 0) < 0 ? -1 : file.revents;
}
long add(int event, uint64_t value) { return write(event, &value, sizeof value); }
long take(int event, uint64_t& value) { return read(event, &value, sizeof value); }

void events(Ktap& ktap) {
    uint64_t value = 0;
    const int event = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
    ktap.test("eventfd", event >= 0);
    ktap.check(fcntl(event, F_GETFD) == FD_CLOEXEC && (fcntl(event, F_GETFL) & O_NONBLOCK), "flags");
    ktap.check((fcntl(event, F_GETFL) & O_ACCMODE) == O_RDWR, "access");
    ktap.test("its flags");
    ktap.test("a first value: readable and writable", state(event) == (POLLIN | POLLOUT));
    ktap.check(take(event, value) == 8 && value == 3, "%llu", static_cast<unsigned long long>(value));
    ktap.test("a read takes it all");
    fails(ktap, "then EAGAIN", take(event, value), EAGAIN);
    ktap.test("zero: writable only", state(event) == POLLOUT);
    ktap.check(add(event, 5) == 8 && add(event, 6) == 8 && take(event, value) == 8 && value == 11, "%llu",
               static_cast<unsigned long long>(value));
    ktap.test("writes add up");
    gives(ktap, "adding zero", add(event, 0), 8);
    fails(ktap, "adding 2^64 - 1: EINVAL", add(event, ~uint64_t{0}), EINVAL);
    gives(ktap, "the most it holds is 2^64 - 2", add(event, ~uint64_t{0} - 1), 8);
    fails(ktap, "one more: EAGAIN", add(event, 1), EAGAIN);
    ktap.test("full: readable only", state(event) == POLLIN);
    ktap.check(take(event, value) == 8 && value == ~uint64_t{0} - 1, "value");
    ktap.test("and it comes out");
    fails(ktap, "a write of 7 bytes: EINVAL", write(event, &value, 7), EINVAL);
    fails(ktap, "a read of 7 bytes: EINVAL", read(event, &value, 7), EINVAL);
    uint64_t two[2] = {9, 77};
    ktap.check(write(event, two, 8) == 8 && read(event, two, 16) == 8 && two[0] == 9 && two[1] == 77, "sizes");
    ktap.test("a longer buffer gets 8 bytes");
    for (const auto address : kBadPointers) {
        const long result = write(event, bad(address), 8);
        ktap.check(result == -1 && errno == EFAULT, "write from %#lx: %ld, errno %d", address, result, errno);
    }
    ktap.check(state(event) == POLLOUT, "it counted");
    ktap.test("bad addresses: EFAULT");
    close(event);
    fails(ktap, "flags that are none: EINVAL", eventfd(0, 0x10), EINVAL);
    const int semaphore = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    ktap.check(take(semaphore, value) == 8 && value == 1, "first");
    ktap.check(take(semaphore, value) == 8 && value == 1, "second");
    ktap.check(take(semaphore, value) == -1 && errno == EAGAIN, "third");
    ktap.test("EFD_SEMAPHORE takes one at a time");
    close(semaphore);
    const int old = static_cast<int>(syscall(SYS_eventfd, 4));
    ktap.test("the old call", old >= 0 && take(old, value) == 8 && value == 4);
    const pid_t writer = child([&] {
        pause_ms(20);
        return add(old, 8) == 8;
    });
    ktap.check(take(old, value) == 8 && value == 8, "value");
    ktap.check(ended_well(writer), "writer");
    ktap.test("a reader waits");
    ktap.check(add(old, ~uint64_t{0} - 1) == 8, "fill");
    const pid_t reader = child([&] {
        uint64_t got = 0;
        pause_ms(20);
        return take(old, got) == 8 && got == ~uint64_t{0} - 1;
    });
    ktap.check(add(old, 1) == 8, "add");
    ktap.check(ended_well(reader), "reader");
    ktap.check(take(old, value) == 8 && value == 1, "value");
    ktap.test("a writer waits");
    close(old);
}

void memory_files(Ktap& ktap) {
    const int file = memfd_create("conform", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ktap.test("memfd_create", file >= 0 && fcntl(file, F_GETFD) == FD_CLOEXEC);
    struct stat status {};
    ktap.check(fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0 && status.st_nlink == 0,
               "mode %o size %ld links %ld", status.st_mode, static_cast<long>(status.st_size),
               static_cast<long>(status.st_nlink));
    ktap.test("it is a regular file without a name");
    ktap.check(write(file, "0123456789", 10) == 10 && lseek(file, 0, SEEK_CUR) == 10, "write");
    char text[16] = {};
    ktap.check(pread(file, text, 16, 2) == 8 && std::memcmp(text, "23456789", 8) == 0, "pread");
    ktap.check(ftruncate(file, 8192) == 0 && fstat(file, &status) == 0 && status.st_size == 8192, "ftruncate");
    ktap.test("it reads, writes and grows");
    auto* const map = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    ktap.check(map != MAP_FAILED && std::memcmp(map, "0123456789", 10) == 0 && map[5000] == 0, "map");
    if (map != MAP_FAILED) {
        map[5000] = 'm';
        ktap.check(pread(file, text, 1, 5000) == 1 && text[0] == 'm', "seen by read");
        ktap.check(pwrite(file, "w", 1, 5001) == 1 && map[5001] == 'w', "seen in the map");
        const pid_t other = child([&] {
            map[1] = 'C';
            return true;
        });
        ktap.check(ended_well(other) && map[1] == 'C', "seen by the parent");
    }
    ktap.test("it can be mapped and shared");
    gives(ktap, "F_GET_SEALS", fcntl(file, F_GET_SEALS), 0);
    fails(ktap, "F_SEAL_WRITE while it is mapped for writing: EBUSY", fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    if (map != MAP_FAILED)
        mprotect(map, 8192, PROT_READ); // which may be taken back
    fails(ktap, "while it was mapped for writing: EBUSY", fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    gives(ktap, "no seal has come of it", fcntl(file, F_GET_SEALS), 0);
    if (map != MAP_FAILED)
        munmap(map, 8192);
    gives(ktap, "F_SEAL_GROW", fcntl(file, F_ADD_SEALS, F_SEAL_GROW), 0);
    fails(ktap, "then growing: EPERM", ftruncate(file, 10000), EPERM);
    fails(ktap, "by write, too", pwrite(file, "x", 1, 8192), EPERM);
    gives(ktap, "shrinking is allowed", ftruncate(file, 4096), 0);
    gives(ktap, "F_SEAL_SHRINK", fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    fails(ktap, "then shrinking: EPERM", ftruncate(file, 100), EPERM);
    gives(ktap, "F_SEAL_WRITE", fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), 0);
    fails(ktap, "then writing: EPERM", pwrite(file, "x", 1, 0), EPERM);
    ktap.check(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED && errno == EPERM,
               "a shared mapping");
    auto* const own = static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0));
    ktap.check(own != MAP_FAILED, "a private mapping");
    if (own != MAP_FAILED) {
        own[0] = 'p';
        ktap.check(pread(file, text, 1, 0) == 1 && text[0] == '0', "the file is as it was");
        munmap(own, 4096);
    }
    ktap.test("nor is it mapped for writing, but privately");
    gives(ktap, "F_SEAL_SEAL", fcntl(file, F_ADD_SEALS, F_SEAL_SEAL), 0);
    fails(ktap, "then no more seals: EPERM", fcntl(file, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    gives(ktap, "all of them", fcntl(file, F_GET_SEALS), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    close(file);
    const int sealed = memfd_create("plain", 0);
    gives(ktap, "without MFD_ALLOW_SEALING it is sealed against seals", fcntl(sealed, F_GET_SEALS), F_SEAL_SEAL);
    fails(ktap, "so that adding one: EPERM", fcntl(sealed, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    close(sealed);
    fails(ktap, "flags that are none: EINVAL", memfd_create("x", 0x8000), EINVAL);
    char name[300];
    std::memset(name, 'n', sizeof name);
    name[250] = '\0';
    fails(ktap, "a name of 250 bytes: EINVAL", memfd_create(name, 0), EINVAL);
    fails(ktap, "a name at a bad address: EFAULT", memfd_create(static_cast<char*>(bad(8)), 0), EFAULT);
    int ends[2];
    if (pipe(ends) == 0) {
        fails(ktap, "seals of a pipe: EINVAL", fcntl(ends[0], F_GET_SEALS), EINVAL);
        close(ends[0]);
        close(ends[1]);
    }
}

void sending(Ktap& ktap) {
    static char bytes[20000], back[20000];
    for (unsigned i = 0; i < sizeof bytes; ++i)
        bytes[i] = static_cast<char>(i * 13 + i / 251);
    const int from = memfd_create("from", 0), to = memfd_create("to", 0);
    ktap.check(write(from, bytes, sizeof bytes) == sizeof bytes && lseek(from, 5, SEEK_SET) == 5, "write");
    gives(ktap, "sendfile from the position", sendfile(to, from, nullptr, 15000), 15000);
    ktap.check(pread(to, back, 15000, 0) == 15000 && std::memcmp(back, bytes + 5, 15000) == 0, "bytes");
    ktap.check(lseek(from, 0, SEEK_CUR) == 15005 && lseek(to, 0, SEEK_CUR) == 15000, "positions");
    ktap.test("bytes and positions");
    off_t offset = 100;
    gives(ktap, "sendfile from an offset", sendfile(to, from, &offset, 50), 50);
    ktap.test("moves the offset, not the position", offset == 150 && lseek(from, 0, SEEK_CUR) == 15005);
    gives(ktap, "sendfile stops at the end", sendfile(to, from, nullptr, 100000), 20000 - 15005);
    gives(ktap, "and gives 0 there", sendfile(to, from, nullptr, 10), 0);
    int ends[2];
    ktap.check(pipe(ends) == 0, "pipe");
    offset = 0;
    gives(ktap, "sendfile into a pipe", sendfile(ends[1], from, &offset, 300), 300);
    ktap.test("arrives", read(ends[0], back, 1000) == 300 && std::memcmp(back, bytes, 300) == 0);
    fails(ktap, "sendfile to a reading end: EBADF", sendfile(ends[0], from, nullptr, 1), EBADF);
    fails(ktap, "sendfile from nothing: EBADF", sendfile(to, -1, nullptr, 1), EBADF);
    offset = -1;
    fails(ktap, "a negative offset: EINVAL", sendfile(to, from, &offset, 1), EINVAL);
    fails(ktap, "an offset at a bad address: EFAULT", sendfile(to, from, static_cast<off_t*>(bad(8)), 1), EFAULT);
    close(ends[0]);
    close(ends[1]);
    close(from);
    close(to);
}

} // namespace

int main() {
    alarm(60);
    Ktap ktap(60);
    events(ktap);
    memory_files(ktap);
    sending(ktap);
    return ktap.finish();
}
