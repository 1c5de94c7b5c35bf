// How many cores there are, how they start, and what becomes of them in a child of fork().
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <linux/futex.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userland/lib/flexsc_threads/scheduler.h"
#include "userland/lib/gate_native.h"

namespace tollgate::threads {
namespace {

constexpr unsigned kMaxCores = 64;

constinit Core cores[kMaxCores];
constinit unsigned count = 0;
constinit std::atomic<unsigned> next_core{0};
constinit Thread main_thread{};
constinit std::atomic<unsigned> started{0}; ///< how the core that starts has fared, a futex

enum : unsigned { kNotYet = 0, kRuns = 1, kFailed = 2 };

void tell_started(unsigned how) {
    started.store(how, std::memory_order_release);
    Native::call(SYS_futex, &started, int{FUTEX_WAKE_PRIVATE}, 1);
}

/// Without a way to run threads nothing of the program's would work: it ends, and says why.
[[noreturn]] void give_up(const char* what, int error) {
    static constexpr char kPrefix[] = "flexsc-threads: ";
    (void)!::write(STDERR_FILENO, kPrefix, sizeof kPrefix - 1);
    (void)!::write(STDERR_FILENO, what, std::strlen(what));
    const char* const reason = error == ENOSYS ? ": this kernel has no FlexSC\n" : ": no resources\n";
    (void)!::write(STDERR_FILENO, reason, std::strlen(reason));
    ::_exit(127);
}

flexsc_policy policy() {
    const char* const name = std::getenv("FLEXSC_POLICY");
    if (name == nullptr)
        return FLEXSC_DEFAULT;
    static constexpr const char* kNames[] = {"own", "ipi", "poll", "adaptive", "default"};
    for (int i = 0; i < 5; ++i)
        if (std::strcmp(name, kNames[i]) == 0)
            return static_cast<flexsc_policy>(i);
    give_up("FLEXSC_POLICY is none of own, ipi, poll, adaptive, default", 0);
}

unsigned wanted_cores() {
    if (const char* const wanted = std::getenv("FLEXSC_CORES")) {
        const long number = std::strtol(wanted, nullptr, 10);
        return number < 1 ? 1 : number > kMaxCores ? kMaxCores : static_cast<unsigned>(number);
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    if (Native::call(SYS_sched_getaffinity, 0, sizeof set, &set) <= 0)
        return 1;
    const int found = CPU_COUNT(&set);
    return found < 1 ? 1 : found > int{kMaxCores} ? kMaxCores : static_cast<unsigned>(found);
}

/// Makes the calling kernel thread this core; `root` is the user thread that it runs.
int enter_core(Core& core, Thread& root) {
    core.doorbell = static_cast<int>(Native::call(SYS_eventfd2, 0, int{EFD_CLOEXEC}));
    if (core.doorbell < 0)
        return core.doorbell;
    if (const int failed = flexsc_open(&core.context, policy(), 0); failed != 0) {
        Native::call(SYS_close, core.doorbell);
        return failed;
    }
    asm("mov %%fs:0x10, %0" : "=r"(core.kernel_tcb)); // tcbhead_t::self
    core.kernel_tid = static_cast<int>(Native::call(SYS_gettid));
    root.core = &core;
    root.tcb = core.kernel_tcb;
    root.ready.store(1, std::memory_order_relaxed);
    self = &root;
    watch_guards();
    core.idle = make_idle_thread(core);
    return core.idle != nullptr ? 0 : -ENOMEM;
}

/// A further core. Its kernel thread lends its TLS to a user thread that never has anything to do.
void* run_core(void* argument) {
    Core& core = *static_cast<Core*>(argument);
    Thread root{};
    if (enter_core(core, root) != 0) {
        tell_started(kFailed);
        return nullptr;
    }
    tell_started(kRuns);
    for (;;)
        wait_while([] { return true; });
}

[[gnu::constructor]] void start_cores() {
    may_write_fs = (getauxval(AT_HWCAP2) & 2) != 0; // [Linux uapi, asm/hwcap2.h: HWCAP2_FSGSBASE]
    find_tls_layout();
    std::strcpy(main_thread.name, "main");
    if (const int failed = enter_core(cores[0], main_thread); failed != 0)
        give_up("cannot have syscall pages", -failed);
    const unsigned wanted = wanted_cores();
    for (count = 1; count < wanted; ++count) {
        started.store(kNotYet, std::memory_order_relaxed);
        pthread_t thread;
        if (real_pthread_create(&thread, nullptr, &run_core, &cores[count]) != 0)
            break;
        while (started.load(std::memory_order_acquire) == kNotYet)
            Native::call(SYS_futex, &started, int{FUTEX_WAIT_PRIVATE}, unsigned{kNotYet}, nullptr);
        if (started.load(std::memory_order_relaxed) == kFailed)
            break;
    }
}

} // namespace

Core& core_for_new_thread() { return cores[next_core.fetch_add(1, std::memory_order_relaxed) % count]; }

void restart_after_fork() {
    // The other cores' threads are not here; whatever they held is lost, as after any fork() of a program with threads.
    Thread& me = *self;
    Core& core = cores[0];
    const std::uintptr_t kernel_tcb = me.core->kernel_tcb;
    for (unsigned i = 0; i < count; ++i) {
        Native::call(SYS_close, cores[i].doorbell);
        std::memset(static_cast<void*>(&cores[i]), 0, sizeof cores[i]);
    }
    count = 1;
    next_core.store(0, std::memory_order_relaxed);
    me.timed = false;
    const std::uintptr_t tcb = me.tcb;
    if (const int failed = enter_core(core, me); failed != 0)
        give_up("no syscall pages after fork", -failed);
    me.tcb = tcb;
    core.kernel_tcb = kernel_tcb;
    set_kernel_thread(tcb, core.kernel_tid);
}

extern "C" pid_t fork() {
    if (self == nullptr)
        return __libc_fork();
    // The C library renews what it knows of the calling thread, and that is the kernel's thread.
    Thread& me = *self;
    const auto set_fs = [](std::uintptr_t tcb) { Native::call(SYS_arch_prctl, 0x1002 /* ARCH_SET_FS */, tcb); };
    set_fs(me.core->kernel_tcb);
    const pid_t child = __libc_fork();
    const int error = errno;
    set_fs(me.tcb);
    if (child == 0)
        restart_after_fork();
    errno = error;
    return child;
}

/// A child that borrowed our memory would post calls into pages that are not its own.
extern "C" pid_t vfork() { return fork(); }

} // namespace tollgate::threads
