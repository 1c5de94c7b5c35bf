// What option spma22=on adds, held against the description of the authors' comparison kernels (spec: fastcall, 11 and
// 12): numbers are copied from there, none is taken from api/spma22.h. Without the option all of it is absent.
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "api/spma22.h"
#include "userland/lib/ktap.h"
#include "userland/lib/machine.h"
#include "userland/lib/vdso_image.h"

namespace {

using tollgate::Ktap;
using tollgate::Machine;
using tollgate::VdsoImage;

constexpr long kNothing = 335, kFccmpArray = 443, kFccmpNt = 444, kSyscallBench = 445;
constexpr const char* kDevice = "/dev/fccmp";
constexpr unsigned long kIoctlNoop = 0xFC00, kIoctlArray = 0x4010FC01, kIoctlNt = 0x4010FC02;
constexpr const char* kRelease = "5.11.0-syscall-bench";
constexpr const char* kFunctions[] = {"__vdso_fccmp_noop", "__vdso_fccmp_copy_array", "__vdso_fccmp_copy_nt"};

namespace api = tollgate::api;
static_assert(api::kSysFccmpArray == 443 && api::kSysFccmpNt == 444 && api::kSysSyscallBench == 445);
static_assert(api::kFccmpIoctlNoop == 0xFC00 && api::kFccmpIoctlArray == 0x4010FC01 &&
              api::kFccmpIoctlNt == 0x4010FC02);
static_assert(sizeof(api::FccmpArray) == 16 && offsetof(api::FccmpArray, data) == 0 &&
              offsetof(api::FccmpArray, index) == 8 && offsetof(api::FccmpArray, size) == 9);
static_assert(sizeof(api::FccmpNt) == 16 && offsetof(api::FccmpNt, data) == 0 && offsetof(api::FccmpNt, index) == 8);

/// As the published programs see it: -1 and errno, here as -errno.
template <class... A>
long call(long number, A... arguments) {
    const long result = syscall(number, arguments...);
    return result == -1 ? -errno : result;
}

alignas(64) unsigned char data[128]; // zeros

/// The argument of either ioctl: an address at 0, the index at 8, and for the array the size at 9.
struct Argument {
    unsigned char bytes[16] = {};
    Argument(const void* from, unsigned char index, unsigned char size) {
        std::memcpy(bytes, &from, sizeof from);
        bytes[8] = index;
        bytes[9] = size;
    }
};
long control(int device, unsigned long code, const void* argument) {
    return ioctl(device, code, argument) == 0 ? 0 : -errno;
}
long copy_by(int device, unsigned long code, const void* from, unsigned char index, unsigned char size) {
    return control(device, code, Argument(from, index, size).bytes);
}

bool has_avx2() { return __builtin_cpu_supports("avx2") != 0; }
/// What a copy past the cache must answer where `wanted` is right with AVX2.
long with_avx2(long wanted) { return has_avx2() ? wanted : -EBUSY; }

const void* const kBad[] = {nullptr, reinterpret_cast<void*>(1UL << 47), reinterpret_cast<void*>(0xffffffff80000000),
                            reinterpret_cast<void*>(1UL << 63)};

// --- section 11: the calls

void test_nothing(Ktap& ktap) {
    ktap.check(call(kNothing) == -ENOSYS, "call 335 returns %ld", call(kNothing));
    ktap.check(call(kNothing, -1L, -1L, -1L) == -ENOSYS, "call 335 with arguments");
    ktap.test("335 is ENOSYS");
}

void test_array(Ktap& ktap) {
    for (long size = 0; size <= 64; ++size)
        ktap.check(call(kFccmpArray, data, 47L, size) == 0, "%ld bytes", size);
    for (long slot = 0; slot < 64; ++slot)
        ktap.check(call(kFccmpArray, data, slot, 64L) == 0, "slot %ld", slot);
    for (const auto& [slot, size] : {std::pair{64L, 8L}, std::pair{255L, 8L}, std::pair{0L, 65L}, std::pair{0L, 255L}})
        ktap.check(call(kFccmpArray, data, slot, size) == -EINVAL, "slot %ld, %ld bytes", slot, size);
    ktap.check(call(kFccmpArray, nullptr, 64L, 8L) == -EINVAL, "EINVAL comes before EFAULT");
    ktap.check(call(kFccmpArray, data, 0x1002FL, 0x10040L) == 0, "both are bytes: what lies above does not count");
    for (const void* from : kBad)
        ktap.check(call(kFccmpArray, from, 47L, 64L) == -EFAULT, "from %p", from);
    ktap.test("443 fccmp_array: results and errors");
}

void test_nt(Ktap& ktap) {
    for (long slot = 0; slot < 64; ++slot)
        ktap.check(call(kFccmpNt, data, slot) == with_avx2(0), "slot %ld", slot);
    for (const long slot : {64L, 255L})
        ktap.check(call(kFccmpNt, data, slot) == with_avx2(-EINVAL), "slot %ld", slot);
    ktap.check(call(kFccmpNt, data + 1, 47L) == with_avx2(0), "data need not be aligned");
    for (const void* from : kBad)
        ktap.check(call(kFccmpNt, from, 47L) == with_avx2(-EFAULT), "from %p", from);
    ktap.test("444 fccmp_nt: results and errors");
    if (!has_avx2())
        return ktap.skip("444 keeps the caller's vector registers", "no AVX2");
    alignas(32) unsigned char before[64], after[64];
    for (unsigned i = 0; i < sizeof before; ++i)
        before[i] = static_cast<unsigned char>(i * 5 + 1);
    long result = kFccmpNt;
    asm volatile("vmovdqa (%[before]), %%ymm0\n\tvmovdqa 32(%[before]), %%ymm1\n\tsyscall\n\t"
                 "vmovdqa %%ymm0, (%[after])\n\tvmovdqa %%ymm1, 32(%[after])\n\tvzeroupper"
                 : "+a"(result)
                 : [before] "r"(before), [after] "r"(after), "D"(data), "S"(47L)
                 : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    ktap.check(result == 0 && std::memcmp(before, after, sizeof before) == 0, "they changed");
    ktap.test("444 keeps the caller's vector registers");
}

// --- section 11: the device

void test_device(Ktap& ktap) {
    const int writable = open(kDevice, O_RDWR | O_CLOEXEC), readable = open(kDevice, O_RDONLY | O_CLOEXEC);
    ktap.check(writable >= 0 && readable >= 0, "open: %s", std::strerror(errno));
    for (const int device : {writable, readable}) {
        ktap.check(control(device, kIoctlNoop, nullptr) == 0, "the empty ioctl");
        for (const unsigned long code :
             {0xFC01UL, 0xFC02UL, 0x4010FC03UL, 0x4010FC00UL, 0x8010FC01UL, 0x4008FC01UL, 0x4010DE01UL, 0UL, 0x5401UL})
            ktap.check(control(device, code, data) == -ENOTTY, "ioctl %#lx", code);
    }
    ktap.check(copy_by(readable, kIoctlArray, data, 47, 64) == -EACCES, "the array, open for reading");
    ktap.check(copy_by(readable, kIoctlNt, data, 47, 0) == -EACCES, "nt, open for reading");
    ktap.check(control(readable, kIoctlArray, nullptr) == -EACCES, "EACCES comes before EFAULT");
    for (unsigned size = 0; size <= 64; ++size)
        ktap.check(copy_by(writable, kIoctlArray, data, 47, static_cast<unsigned char>(size)) == 0, "%u bytes", size);
    ktap.check(copy_by(writable, kIoctlArray, data, 64, 8) == -EINVAL, "slot 64");
    ktap.check(copy_by(writable, kIoctlArray, data, 0, 65) == -EINVAL, "65 bytes");
    ktap.check(copy_by(writable, kIoctlNt, data, 47, 0xff) == with_avx2(0), "nt; its byte 9 has no meaning");
    ktap.check(copy_by(writable, kIoctlNt, data, 64, 0) == with_avx2(-EINVAL), "nt, slot 64");
    for (const void* from : kBad) {
        ktap.check(control(writable, kIoctlArray, from) == -EFAULT, "the argument at %p", from);
        ktap.check(control(writable, kIoctlNt, from) == -EFAULT, "the argument of nt at %p", from);
        ktap.check(copy_by(writable, kIoctlArray, from, 47, 64) == -EFAULT, "data at %p", from);
        ktap.check(copy_by(writable, kIoctlNt, from, 47, 0) == with_avx2(-EFAULT), "data of nt at %p", from);
    }
    close(writable);
    close(readable);
    ktap.test("/dev/fccmp: results and errors");
}

// --- section 11: the vDSO

void test_vdso(Ktap& ktap) {
    VdsoImage image;
    ktap.check(image.read(getauxval(AT_SYSINFO_EHDR)) && image.hash != nullptr, "no image with DT_HASH");
    void* found[3] = {};
    for (int i = 0; i < 3; ++i)
        ktap.check((found[i] = image.by_hash(kFunctions[i])) != nullptr && found[i] == image.by_gnu_hash(kFunctions[i]),
                   "%s", kFunctions[i]);
    if (!ktap.test("__vdso_fccmp_* of version LINUX_2.6 by both hash tables"))
        return;
    const auto noop = reinterpret_cast<int (*)()>(found[0]);
    const auto copy_array = reinterpret_cast<int (*)(char*, const char*, unsigned char, unsigned long)>(found[1]);
    const auto copy_nt = reinterpret_cast<int (*)(char*, const char*, unsigned char)>(found[2]);
    alignas(64) static char from[64], to[64 * 64];
    for (unsigned i = 0; i < sizeof from; ++i)
        from[i] = static_cast<char>(i + 1);
    ktap.check(noop() == 0, "noop");
    for (const unsigned slot : {0U, 47U, 63U})
        for (unsigned long size = 0; size <= 64; ++size) {
            std::memset(to, 0, sizeof to);
            ktap.check(copy_array(to, from, static_cast<unsigned char>(slot), size) == 0, "copy_array");
            bool good = std::memcmp(to + slot * 64, from, size) == 0;
            for (unsigned long i = 0; i < sizeof to; ++i)
                good = good && (to[i] == 0 || i - slot * 64 < size);
            ktap.check(good, "%lu bytes to slot %u went elsewhere", size, slot);
        }
    if (has_avx2())
        for (const unsigned slot : {0U, 47U, 63U}) {
            std::memset(to, 0, sizeof to);
            ktap.check(copy_nt(to, from, static_cast<unsigned char>(slot)) == 0 &&
                           std::memcmp(to + slot * 64, from, 64) == 0 && to[(slot * 64 + 64) % sizeof to] == 0,
                       "copy_nt to slot %u", slot);
        }
    ktap.test("__vdso_fccmp_*: exactly the bytes that were asked for");
}

// --- section 12

long open_counter(perf_event_attr& attributes, unsigned long flags = 0) {
    return call(SYS_perf_event_open, &attributes, 0L, -1L, -1L, flags);
}

void test_anatomy(Ktap& ktap) {
    utsname names{};
    uname(&names);
    ktap.check(std::strncmp(names.release, kRelease, std::strlen(kRelease)) == 0, "the release is %s", names.release);
    ktap.test("the release begins as the program demands");

    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.size = sizeof attributes;
    attributes.config = PERF_COUNT_HW_CPU_CYCLES;
    ktap.check(open_counter(attributes, 1UL << 40) == -EINVAL, "an unknown flag");
    ktap.check(call(SYS_perf_event_open, nullptr, 0L, -1L, -1L, 0L) == -EFAULT, "attributes at null");
    attributes.size = 8;
    ktap.check(open_counter(attributes) == -E2BIG, "attributes that are too small");
    attributes.size = sizeof attributes;
    const long counter = open_counter(attributes);
    ktap.check(counter == -ENOENT, "a counter where there is none: %ld", counter);
    unsigned long values[10] = {};
    const long result = call(kSyscallBench, 0L, values);
    ktap.check(result == -ENODEV, "445 without a counter: %ld", result);
    ktap.check(call(kSyscallBench, 0xffffffffL, nullptr) == -ENODEV, "445 with nonsense");
    ktap.test("no performance counter: ENOENT, and ENODEV from 445");
}

// --- without the option

void test_absence(Ktap& ktap) {
    for (const long number : {kFccmpArray, kFccmpNt, kSyscallBench, long{SYS_perf_event_open}})
        for (int round = 0; round < 2; ++round)
            ktap.check(call(number, data, 0L, 0L) == -ENOSYS, "call %ld", number);
    ktap.check(open(kDevice, O_RDONLY) < 0 && errno == ENOENT, "%s is there", kDevice);
    VdsoImage image;
    ktap.check(image.read(getauxval(AT_SYSINFO_EHDR)), "no vDSO");
    for (const char* name : kFunctions)
        ktap.check(image.by_hash(name) == nullptr && image.by_gnu_hash(name) == nullptr, "%s is there", name);
    utsname names{};
    uname(&names);
    ktap.check(std::strncmp(names.release, kRelease, std::strlen(kRelease)) != 0, "the release is %s", names.release);
    ktap.test("without spma22=on: ENOSYS, no device, no functions, no release of theirs");
}

} // namespace

int main() {
    if (Machine::read().get("spma22") != "on") {
        Ktap ktap(2);
        test_nothing(ktap);
        test_absence(ktap);
        return ktap.finish();
    }
    Ktap ktap(9);
    test_nothing(ktap);
    test_array(ktap);
    test_nt(ktap);
    test_device(ktap);
    test_vdso(ktap);
    test_anatomy(ktap);
    return ktap.finish();
}
