// Fastcalls under attack: threats C1-C3, C12, and that the example functions do what they should; what goes wrong
// inside of one is in fastcall_faults.cpp, how registrations live and end in fastcall_life.cpp. A fastcall leaves by
// its own SYSRET, so that its return address and flags are those of the SYSCALL instruction: what C12 asks for is that
// nothing a program can set on the way in changes how it gets back, also when the function faults.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/fastcall.h"
#include "userland/lib/gate_fastcall.h"
#include "userland/lib/ktap.h"
#include "userland/tests/fastcall_support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;

struct Functions {
    api::FastcallIoctl noop, stack, priv;
    api::FastcallArrayIoctl array;
    long faulty = -1; ///< index of the function that reads the address in its first argument
};

bool register_functions(Functions& functions) {
    const int device = open(api::kFastcallDevice, O_RDONLY);
    const bool good = Native::call(SYS_ioctl, device, api::kFastcallIoctlNoop, &functions.noop) == 0 &&
                      Native::call(SYS_ioctl, device, api::kFastcallIoctlStack, &functions.stack) == 0 &&
                      Native::call(SYS_ioctl, device, api::kFastcallIoctlPriv, &functions.priv) == 0 &&
                      Native::call(SYS_ioctl, device, api::kFastcallIoctlArray, &functions.array) == 0;
    close(device);
    functions.faulty = register_abuse(api::FastcallAbuse::Read);
    return good && functions.faulty >= 0;
}

Functions functions; // of this process; victims register their own

// --- victims. Each gets an address in the fastcall space, or what stands for one that it has to ask for.

enum Place : uint64_t { kFunction = 1, kMiddleOfFunction, kEndOfPage, kTablePlace, kStackPlace, kPrivateData };

uint64_t address_of(uint64_t place) {
    if (!register_functions(functions))
        _exit(3);
    switch (place) {
    case kFunction:
        return functions.stack.fn_addr;
    case kMiddleOfFunction:
        return functions.stack.fn_addr + 4;
    case kEndOfPage:
        return functions.stack.fn_addr + functions.stack.fn_len - 2;
    case kTablePlace:
        return kTable;
    case kStackPlace:
        return kStacks + kPage;
    case kPrivateData:
        return functions.priv.fn_addr + kPrivateOffset;
    default:
        return place;
    }
}

/// Exit status of a victim that could not even fetch the first instruction.
constexpr int kRefused = 98;

uint64_t jump_target;
int jump_to(uint64_t place) {
    jump_target = address_of(place);
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t* info, void*) {
        _exit(reinterpret_cast<uint64_t>(info->si_addr) == jump_target ? kRefused : kSurvived);
    };
    sigaction(SIGSEGV, &action, nullptr);
    asm volatile("call *%0"
                 :
                 : "r"(jump_target)
                 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
    return kSurvived;
}
int read_from(uint64_t place) {
    const uint64_t address = address_of(place);
    static_cast<void>(*reinterpret_cast<volatile char*>(address));
    return kSurvived;
}
int write_to(uint64_t place) {
    *reinterpret_cast<volatile char*>(address_of(place)) = 0;
    return kSurvived;
}
int step_into_fastcall(uint64_t) {
    if (!register_functions(functions))
        return 3;
    long number = api::kSysFastcall;
    long index = functions.noop.index;
    asm volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tsyscall\n\tnop\n\tnop"
                 : "+a"(number), "+D"(index)
                 :
                 : "rcx", "r11", "rsi", "rdx", "r8", "r9", "r10", "memory", "cc");
    return kSurvived;
}
/// Takes every slot, and gives them back.
int fill_table(uint64_t) {
    VictimChecks checks;
    const int device = open(api::kFastcallDevice, O_RDONLY);
    api::FastcallIoctl made[api::kFastcallEntries]{};
    for (unsigned round = 0; round < 2; ++round) {
        for (auto& one : made)
            checks.expect(Native::call(SYS_ioctl, device, api::kFastcallIoctlNoop, &one) == 0);
        api::FastcallIoctl surplus{};
        checks.expect(Native::call(SYS_ioctl, device, api::kFastcallIoctlNoop, &surplus) == -ENOSPC);
        for (unsigned index = 0; index < api::kFastcallEntries; ++index)
            checks.expect(Fastcall::call(index) == 0);
        for (const auto& one : made) {
            checks.expect(Native::call(SYS_munmap, one.fn_addr, one.fn_len) == 0);
            checks.expect(Fastcall::call(one.index) == -EINVAL);
            checks.expect(Native::call(SYS_munmap, one.fn_addr, one.fn_len) < 0);
        }
    }
    return checks.result();
}
/// A process that has registered nothing, whatever its parent has.
int call_unregistered(uint64_t) {
    for (unsigned index = 0; index < 256; ++index)
        if (Fastcall::call(index) != -EINVAL)
            return 1;
    return 0;
}

