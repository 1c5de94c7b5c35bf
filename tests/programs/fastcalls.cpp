// What the programs published with fastcalls do, written anew: Google Benchmark rows of fastcalls, system calls, ioctls
// and vDSO functions, by libc's syscall(), with structures and numbers of their own, as if built for the authors'
// kernels. A row whose mechanism is absent says so, as theirs do. No header of the kernel goes in.
#include <benchmark/benchmark.h>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "userland/lib/vdso_image.h"

namespace {

constexpr long kFastcall = 442, kArray = 443, kNt = 444, kUnused = 335;
constexpr long kMagic = 0xBEEF;
constexpr unsigned char kSlot = 47;

struct Plain {
    std::uint64_t fn_addr, fn_len;
    std::uint32_t index;
};
struct WithShared {
    std::uint64_t fn_addr, fn_len, shared_addr;
    std::uint32_t index;
};
constexpr unsigned long kIoctlNoop = _IOR(0xDE, 0, Plain), kIoctlStack = _IOR(0xDE, 1, Plain),
                        kIoctlPriv = _IOR(0xDE, 2, Plain), kIoctlArray = _IOR(0xDE, 3, WithShared),
                        kIoctlNt = _IOR(0xDE, 4, WithShared);

struct CopyArguments {
    const char* data;
    unsigned char index, size;
};
constexpr unsigned long kFccmpNoop = _IO(0xFC, 0), kFccmpArray = _IOW(0xFC, 1, CopyArguments),
                        kFccmpNt = _IOW(0xFC, 2, CopyArguments);

/// One example, registered for the length of a row.
template <class Structure>
class Example {
public:
    Example(benchmark::State& state, unsigned long code) {
        const int device = open("/dev/fastcall-examples", O_RDONLY);
        good_ = device >= 0 && ioctl(device, code, &made_) == 0;
        close(device); // which deregisters nothing
        if (!good_)
            state.SkipWithError("the fastcall cannot be registered");
    }
    ~Example() {
        if (good_)
            munmap(reinterpret_cast<void*>(made_.fn_addr), made_.fn_len);
    }
    explicit operator bool() const { return good_; }
    [[nodiscard]] unsigned char index() const { return static_cast<unsigned char>(made_.index); }
    [[nodiscard]] char* shared() const { return reinterpret_cast<char*>(made_.shared_addr); }

private:
    Structure made_{};
    bool good_;
};

/// Times calls that must all give one result.
template <class Call>
void time_calls(benchmark::State& state, long expected, Call call) {
    for (auto _ : state)
        if (call() != expected) {
            state.SkipWithError("not available, or a wrong result");
            return;
        }
}

void fastcall_noop(benchmark::State& state) {
    const auto nobodys = static_cast<unsigned char>(-1);
    time_calls(state, 1, [=] { return syscall(kFastcall, nobodys) == -1 && errno == EINVAL ? 1L : 0L; });
}
void fastcall_stack(benchmark::State& state) {
    if (const Example<Plain> example(state, kIoctlStack); example)
        time_calls(state, kMagic, [&] { return syscall(kFastcall, example.index(), kMagic); });
}
void fastcall_priv(benchmark::State& state) {
    if (const Example<Plain> example(state, kIoctlPriv); example)
        time_calls(state, kMagic + 1, [&] { return syscall(kFastcall, example.index(), kMagic); });
}
void fastcall_array(benchmark::State& state) {
    const long size = state.range(0);
    const Example<WithShared> example(state, kIoctlArray);
    if (!example)
        return;
    if (syscall(kFastcall, example.index(), 0, size) != 0)
        state.SkipWithError("the check call failed");
    std::memset(example.shared(), 0x5A, static_cast<std::size_t>(size));
    time_calls(state, 0, [&] { return syscall(kFastcall, example.index(), kSlot, size); });
}
void fastcall_nt(benchmark::State& state) {
    const Example<WithShared> example(state, kIoctlNt);
    if (!example)
        return;
    if (syscall(kFastcall, example.index(), 0, 64L) != 0)
        state.SkipWithError("the check call failed");
    time_calls(state, 0, [&] { return syscall(kFastcall, example.index(), kSlot); });
}

alignas(64) char from[64], to[64 * 64];

void syscall_sys_ni_syscall(benchmark::State& state) {
    time_calls(state, 1, [] { return syscall(kUnused) == -1 && errno == ENOSYS ? 1L : 0L; });
}
void syscall_array(benchmark::State& state) {
    time_calls(state, 0, [&] { return syscall(kArray, from, kSlot, state.range(0)); });
}
void syscall_nt(benchmark::State& state) {
    time_calls(state, 0, [] { return syscall(kNt, from, kSlot); });
}

void time_ioctl(benchmark::State& state, unsigned long code, unsigned char size) {
    const int device = open("/dev/fccmp", O_RDWR);
    const CopyArguments arguments{from, kSlot, size};
    time_calls(state, 0, [&] { return static_cast<long>(ioctl(device, code, &arguments)); });
    close(device);
}
void ioctl_noop(benchmark::State& state) { time_ioctl(state, kFccmpNoop, 0); }
void ioctl_array(benchmark::State& state) {
    time_ioctl(state, kFccmpArray, static_cast<unsigned char>(state.range(0)));
}
void ioctl_nt(benchmark::State& state) { time_ioctl(state, kFccmpNt, 0); }

template <class Function>
Function* vdso_function(benchmark::State& state, const char* name) {
    tollgate::VdsoImage image;
    void* const found = image.read(getauxval(AT_SYSINFO_EHDR)) ? image.by_hash(name) : nullptr;
    if (found == nullptr)
        state.SkipWithError("vDSO function not found!");
    return reinterpret_cast<Function*>(found);
}
void compare(benchmark::State& state, long size) {
    if (std::memcmp(to + kSlot * 64, from, static_cast<std::size_t>(size)) != 0)
        state.SkipWithError("other bytes were copied");
}
void vdso_noop(benchmark::State& state) {
    if (auto* const noop = vdso_function<int()>(state, "__vdso_fccmp_noop"))
        time_calls(state, 0, [=] { return static_cast<long>(noop()); });
}
void vdso_array(benchmark::State& state) {
    const auto size = static_cast<unsigned long>(state.range(0));
    if (auto* const copy =
            vdso_function<int(char*, const char*, unsigned char, unsigned long)>(state, "__vdso_fccmp_copy_array")) {
        time_calls(state, 0, [=] { return static_cast<long>(copy(to, from, kSlot, size)); });
        compare(state, state.range(0));
    }
}
void vdso_nt(benchmark::State& state) {
    if (auto* const copy = vdso_function<int(char*, const char*, unsigned char)>(state, "__vdso_fccmp_copy_nt")) {
        time_calls(state, 0, [=] { return static_cast<long>(copy(to, from, kSlot)); });
        compare(state, 64);
    }
}

template <class Structure, unsigned long code>
void registration(benchmark::State& state) {
    for (auto _ : state) {
        const Example<Structure> example(state, code);
        if (!example)
            return;
    }
}

/// With as many fastcalls as the row says. The child has none of them, a vfork child its parent's.
template <pid_t (*make)()>
void process(benchmark::State& state) {
    constexpr unsigned kMost = 100;
    std::vector<std::unique_ptr<Example<WithShared>>> examples;
    while (examples.size() < kMost && static_cast<long>(examples.size()) < state.range(0))
        examples.push_back(std::make_unique<Example<WithShared>>(state, kIoctlArray));
    for (auto _ : state) {
        const pid_t child = make();
        if (child == 0)
            _exit(0);
        int status = -1;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            state.SkipWithError("the child did not end well");
    }
}

BENCHMARK(fastcall_noop)->Iterations(1000);
BENCHMARK(fastcall_stack)->Iterations(1000);
BENCHMARK(fastcall_priv)->Iterations(1000);
BENCHMARK(fastcall_array)->DenseRange(0, 64, 8)->Iterations(1000);
BENCHMARK(fastcall_nt)->Iterations(1000);
BENCHMARK(syscall_sys_ni_syscall)->Iterations(1000);
BENCHMARK(syscall_array)->DenseRange(0, 64, 8)->Iterations(1000);
BENCHMARK(syscall_nt)->Iterations(1000);
BENCHMARK(ioctl_noop)->Iterations(1000);
BENCHMARK(ioctl_array)->DenseRange(0, 64, 8)->Iterations(1000);
BENCHMARK(ioctl_nt)->Iterations(1000);
BENCHMARK(vdso_noop)->Iterations(1000);
BENCHMARK(vdso_array)->DenseRange(0, 64, 8)->Iterations(1000);
BENCHMARK(vdso_nt)->Iterations(1000);
BENCHMARK(registration<Plain, kIoctlNoop>)->Name("registration")->Iterations(100);
BENCHMARK(registration<WithShared, kIoctlArray>)->Name("registration_mappings")->Iterations(100);
BENCHMARK(process<fork>)->Name("fork")->Arg(0)->Arg(100)->Iterations(10);
BENCHMARK(process<vfork>)->Name("vfork")->Arg(0)->Arg(100)->Iterations(10);

} // namespace

int main(int argc, char** argv) {
    for (unsigned i = 0; i < sizeof from; ++i)
        from[i] = static_cast<char>(i + 1);
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
