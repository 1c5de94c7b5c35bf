// The vDSO: found by both of its hash tables, with version and notes as the dynamic linker wants them, and in agreement
// with the system calls that it stands in for, whatever CPU the thread is on [man 7 vdso].
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <elf.h>
#include <initializer_list>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/ktap.h"

namespace {

using tollgate::Ktap;

/// The shared object as it lies in memory: everything found by its program headers alone.
struct Image {
    const unsigned char* base = nullptr;
    const Elf64_Sym* symbols = nullptr;
    const char* strings = nullptr;
    const Elf64_Half* versions = nullptr;
    const Elf64_Verdef* definitions = nullptr;
    const uint32_t* hash = nullptr;
    const uint32_t* gnu_hash = nullptr;
    const char* name = nullptr;
    bool has_frames = false;

    bool read(unsigned long address) {
        base = reinterpret_cast<const unsigned char*>(address);
        const auto* header = reinterpret_cast<const Elf64_Ehdr*>(base);
        if (std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_type != ET_DYN)
            return false;
        const auto* segments = reinterpret_cast<const Elf64_Phdr*>(base + header->e_phoff);
        const Elf64_Dyn* dynamic = nullptr;
        uint64_t bias = address;
        bool loaded = false;
        for (unsigned i = 0; i < header->e_phnum; ++i) {
            if (segments[i].p_type == PT_LOAD && !loaded) {
                bias = address + segments[i].p_offset - segments[i].p_vaddr;
                loaded = true;
            }
            has_frames |= segments[i].p_type == PT_GNU_EH_FRAME;
        }
        for (unsigned i = 0; i < header->e_phnum; ++i)
            if (segments[i].p_type == PT_DYNAMIC)
                dynamic = reinterpret_cast<const Elf64_Dyn*>(bias + segments[i].p_vaddr);
        if (!loaded || dynamic == nullptr)
            return false;
        uint64_t name_offset = 0;
        for (; dynamic->d_tag != DT_NULL; ++dynamic) {
            const uint64_t at = bias + dynamic->d_un.d_ptr;
            switch (dynamic->d_tag) {
            case DT_SYMTAB:
                symbols = reinterpret_cast<const Elf64_Sym*>(at);
                break;
            case DT_STRTAB:
                strings = reinterpret_cast<const char*>(at);
                break;
            case DT_HASH:
                hash = reinterpret_cast<const uint32_t*>(at);
                break;
            case DT_GNU_HASH:
                gnu_hash = reinterpret_cast<const uint32_t*>(at);
                break;
            case DT_VERSYM:
                versions = reinterpret_cast<const Elf64_Half*>(at);
                break;
            case DT_VERDEF:
                definitions = reinterpret_cast<const Elf64_Verdef*>(at);
                break;
            case DT_SONAME:
                name_offset = dynamic->d_un.d_val;
                break;
            }
        }
        name = strings ? strings + name_offset : nullptr;
        return symbols != nullptr && strings != nullptr;
    }

    bool has_version(uint32_t symbol, const char* version) const {
        if (versions == nullptr || definitions == nullptr)
            return false;
        const unsigned wanted = versions[symbol] & 0x7fff;
        for (const Elf64_Verdef* d = definitions;;
             d = reinterpret_cast<const Elf64_Verdef*>(reinterpret_cast<const char*>(d) + d->vd_next)) {
            const auto* aux = reinterpret_cast<const Elf64_Verdaux*>(reinterpret_cast<const char*>(d) + d->vd_aux);
            if (!(d->vd_flags & VER_FLG_BASE) && (d->vd_ndx & 0x7fff) == wanted)
                return std::strcmp(strings + aux->vda_name, version) == 0;
            if (d->vd_next == 0)
                return false;
        }
    }

    bool is(uint32_t symbol, const char* wanted) const {
        const Elf64_Sym& s = symbols[symbol];
        return s.st_shndx != SHN_UNDEF && ELF64_ST_TYPE(s.st_info) == STT_FUNC &&
               std::strcmp(strings + s.st_name, wanted) == 0 && has_version(symbol, "LINUX_2.6");
    }
    void* address_of(uint32_t symbol) const { return const_cast<unsigned char*>(base + symbols[symbol].st_value); }

