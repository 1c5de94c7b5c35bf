// The fastcall ABI as programs written for the published prototype know it: every number below is copied from its
// description (spec: fastcall, 3, 4 and 10), none is taken from api/fastcall.h, which is held against them. Calls go
// through libc's syscall() and ioctl(), as those programs make them.
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/fastcall.h"
#include "api/numbers.h"
#include "userland/lib/ktap.h"

namespace {

using tollgate::Ktap;

constexpr long kFastcall = 442;
constexpr unsigned kEntries = 127;
constexpr const char* kDevice = "/dev/fastcall-examples";
constexpr long kMagic = 0xBEEF;

/// One ioctl: its code, the size of its structure, and where the fields lie that not all have at one place.
struct Shape {
    const char* name;
    unsigned long code;
    unsigned size, index_at, shared_at;
};
constexpr Shape kNoop{"NOOP", 0x8018DE00, 24, 16, 0}, kStack{"STACK", 0x8018DE01, 24, 16, 0},
    kPriv{"PRIV", 0x8018DE02, 24, 16, 0}, kArray{"ARRAY", 0x8020DE03, 32, 24, 16}, kNt{"NT", 0x8020DE04, 32, 24, 16};
constexpr const Shape* kShapes[] = {&kNoop, &kStack, &kPriv, &kArray, &kNt};

// The header that our own programs use says the same.
namespace api = tollgate::api;
static_assert(api::kSysFastcall == 442 && api::kFastcallEntries == 127);
static_assert(api::kFastcallIoctlNoop == 0x8018DE00 && api::kFastcallIoctlStack == 0x8018DE01 &&
              api::kFastcallIoctlPriv == 0x8018DE02 && api::kFastcallIoctlArray == 0x8020DE03 &&
              api::kFastcallIoctlNt == 0x8020DE04);
static_assert(sizeof(api::FastcallIoctl) == 24 && offsetof(api::FastcallIoctl, fn_addr) == 0 &&
              offsetof(api::FastcallIoctl, fn_len) == 8 && offsetof(api::FastcallIoctl, index) == 16);
static_assert(sizeof(api::FastcallArrayIoctl) == 32 && offsetof(api::FastcallArrayIoctl, fn_addr) == 0 &&
              offsetof(api::FastcallArrayIoctl, fn_len) == 8 && offsetof(api::FastcallArrayIoctl, shared_addr) == 16 &&
              offsetof(api::FastcallArrayIoctl, index) == 24);

/// What an ioctl has written, as bytes.
struct Output {
    unsigned char bytes[64];