int call_index(uint64_t index);
int call_random_indices(uint64_t);

constexpr Victim kVictims[] = {
    {"index", call_index},
    {"random-indices", call_random_indices},
    {"jump", jump_to},
    {"read", read_from},
    {"write", write_to},
    {"step", step_into_fastcall},
    {"unregistered", call_unregistered},
    {"fill-table", fill_table},
};

// --- what the functions do

void test_functions(Ktap& ktap) {
    ktap.check(register_functions(functions), "the examples could not be registered (%ld)", functions.faulty);
    ktap.check(Fastcall::call(functions.noop.index) == 0, "noop");
    for (const long value : {0L, 1L, -1L, 0xbeefL, 0x123456789abcdefL}) {
        ktap.check(Fastcall::call(functions.stack.index, value) == value, "stack of %#lx", value);
        ktap.check(Fastcall::call(functions.priv.index, value) == value + 1, "priv of %#lx", value);
    }
    std::memset(reinterpret_cast<void*>(functions.array.shared_addr), 0x77, 64);
    for (const long slot : {0L, 1L, 47L, 63L})
        for (const long bytes : {0L, 1L, 8L, 63L, 64L})
            ktap.check(Fastcall::call(functions.array.index, slot, bytes) == 0, "array of %ld bytes to slot %ld", bytes,
                       slot);
    for (const long slot : {64L, 65L, -1L, 1L << 58, 1L << 32})
        ktap.check(Fastcall::call(functions.array.index, slot, 8) == -EINVAL, "array to slot %ld", slot);
    for (const long bytes : {65L, -1L, 1L << 32, 1L << 61})
        ktap.check(Fastcall::call(functions.array.index, 0, bytes) == -EINVAL, "array of %ld bytes", bytes);
    const int device = open(api::kFastcallDevice, O_RDONLY);
    ktap.check(Native::call(SYS_ioctl, device, 0x8018de0f, &functions.noop) == -ENOTTY, "an unknown ioctl");
    close(device);
    ktap.test("the example functions give the right answers");
    const int status = run_victim("fill-table");
    ktap.check(exited_with(status, 0), "%s", describe(status));
    ktap.test("the table can be filled and emptied: ENOSPC, then EINVAL");
}

// --- C1

int call_random_indices(uint64_t) {
    uint64_t random = 0x243f6a8885a308d3; // fixed, so that a failure can be repeated
    for (unsigned i = 0; i < 5000; ++i) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (random >= api::kFastcallEntries && Fastcall::call(static_cast<long>(random)) != -EINVAL)
            return 1;
    }
    return 0;
}

int call_index(uint64_t index) { return Fastcall::call(static_cast<long>(index)) == -EINVAL ? 0 : 1; }