    /// [System V gABI, hash table]
    void* by_hash(const char* wanted) const {
        if (hash == nullptr)
            return nullptr;
        uint32_t h = 0;
        for (const char* c = wanted; *c; ++c) {
            h = (h << 4) + static_cast<unsigned char>(*c);
            const uint32_t high = h & 0xf0000000;
            h = (h ^ high >> 24) & ~high;
        }
        const uint32_t buckets = hash[0];
        const uint32_t* chains = hash + 2 + buckets;
        for (uint32_t i = hash[2 + h % buckets]; i != STN_UNDEF; i = chains[i])
            if (is(i, wanted))
                return address_of(i);
        return nullptr;
    }

    void* by_gnu_hash(const char* wanted) const {
        if (gnu_hash == nullptr)
            return nullptr;
        uint32_t h = 5381;
        for (const char* c = wanted; *c; ++c)
            h = h * 33 + static_cast<unsigned char>(*c);
        const uint32_t buckets = gnu_hash[0], first = gnu_hash[1], words = gnu_hash[2], shift = gnu_hash[3];
        const auto* bloom = reinterpret_cast<const uint64_t*>(gnu_hash + 4);
        const uint32_t* bucket = reinterpret_cast<const uint32_t*>(bloom + words);
        const uint32_t* chains = bucket + buckets;
        const uint64_t mask = uint64_t{1} << h % 64 | uint64_t{1} << (h >> shift) % 64;
        if ((bloom[h / 64 % words] & mask) != mask)
            return nullptr;
        for (uint32_t i = bucket[h % buckets]; i != 0; ++i) {
            if ((chains[i - first] | 1) == (h | 1) && is(i, wanted))
                return address_of(i);
            if (chains[i - first] & 1)
                break;
        }
        return nullptr;
    }
};

long long nanoseconds(const timespec& t) { return t.tv_sec * 1'000'000'000LL + t.tv_nsec; }
long long by_call(int clock) {
    timespec t{};
    syscall(SYS_clock_gettime, clock, &t);
    return nanoseconds(t);
}

} // namespace

int main() {
    Ktap ktap(8);
    const unsigned long address = getauxval(AT_SYSINFO_EHDR);
    Image image;
    ktap.check(address != 0 && address % 4096 == 0, "AT_SYSINFO_EHDR is %#lx", address);
    if (!ktap.check(address != 0 && image.read(address), "no ELF image at %#lx", address)) {
        ktap.test("the auxiliary vector names an ELF image");
        return ktap.finish();
    }
    ktap.check(std::strcmp(image.name, "linux-vdso.so.1") == 0, "its name is %s", image.name);
    ktap.check(image.has_frames, "no unwind information");
    ktap.test("the auxiliary vector names an ELF image");

    void* found[5] = {};
    static const char* const names[5] = {"__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time", "__vdso_getcpu",
                                         "__vdso_clock_getres"};
    for (int i = 0; i < 5; ++i) {
        found[i] = image.by_gnu_hash(names[i]);
        ktap.check(found[i] != nullptr, "%s is not in the GNU hash table", names[i]);
    }
    ktap.check(image.by_gnu_hash("__vdso_nonsense") == nullptr, "what does not exist was found");
    ktap.test("symbols of version LINUX_2.6 by the GNU hash table");
    if (image.hash != nullptr) { // Linux has left it out since 6.11
        for (int i = 0; i < 5; ++i)
            ktap.check(image.by_hash(names[i]) == found[i], "%s is not in the hash table", names[i]);
        ktap.check(image.by_hash("__vdso_nonsense") == nullptr, "what does not exist was found");
        ktap.test("the same by the System V hash table");
    } else {
        ktap.skip("the same by the System V hash table", "there is none");
    }
    for (void* function : found)
        if (function == nullptr)
            return ktap.finish();
    const auto clock_gettime_v = reinterpret_cast<int (*)(int, timespec*)>(found[0]);
    const auto gettimeofday_v = reinterpret_cast<int (*)(timeval*, void*)>(found[1]);
    const auto time_v = reinterpret_cast<time_t (*)(time_t*)>(found[2]);
    const auto getcpu_v = reinterpret_cast<int (*)(unsigned*, unsigned*, void*)>(found[3]);
    const auto clock_getres_v = reinterpret_cast<int (*)(int, timespec*)>(found[4]);

    // Between two system calls, for every clock that needs none; the coarse ones may lag.
    for (const int clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_TAI,
                            CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE}) {
        const bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
        for (int round = 0; round < 200; ++round) {
            timespec t{-1, -1};
            const long long before = by_call(clock);
            const int result = clock_gettime_v(clock, &t);
            const long long after = by_call(clock);
            ktap.check(result == 0 && t.tv_nsec >= 0 && t.tv_nsec < 1'000'000'000, "clock %d: %d, %ld ns", clock,
                       result, t.tv_nsec);
            ktap.check(nanoseconds(t) >= before - (coarse ? 20'000'000 : 0) && nanoseconds(t) <= after,
                       "clock %d: %lld is not in %lld .. %lld", clock, nanoseconds(t), before, after);
        }
    }
    ktap.test("every clock agrees with its system call");