    Output() { std::memset(bytes, 0xEE, sizeof bytes); }
    template <class T>
    [[nodiscard]] T at(unsigned offset) const {
        T value;
        std::memcpy(&value, bytes + offset, sizeof value);
        return value;
    }
    [[nodiscard]] std::uint64_t address() const { return at<std::uint64_t>(0); }
    [[nodiscard]] std::uint64_t length() const { return at<std::uint64_t>(8); }
    [[nodiscard]] unsigned index(const Shape& shape) const { return at<std::uint32_t>(shape.index_at); }
    [[nodiscard]] void* shared(const Shape& shape) const {
        return reinterpret_cast<void*>(at<std::uint64_t>(shape.shared_at));
    }
};

/// As the prototype's programs see it: -1 and errno, here as -errno.
template <class... A>
long fastcall(unsigned long index, A... arguments) {
    const long result = syscall(kFastcall, index, arguments...);
    return result == -1 ? -errno : result;
}
long control(int device, unsigned long code, void* to) { return ioctl(device, code, to) == 0 ? 0 : -errno; }
long unmap(std::uint64_t address, std::uint64_t length) {
    return munmap(reinterpret_cast<void*>(address), length) == 0 ? 0 : -errno;
}
int open_device(int flags = O_RDONLY) { return open(kDevice, flags | O_CLOEXEC); }
bool has_avx2() { return __builtin_cpu_supports("avx2") != 0; }

/// Registers and checks what was written; the index, or 255, which every call refuses.
unsigned add(Ktap& ktap, int device, const Shape& shape, Output& out) {
    const long result = control(device, shape.code, out.bytes);
    if (!ktap.check(result == 0, "%s: %ld", shape.name, result))
        return 255;
    ktap.check(out.address() != 0 && out.address() % 4096 == 0, "%s: fn_addr %#lx", shape.name,
               static_cast<unsigned long>(out.address()));
    ktap.check(out.length() == 4096, "%s: fn_len %lu", shape.name, static_cast<unsigned long>(out.length()));
    ktap.check(out.index(shape) < kEntries, "%s: index %u", shape.name, out.index(shape));
    ktap.check(out.at<std::uint32_t>(shape.index_at + 4) == 0, "%s: bytes behind the index are not zero", shape.name);
    for (unsigned i = shape.size; i < sizeof out.bytes; ++i)
        ktap.check(out.bytes[i] == 0xEE, "%s: byte %u was written", shape.name, i);
    if (shape.shared_at != 0)
        ktap.check(out.at<std::uint64_t>(shape.shared_at) % 4096 == 0 && out.shared(shape) != nullptr,
                   "%s: shared_addr", shape.name);
    return out.index(shape);
}

/// Takes it away again, and sees that it is gone.
void drop(Ktap& ktap, const Shape& shape, const Output& out) {
    ktap.check(unmap(out.address(), out.length()) == 0, "munmap of %s", shape.name);
    ktap.check(fastcall(out.index(shape)) == -EINVAL, "%s after munmap", shape.name);
    ktap.check(unmap(out.address(), out.length()) < 0, "a second munmap of %s", shape.name);
}

// --- section 10

void test_structures(Ktap& ktap) {
    for (const int flags : {O_RDONLY, O_WRONLY, O_RDWR}) {
        const int device = open_device(flags);
        ktap.check(device >= 0, "open with flags %d", flags);
        close(device);
    }
    const int device = open_device();
    unsigned long number = 0;
    for (const Shape* shape : kShapes) {
        // _IOR(0xDE, nr, struct) [asm-generic/ioctl.h]
        const unsigned long code = 2UL << 30 | static_cast<unsigned long>(shape->size) << 16 | 0xDE00 | number++;
        ktap.check(code == shape->code, "the code of %s is %#lx", shape->name, code);
        if (shape == &kNt && !has_avx2())
            continue;
        Output out;
        add(ktap, device, *shape, out);
        drop(ktap, *shape, out);
    }
    close(device);
    ktap.test("codes, sizes and offsets of the five ioctls");
}

void test_results(Ktap& ktap) {
    const int device = open_device();
    Output noop, stack, priv, array;
    const unsigned n = add(ktap, device, kNoop, noop), s = add(ktap, device, kStack, stack),
                   p = add(ktap, device, kPriv, priv), a = add(ktap, device, kArray, array);
    close(device); // deregisters nothing
    ktap.check(fastcall(n) == 0, "noop");
    ktap.check(fastcall(s, kMagic) == 0xBEEF, "stack");
    ktap.check(fastcall(p, kMagic) == 0xBEF0, "priv");
    for (long size = 0; size <= 64; ++size) {
        ktap.check(fastcall(a, 0L, size) == 0, "array (0, %ld)", size);
        std::memset(array.shared(kArray), 0x5A, static_cast<std::size_t>(size));
        ktap.check(fastcall(a, 47L, size) == 0, "array (47, %ld)", size);
    }
    for (const long slot : {64L, 65L, 255L, 256L, 1L << 32, 1L << 58, -1L})
        ktap.check(fastcall(a, slot, 8L) == -EINVAL, "array (%ld, 8)", slot);
    for (const long size : {65L, 72L, 1L << 32, 1L << 61, -1L})
        ktap.check(fastcall(a, 0L, size) == -EINVAL, "array (0, %ld)", size);
    drop(ktap, kNoop, noop);
    drop(ktap, kStack, stack);
    drop(ktap, kPriv, priv);
    drop(ktap, kArray, array);
    ktap.test("noop, stack, priv, array: results and EINVAL");
}

void test_nt(Ktap& ktap) {
    const int device = open_device();
    Output out;
    if (!has_avx2()) {
        ktap.check(control(device, kNt.code, out.bytes) == -ENOTTY, "NT without AVX2");
    } else {
        const unsigned index = add(ktap, device, kNt, out);
        std::memset(out.shared(kNt), 0x3C, 64);
        ktap.check(fastcall(index, 0L, 64L) == 0, "nt with a second argument");
        for (long slot = 0; slot < 64; ++slot)
            ktap.check(fastcall(index, slot) == 0, "nt (%ld)", slot);
        for (const long slot : {64L, 65L, 256L, 1L << 32, 1L << 58, -1L})
            ktap.check(fastcall(index, slot) == -EINVAL, "nt (%ld)", slot);
        drop(ktap, kNt, out);
    }
    close(device);
    ktap.test("nt: results and EINVAL, or ENOTTY without AVX2");
}

void test_ioctl_errors(Ktap& ktap) {
    const int device = open_device();
    Output out;
    for (const unsigned long code : {0x8020DE05UL, 0x8018DE06UL, 0x8018DEFFUL, 0x8018DF00UL, 0x4018DE00UL, 0x8020DE00UL,
                                     0x8018DE03UL, 0xDE00UL, 0UL, 0x5401UL})
        ktap.check(control(device, code, out.bytes) == -ENOTTY, "ioctl %#lx", code);
    ktap.test("unknown ioctls are ENOTTY");

    void* const read_only = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned registered = 0;
    for (const Shape* shape : {&kNoop, &kStack, &kPriv, &kArray})
        for (void* const to : {static_cast<void*>(nullptr), read_only, reinterpret_cast<void*>(1UL << 47),
                               reinterpret_cast<void*>(0xffffffff80000000)}) {
            ktap.check(control(device, shape->code, to) == -EFAULT, "%s to %p", shape->name, to);
            ++registered;
        }
    Output next;
    const unsigned index = add(ktap, device, kNoop, next);
    ktap.check(index == registered, "%u registrations are there after EFAULT, not %u", index, registered);
    ktap.check(fastcall(0UL) == 0, "the first of them cannot be called");
    close(device);
    ktap.test("output that cannot be written is EFAULT, and the registration stays");
}

// --- sections 3 and 4

void test_indices(Ktap& ktap) {
    for (const unsigned long index : {127UL, 128UL, 255UL, 256UL, 0xffffUL, 1UL << 31, 0xffffffffUL, 1UL << 32,
                                      1UL << 58, 1UL << 59, 1UL << 61, 1UL << 63, ~0UL})
        ktap.check(fastcall(index) == -EINVAL, "index %#lx", index);
    ktap.check(fastcall(static_cast<unsigned char>(-1)) == -EINVAL, "the index that measures a refused call");
    ktap.test("an index beyond the table is EINVAL");
    for (unsigned long index = 0; index < kEntries; ++index)
        ktap.check(fastcall(index) == -EINVAL, "index %lu", index);
    ktap.test("an index that nobody has registered is EINVAL");
}

void test_full_table(Ktap& ktap) {
    const int device = open_device();
    static Output made[kEntries];
    for (unsigned i = 0; i < kEntries; ++i)
        ktap.check(add(ktap, device, kArray, made[i]) == i, "registration %u", i);
    Output surplus;
    ktap.check(control(device, kArray.code, surplus.bytes) == -ENOSPC, "one more");
    for (unsigned i = 0; i < kEntries; ++i) {
        std::memset(made[i].shared(kArray), static_cast<int>(i), 64);
        ktap.check(fastcall(i, 47L, 64L) == 0, "array %u", i);
    }
    for (const Output& one : made)
        drop(ktap, kArray, one);
    close(device);
    ktap.test("127 registrations of one function, then ENOSPC");
}

void test_munmap(Ktap& ktap) {
    const int device = open_device();
    Output out;
    const unsigned index = add(ktap, device, kArray, out);
    const std::uint64_t address = out.address(), shared = out.at<std::uint64_t>(kArray.shared_at);
    ktap.check(unmap(address, 2 * 4096) == -EINVAL, "munmap of more than a function");
    ktap.check(unmap(address + 8, 4096) == -EINVAL, "munmap of no whole page");
    ktap.check(unmap(shared, 4096) == -EACCES, "munmap of the shared page");
    ktap.check(mremap(reinterpret_cast<void*>(address), 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED && errno != 0,
               "mremap of a function");
    ktap.check(fastcall(index, 47L, 64L) == 0, "the function has gone");
    drop(ktap, kArray, out);
    ktap.check(unmap(shared, 4096) == 0, "the shared page is still there");
    close(device);
    ktap.test("munmap takes whole functions, and their pages with them");
}

// --- section 7

void test_processes(Ktap& ktap) {
    const int device = open_device();
    Output out;
    const unsigned index = add(ktap, device, kNoop, out);
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        for (unsigned long i = 0; i < kEntries; ++i)
            if (fastcall(i) != -EINVAL)
                _exit(1);
        Output own;
        _exit(control(device, kNoop.code, own.bytes) == 0 && own.index(kNoop) == 0 && fastcall(0UL) == 0 ? 0 : 2);
    }
    ktap.check(waitpid(child, &status, 0) == child && status == 0, "fork: status %#x", status);
    child = vfork();
    if (child == 0)
        _exit(fastcall(index) == 0 ? 0 : 1);
    ktap.check(waitpid(child, &status, 0) == child && status == 0, "vfork: status %#x", status);
    ktap.check(fastcall(index) == 0, "the parent's is gone");
    drop(ktap, kNoop, out);
    close(device);
    ktap.test("a forked child has an empty table, a vfork child its parent's");
}

} // namespace

int main() {
    Ktap ktap(10);
    test_indices(ktap);
    test_structures(ktap);
    test_results(ktap);
    test_nt(ktap);
    test_full_table(ktap);
    test_munmap(ktap);
    test_processes(ktap);
    test_ioctl_errors(ktap); // leaves registrations behind
    return ktap.finish();
}