void test_indices(Ktap& ktap) {
    constexpr uint64_t kIndices[] = {api::kFastcallEntries,
                                     128,
                                     129,
                                     255,
                                     256,
                                     4096,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     uint64_t{1} << 32,
                                     uint64_t{1} << 59,
                                     uint64_t{1} << 63,
                                     ~uint64_t{0},
                                     ~uint64_t{0} - 126,
                                     uint64_t{1} << 59 | 1,
                                     0xfffffffe00000000};
    for (const uint64_t index : kIndices) {
        // In a process of its own first: without the clamp, it would jump through whatever lies there.
        const int status = run_victim("index", index);
        if (!ktap.check(exited_with(status, 0), "index %#llx: %s", static_cast<unsigned long long>(index),
                        describe(status)))
            break;
        const long result = Fastcall::call(static_cast<long>(index));
        ktap.check(result == -EINVAL, "index %#llx: %ld", static_cast<unsigned long long>(index), result);
    }
    // An index that wraps to a registered one when it is multiplied by the size of an entry.
    const uint64_t wrapping = uint64_t{1} << 59 | functions.stack.index;
    const int status = run_victim("index", wrapping);
    ktap.check(exited_with(status, 0), "the wrapping index %#llx: %s", static_cast<unsigned long long>(wrapping),
               describe(status));
    ktap.test("C1 indices beyond the table: EINVAL");
    unsigned taken = 0;
    for (unsigned index = 0; index < api::kFastcallEntries; ++index) {
        const bool ours = index == functions.noop.index || index == functions.stack.index ||
                          index == functions.priv.index || index == functions.array.index ||
                          static_cast<long>(index) == functions.faulty;
        taken += ours ? 1 : 0;
        if (!ours)
            ktap.check(Fastcall::call(index) == -EINVAL, "free slot %u", index);
    }
    ktap.check(taken == 5, "%u slots are ours", taken);
    const int randomly = run_victim("random-indices");
    ktap.check(exited_with(randomly, 0), "5000 random indices: %s", describe(randomly));
    const int elsewhere = run_victim("unregistered");
    ktap.check(exited_with(elsewhere, 0), "another process: %s", describe(elsewhere));
    ktap.test("C1 free slots, random indices, another process: EINVAL");
}

// --- C2, C3

constexpr struct {
    const char* name;
    uint64_t place;
} kPlaces[] = {{"a function", kFunction},           {"the middle of a function", kMiddleOfFunction},
               {"the end of its page", kEndOfPage}, {"the table", kTablePlace},
               {"a fastcall stack", kStackPlace},   {"private data", kPrivateData}};

void test_direct_access(Ktap& ktap) {
    for (const auto& [name, place] : kPlaces) {
        const int status = run_victim("jump", place);
        ktap.check(exited_with(status, kRefused), "jump to %s: %s", name, describe(status));
    }
    ktap.test("C2 user code cannot jump into the fastcall space");
    for (const auto& [name, place] : kPlaces) {
        int status = run_victim("read", place);
        ktap.check(killed_by(status, {SIGSEGV}), "read of %s: %s", name, describe(status));
        status = run_victim("write", place);
        ktap.check(killed_by(status, {SIGSEGV}), "write to %s: %s", name, describe(status));
    }
    ktap.test("C3 user code cannot read or write the fastcall space");
}