    for (int round = 0; round < 100; ++round) {
        timeval t{};
        const long long before = by_call(CLOCK_REALTIME);
        gettimeofday_v(&t, nullptr);
        const time_t seconds = time_v(nullptr);
        const long long after = by_call(CLOCK_REALTIME);
        const long long got = t.tv_sec * 1'000'000'000LL + t.tv_usec * 1000LL;
        ktap.check(got >= before - 1000 && got <= after, "gettimeofday: %lld is not in %lld .. %lld", got, before,
                   after);
        ktap.check(seconds >= before / 1'000'000'000 - 1 && seconds <= after / 1'000'000'000, "time: %ld", seconds);
    }
    time_t stored = 0;
    const time_t returned = time_v(&stored);
    ktap.check(returned == stored, "time stored %ld and returned %ld", stored, returned);
    ktap.test("gettimeofday and time");

    timespec resolution{};
    ktap.check(clock_getres_v(CLOCK_MONOTONIC, &resolution) == 0 && nanoseconds(resolution) == 1, "resolution %lld",
               nanoseconds(resolution));
    ktap.check(clock_getres_v(CLOCK_MONOTONIC, nullptr) == 0, "clock_getres(null)");
    timespec cpu_time{};
    ktap.check(clock_gettime_v(CLOCK_THREAD_CPUTIME_ID, &cpu_time) == 0, "CPU time does not reach the system call");
    for (const int bad : {100, 12345, 33})
        ktap.check(clock_gettime_v(bad, &cpu_time) == -EINVAL && clock_getres_v(bad, &cpu_time) == -EINVAL,
                   "clock %d is no -EINVAL", bad);
    ktap.test("what it cannot answer goes to the system call");

    // From CPU to CPU: the time never goes back, and getcpu says where we are.
    cpu_set_t all;
    CPU_ZERO(&all);
    sched_getaffinity(0, sizeof all, &all);
    long long last = 0;
    for (int round = 0; round < 400; ++round) {
        const int cpu = round % CPU_SETSIZE % 64;
        if (!CPU_ISSET(cpu, &all))
            continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        ktap.check(sched_setaffinity(0, sizeof one, &one) == 0, "cannot move to CPU %d", cpu);
        unsigned here = ~0u, node = ~0u;
        getcpu_v(&here, &node, nullptr);
        ktap.check(here == static_cast<unsigned>(cpu) && node == 0, "on CPU %d getcpu says %u, node %u", cpu, here,
                   node);
        timespec t{};
        clock_gettime_v(CLOCK_MONOTONIC, &t);
        ktap.check(nanoseconds(t) >= last, "%lld after %lld on CPU %d", nanoseconds(t), last, cpu);
        last = nanoseconds(t);
    }
    sched_setaffinity(0, sizeof all, &all);
    ktap.test("monotone from CPU to CPU, and getcpu knows which");

    // Its memory cannot be written, and a child has it too.
    ktap.check(syscall(SYS_gettimeofday, address, 0) == -1 && errno == EFAULT, "the kernel wrote into the code");
    const pid_t child = fork();
    if (child == 0) {
        timespec t{};
        _exit(clock_gettime_v(CLOCK_MONOTONIC, &t) == 0 && nanoseconds(t) >= last ? 0 : 1);
    }
    int status = -1;
    if (child > 0)
        waitpid(child, &status, 0);
    ktap.check(child > 0 && status == 0, "the child of a fork: status %#x", static_cast<unsigned>(status));
    ktap.test("read-only, and inherited by fork");

    return ktap.finish();
}
