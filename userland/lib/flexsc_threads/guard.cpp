// A stack overflow hits the guard below the stack: SIGSEGV, handled on a stack of its own, is reported with the
// thread's name, and the process then dies of it as ever. A program that sets its own SIGSEGV handler has that instead.
#include <csignal>
#include <cstring>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userland/lib/flexsc_threads/thread.h"
#include "userland/lib/gate_native.h"

namespace tollgate::threads {
namespace {

constexpr std::size_t kStack = 16384;

void say(const char* text) { Native::call(SYS_write, STDERR_FILENO, text, std::strlen(text)); }

void fault(int, siginfo_t* info, void*) {
    const auto* const at = static_cast<const char*>(info->si_addr);
    const Thread* const thread = self;
    if (thread != nullptr && thread->stack != nullptr && at >= thread->stack &&
        at < thread->stack + thread->guard_size) {
        say("flexsc-threads: stack overflow in thread \"");
        say(thread->name);
        say("\"\n");
    }
    std::signal(SIGSEGV, SIG_DFL); // and the instruction faults again
}

} // namespace

void watch_guards() {
    const long memory =
        Native::call(SYS_mmap, nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory < 0)
        return;
    stack_t stack{};
    stack.ss_sp = reinterpret_cast<void*>(memory);
    stack.ss_size = kStack;
    sigaltstack(&stack, nullptr);
    struct sigaction old {};
    sigaction(SIGSEGV, nullptr, &old);
    if (old.sa_handler != SIG_DFL)
        return;
    struct sigaction action {};
    action.sa_sigaction = &fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, nullptr);
}

} // namespace tollgate::threads