void test_calls_on_space(Ktap& ktap) {
    const int own = open("/proc/self/exe", O_RDONLY);
    for (const uint64_t address : {kTable, kStacks, functions.stack.fn_addr, functions.priv.fn_addr + kPrivateOffset}) {
        void* const start = reinterpret_cast<void*>(address);
        const auto shown = static_cast<unsigned long long>(address);
        ktap.check(mprotect(start, kPage, PROT_READ | PROT_WRITE) != 0, "mprotect of %#llx", shown);
        ktap.check(mmap(start, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED,
                   "mmap over %#llx", shown);
        ktap.check(Native::call(SYS_mremap, start, kPage, 2 * kPage, MREMAP_MAYMOVE) < 0, "mremap of %#llx", shown);
        ktap.check(Native::call(SYS_pread64, own, address, 64, 0) == -EFAULT, "read() into %#llx", shown);
        ktap.check(Native::call(api::kSysCopy64, address) == -EFAULT, "copy64 from %#llx", shown);
    }
    // munmap of a whole function takes it away; anything else in the space is refused.
    for (const auto& [address, length] :
         {std::pair{kTable, kPage}, std::pair{kStacks, kPage}, std::pair{kTable, uint64_t{0x300000}},
          std::pair{functions.stack.fn_addr + 8, kPage}, std::pair{functions.stack.fn_addr, uint64_t{1}},
          std::pair{functions.stack.fn_addr, 64 * kPage}}) {
        const long result = Native::call(SYS_munmap, address, length);
        ktap.check(result < 0, "munmap of %#llx, %#llx bytes: %ld", static_cast<unsigned long long>(address),
                   static_cast<unsigned long long>(length), result);
    }
    void* const shared = reinterpret_cast<void*>(functions.array.shared_addr);
    ktap.check(munmap(shared, kPage) != 0, "munmap of the shared page");
    ktap.check(mprotect(shared, kPage, PROT_NONE) != 0, "mprotect of the shared page");
    ktap.check(mmap(shared, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED,
               "mmap over the shared page");
    ktap.check(Fastcall::call(functions.stack.index, 0xbeef) == 0xbeef &&
                   Fastcall::call(functions.array.index, 1, 64) == 0 && Fastcall::call(functions.priv.index, 1) == 2,
               "the functions do not work any more");
    close(own);
    ktap.test("C3 memory calls on table, stacks, functions, shared page: refused");
}

// --- C12

void test_return_state(Ktap& ktap) {
    struct Target {
        const char* name;
        uint64_t index, argument;
        int64_t result;
    };
    const Target targets[] = {
        {"noop", functions.noop.index, 0, 0},
        {"stack", functions.stack.index, 0xbeef, 0xbeef},
        {"priv", functions.priv.index, 41, 42},
        {"free slot", api::kFastcallEntries - 1, 0, -EINVAL},
        {"beyond the table", ~uint64_t{0}, 0, -EINVAL},
        {"faulty", static_cast<uint64_t>(functions.faulty), 0x10, -EFAULT},
    };
    for (const Target& target : targets) {
        const auto check_kept = [&](const Registers& in, const char* what) {
            const Registers out = cross_by_syscall(in);
            ktap.check(static_cast<int64_t>(out.rax) == target.result, "%s, %s: result %lld", target.name, what,
                       static_cast<long long>(out.rax));
            ktap.check(out.rsp == in.rsp && out.rbp == in.rbp && out.rbx == in.rbx && out.r12 == in.r12 &&
                           out.r13 == in.r13 && out.r14 == in.r14 && out.r15 == in.r15,
                       "%s, %s: a register is lost", target.name, what);
            ktap.check(out.rcx == address_after_syscall(), "%s, %s: rcx %#llx", target.name, what,
                       static_cast<unsigned long long>(out.rcx));
            ktap.check((out.flags & kIf) != 0 && (out.flags & (kIopl | kTf | kVm)) == 0, "%s, %s: flags %#llx",
                       target.name, what, static_cast<unsigned long long>(out.flags));
            constexpr uint64_t kKept = kDf | kAc | kNt | kId;
            ktap.check((out.flags & kKept) == (in.flags & kKept), "%s, %s: flags %#llx, not %#llx", target.name, what,
                       static_cast<unsigned long long>(out.flags), static_cast<unsigned long long>(in.flags));
        };
        Registers in = patterned(api::kSysFastcall, target.index, target.argument);
        check_kept(in, "plain");
        for (const uint64_t flags : {kDf, kAc, kNt, kId, kDf | kAc | kNt | kId | kCf | kOf | kSf}) {
            in.flags = kIf | kFixed | flags;
            check_kept(in, "with flags");
        }
        in.flags = kIf | kFixed;
        for (const uint64_t stack :
             {uint64_t{0}, uint64_t{0x1000}, uint64_t{1} << 47, uint64_t{1} << 63, uint64_t{0xffff800000000000},
              uint64_t{0xffffffff80000000}, kTable + 64, ~uint64_t{0}}) {
            in.rsp = stack;
            check_kept(in, "with a bad stack pointer");
        }
    }
    ktap.test("C12 S5-S7 flags, stack and registers come back as they went in");
    const int status = run_victim("step");
    ktap.check(killed_by(status, {SIGTRAP}), "%s", describe(status));
    ktap.check(Fastcall::call(functions.noop.index) == 0, "noop afterwards");
    ktap.test("C12 E4 single-stepping into a fastcall: a trap in user code");
}

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims});
    Ktap ktap(9);
    test_functions(ktap);
    test_indices(ktap);
    test_direct_access(ktap);
    test_calls_on_space(ktap);
    test_return_state(ktap);
    return ktap.finish();
}
