// The life of registrations (spec: fastcall, 4 and 7; threats C3, C9, C10): who has them, who inherits them, how they
// end, and that nothing is lost on the way. fastcall_life [SEED ROUNDS] chooses the random test's.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "api/fastcall.h"
#include "userland/lib/gate_fastcall.h"
#include "userland/lib/ktap.h"
#include "userland/tests/fastcall_support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;
using api::FastcallAbuse;
using api::FastcallArrayIoctl;
using api::FastcallIoctl;
using api::Probe;

uint64_t seed = 1;
unsigned rounds = 400;

struct Random {
    uint64_t state;
    uint64_t below(uint64_t bound) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state % bound;
    }
};

FastcallArrayIoctl register_array() {
    FastcallArrayIoctl made{};
    made.index = ~0u;
    const int device = open(api::kFastcallDevice, O_RDONLY | O_CLOEXEC);
    Native::call(SYS_ioctl, device, api::kFastcallIoctlArray, &made);
    close(device);
    return made;
}

/// Runs `body` in a fork; its exit status, or -signal.
template <class Body>
int in_child(Body&& body) {
    const pid_t child = fork();
    if (child == 0)
        _exit(body());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// What is registered in a process that has registered nothing.
int count_registered() {
    int found = 0;
    for (unsigned index = 0; index < api::kFastcallEntries; ++index)
        found += Fastcall::call(index) != -EINVAL;
    return found;
}

// --- victims: programs that have been executed afresh

int find_nothing(uint64_t) { return count_registered(); }
int register_and_exit(uint64_t) {
    for (int n = 0; n < 3; ++n)
        if (register_abuse(FastcallAbuse::Read) != n)
            return 1;
    return 0;
}

/// Gives way, to threads of this CPU and, where CPUs take turns, to other CPUs.
void give_way() {
    sched_yield();
    __builtin_ia32_pause();
}

/// Three threads call a slot that is registered and deregistered meanwhile.
int deregister_under_load(uint64_t) {
    constexpr long kTurns = 20'000;
    VictimChecks checks;
    static std::atomic<bool> stop{false};
    static std::atomic<unsigned> wrong{0};
    static std::atomic<unsigned long> answers{0}, refusals{0};
    std::thread callers[3];
    for (std::thread& caller : callers)
        caller = std::thread([] {
            while (!stop.load(std::memory_order_relaxed)) {
                // `spin` gives its constant, `stack` its argument; a free slot an error; nothing else [threats C10].
                const long result = Fastcall::call(0, kTurns);
                if (result == api::kSpinResult || result == kTurns)
                    answers.fetch_add(1, std::memory_order_relaxed);
                else if (result == -EINVAL)
                    refusals.fetch_add(1, std::memory_order_relaxed);
                else
                    wrong.fetch_add(1, std::memory_order_relaxed);
                give_way();
            }
        });
    for (unsigned round = 0; round < 150; ++round) {
        const long index = round % 2 ? static_cast<long>(register_example(api::kFastcallIoctlStack).index)
                                     : register_abuse(FastcallAbuse::Spin);
        checks.expect(index == 0);
        const unsigned long before = answers.load(std::memory_order_relaxed);
        for (unsigned n = 0; n < 1000 && answers.load(std::memory_order_relaxed) < before + 5; ++n)
            give_way();
        checks.expect(deregister(index) == 0);
    }
    // Away under callers that are in it for the first time: what they have not touched yet no TLB remembers.
    for (unsigned round = 0; round < 100; ++round) {
        checks.expect(register_abuse(FastcallAbuse::Linger) == 0);
        for (unsigned n = 0; n < 20 * round; ++n)
            __builtin_ia32_pause();
        checks.expect(deregister(0) == 0);
    }
    stop = true;
    for (std::thread& caller : callers)
        caller.join();
    checks.expect(wrong.load() == 0 && answers.load() > 100);
    return checks.result();
}

constexpr Victim kVictims[] = {
    {"find-nothing", find_nothing}, {"register-and-exit", register_and_exit}, {"under-load", deregister_under_load}};

// --- fork, vfork, threads, exec

void test_fork(Ktap& ktap) {
    const FastcallArrayIoctl array = register_array();
    const FastcallIoctl noop = register_example(api::kFastcallIoctlNoop);
    auto* const shared = reinterpret_cast<volatile char*>(array.shared_addr);
    std::memset(const_cast<char*>(shared), 0x33, 64);
    ktap.check(in_child(count_registered) == 0, "a child has its parent's functions");
    ktap.check(in_child([&] { return static_cast<int>(*shared); }) == -SIGSEGV,
               "a child can read the page that its parent shares with a function");
    ktap.check(in_child([&] {
                   // The address is free for the child, and a table of its own starts with slot 0.
                   if (mmap(const_cast<char*>(shared), kPage, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
                       return 1;
                   *shared = 1;
                   return register_example(api::kFastcallIoctlStack).index == 0 && Fastcall::call(0, 77) == 77 ? 0 : 2;
               }) == 0,
               "a child cannot register functions of its own");
    ktap.check(in_child([&] { return deregister(noop.index) == -EINVAL ? 0 : 1; }) == 0,
               "a child could deregister its parent's function");
    ktap.check(*shared == 0x33 && Fastcall::call(array.index, 1, 64) == 0 && Fastcall::call(noop.index) == 0,
               "the parent's do not work any more");
    deregister(array.index);
    deregister(noop.index);
    ktap.test("C15 fork: the child has an empty table and none of the pages");
}

void test_shared_space(Ktap& ktap) {
    const long stack = register_example(api::kFastcallIoctlStack).index;
    long by_thread = 0, made_by_thread = -1;
    std::thread([&] {
        by_thread = Fastcall::call(stack, 5);
        made_by_thread = register_example(api::kFastcallIoctlNoop).index;
    }).join();
    ktap.check(by_thread == 5, "a thread's call gave %ld", by_thread);
    ktap.check(Fastcall::call(made_by_thread) == 0, "what a thread has registered");
    static volatile long by_child;
    by_child = 0;
    const pid_t child = vfork();
    if (child == 0) {
        by_child = Fastcall::call(stack, 6);
        _exit(deregister(made_by_thread) == 0 ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ktap.check(exited_with(status, 0) && by_child == 6, "a vfork child's call gave %ld", by_child);
    ktap.check(Fastcall::call(made_by_thread) == -EINVAL, "what a vfork child has deregistered");
    ktap.check(Fastcall::call(stack, 7) == 7, "the parent's call after the child's end");
    deregister(stack);
    ktap.test("threads and vfork children share the table");
}

void test_exec_and_exit(Ktap& ktap) {
    const auto callbacks = [] { return static_cast<uint64_t>(probe(Probe::FastcallCallbacks)); };
    const long kept = register_abuse(FastcallAbuse::Read);
    ktap.check(exited_with(run_victim("find-nothing"), 0), "a program that was executed has functions");
    uint64_t before = callbacks();
    ktap.check(deregister(register_abuse(FastcallAbuse::Read)) == 0, "deregistration");
    ktap.check(callbacks() - before == (uint64_t{1} << 32) + 1, "munmap: callbacks %#llx",
               static_cast<unsigned long long>(callbacks() - before));
    before = callbacks();
    ktap.check(exited_with(run_victim("register-and-exit"), 0), "three registrations");
    ktap.check(wait_until([&] { return callbacks() - before == 3; }), "exit: callbacks %#llx",
               static_cast<unsigned long long>(callbacks() - before));
    before = callbacks();
    const int replaced = in_child([] {
        if (register_abuse(FastcallAbuse::Read) != 0 || register_abuse(FastcallAbuse::Read) != 1)
            return 9;
        execl("/proc/self/exe", "test-fastcall_life", "victim", "find-nothing", "0", nullptr);
        return 8;
    });
    ktap.check(replaced == 0, "exec: %d", replaced);
    ktap.check(wait_until([&] { return callbacks() - before == 2; }), "exec: callbacks %#llx",
               static_cast<unsigned long long>(callbacks() - before));
    deregister(kept);
    ktap.test("munmap calls unmap and free; exit and exec free alone, and leave nothing");
}

// --- what memory calls may do

void test_errors(Ktap& ktap) {
    const FastcallIoctl priv = register_example(api::kFastcallIoctlPriv);
    const FastcallArrayIoctl array = register_array();
    const struct {
        const char* name;
        uint64_t address, length;
        long error;
    } kCalls[] = {
        {"the table", kTable, kPage, -EINVAL},
        {"all of the space", kTable, 0x400000, -EINVAL},
        {"a stack", kStacks + kPage, kPage, -EACCES},
        {"a private page", priv.fn_addr + kPrivateOffset, kPage, -EACCES},
        {"the user page", array.shared_addr, kPage, -EACCES},
        {"part of a function", priv.fn_addr, 1, -EINVAL},
        {"more than a function", priv.fn_addr, 2 * kPage, -EINVAL},
        {"the middle of a function", priv.fn_addr + 8, kPage, -EINVAL},
        {"a free window", kHeap + 100 * kWindow, kPage, -EINVAL},
        {"beyond the windows", kHeap + 127 * kWindow, kPage, -EINVAL},
    };
    for (const auto& call : kCalls) {
        const long result = Native::call(SYS_munmap, call.address, call.length);
        ktap.check(result == call.error, "munmap of %s: %ld", call.name, result);
        ktap.check(Native::call(SYS_mremap, call.address, kPage, kPage, 0) < 0, "mremap of %s", call.name);
        ktap.check(Native::call(SYS_mprotect, call.address & ~(kPage - 1), kPage, PROT_READ) < 0, "mprotect of %s",
                   call.name);
    }
    ktap.check(Fastcall::call(priv.index, 1) == 2 && Fastcall::call(array.index, 1, 64) == 0,
               "the functions do not work any more");
    ktap.check(deregister(priv.index) == 0 && deregister(priv.index) == -EINVAL, "deregistering twice");
    ktap.check(deregister(array.index) == 0 &&
                   mmap(reinterpret_cast<void*>(array.shared_addr), kPage, PROT_READ,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED,
               "the user page stays after its function");
    munmap(reinterpret_cast<void*>(array.shared_addr), kPage);
    ktap.test("C3 munmap, mremap, mprotect in the fastcall space: EINVAL, EACCES");
}

void test_maps(Ktap& ktap) {
    const FastcallArrayIoctl array = register_array();
    struct Expected {
        uint64_t start;
        const char *rights, *name;
        bool found = false;
    } expected[] = {{kTable, "r--p", "[fastcall_table]"},
                    {kStacks + kPage, "rw-s", "[fastcall_stacks]"},
                    {array.fn_addr, "r-xp", "[fastcall_function]"},
                    {array.fn_addr + kPrivateOffset, "rw-s", "[fastcall_additional]"},
                    {array.shared_addr, "rw-p", "[fastcall_additional]"}};
    std::FILE* const maps = std::fopen("/proc/self/maps", "re");
    char line[256];
    while (maps && std::fgets(line, sizeof line, maps)) {
        unsigned long long start, end;
        char rights[8], name[64] = "";
        if (std::sscanf(line, "%llx-%llx %7s %*s %*s %*s %63s", &start, &end, rights, name) < 3)
            continue;
        for (Expected& one : expected)
            one.found = one.found || (one.start == start && std::strcmp(one.rights, rights) == 0 &&
                                      std::strcmp(one.name, name) == 0 && end > start);
    }
    if (maps)
        std::fclose(maps);
    for (const Expected& one : expected)
        ktap.check(one.found, "%s %s at %#llx is not in /proc/self/maps", one.name, one.rights,
                   static_cast<unsigned long long>(one.start));
    deregister(array.index);
    ktap.test("/proc/self/maps shows table, stacks, functions and their pages");
}

// --- everything in any order

/// One registration that this process believes it has.
struct Known {
    std::uint32_t request = 0; // 0: the slot is free
    uint64_t shared = 0;
};

bool works(unsigned index, const Known& known) {
    switch (known.request) {
    case 0:
        return Fastcall::call(index, 3) == -EINVAL;
    case api::kFastcallIoctlNoop:
        return Fastcall::call(index) == 0;
    case api::kFastcallIoctlStack:
        return Fastcall::call(index, 3) == 3;
    case api::kFastcallIoctlPriv:
        return Fastcall::call(index, 3) == 4;
    default:
        return Fastcall::call(index, 1, 64) == 0;
    }
}

/// A process's life of so many steps; children live as much, and so on. 0 if all was as it should be.
int live(Random random, unsigned steps, unsigned depth) {
    constexpr std::uint32_t kRequests[] = {api::kFastcallIoctlNoop, api::kFastcallIoctlStack, api::kFastcallIoctlPriv,
                                           api::kFastcallIoctlArray};
    Known known[api::kFastcallEntries];
    for (unsigned step = 0; step < steps; ++step) {
        const unsigned slot = static_cast<unsigned>(random.below(step % 8 ? 24 : api::kFastcallEntries));
        switch (random.below(depth < 2 ? 9 : 8)) {
        case 0:
        case 1:
        case 2:
        case 3: {
            const std::uint32_t request = kRequests[random.below(4)];
            const FastcallArrayIoctl array =
                request == api::kFastcallIoctlArray ? register_array() : FastcallArrayIoctl{};
            const unsigned index = request == api::kFastcallIoctlArray ? array.index : register_example(request).index;
            if (index >= api::kFastcallEntries) { // ENOSPC, then
                for (const Known& one : known)
                    if (one.request == 0)
                        return 1;
                break;
            }
            if (known[index].request != 0)
                return 8;
            for (unsigned lower = 0; lower < index; ++lower)
                if (known[lower].request == 0)
                    return 2; // not the lowest that was free
            known[index] = {request, array.shared_addr};
            break;
        }
        case 4:
        case 5:
            if (deregister(slot) != (known[slot].request != 0 ? 0 : -EINVAL))
                return 3;
            known[slot] = {};
            break;
        case 6:
            for (unsigned index = 0; index < 32; ++index)
                if (!works(index, known[index]))
                    return 4;
            break;
        case 7:
            if (!works(slot, known[slot]))
                return 5;
            break;
        default: {
            const Random child{random.below(~uint64_t{0}) | 1};
            const bool executes = random.below(3) == 0;
            if (in_child([&] {
                    if (count_registered() != 0)
                        return 6;
                    if (executes && live(child, 10, 9) == 0)
                        execl("/proc/self/exe", "test-fastcall_life", "victim", "find-nothing", "0", nullptr);
                    return live(child, steps / 4, depth + 1);
                }) != 0)
                return 7;
        }
        }
    }
    return 0; // what is left goes with the process
}

void test_random(Ktap& ktap) {
    ktap.note("seed %llu, %u rounds", static_cast<unsigned long long>(seed), rounds);
    const auto all = [&] {
        for (unsigned life = 0; life < 4; ++life) {
            const int ended = in_child([&] { return live({seed + life}, rounds / 4, 0); });
            ktap.check(ended == 0, "seed %llu: life %u ended with %d", static_cast<unsigned long long>(seed), life,
                       ended);
        }
    };
    check_frames(ktap, all);
    ktap.test("C9 registering, deregistering, forking, executing, exiting in random order: nothing is lost");
}

void test_load(Ktap& ktap) {
    const int status = run_victim("under-load");
    ktap.check(exited_with(status, 0), "%s", describe(status));
    ktap.test("C9 C10 a slot that is called while it is registered and deregistered");
}

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims});
    if (argc == 3) {
        seed = std::strtoull(argv[1], nullptr, 0) | 1;
        rounds = static_cast<unsigned>(std::strtoul(argv[2], nullptr, 0));
    }
    Ktap ktap(7);
    test_fork(ktap);
    test_shared_space(ktap);
    test_exec_and_exit(ktap);
    test_errors(ktap);
    test_maps(ktap);
    test_random(ktap);
    test_load(ktap);
    return ktap.finish();
}
