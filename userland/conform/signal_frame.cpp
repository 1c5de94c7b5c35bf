// What execve keeps, and the frame on the stack of a handler.
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "userland/conform/signal_tests.h"

namespace tollgate::conform {

void test_frame(Ktap& ktap) {
    static sigjmp_buf escape;
    static ucontext_t seen;
    static uintptr_t entry_stack;
    handle(SIGUSR1, [](int, siginfo_t* info, void* context) {
        std::memcpy(&seen, context, sizeof seen - sizeof seen.__fpregs_mem - 0);
        entry_stack = reinterpret_cast<uintptr_t>(info);
        caught = caught + 1;
    });
    block({SIGHUP});
    raise(SIGUSR1);
    unblock({SIGHUP});
    ktap.check(caught == 1, "caught %d", caught);
    ktap.check(sigismember(&seen.uc_sigmask, SIGHUP) == 1 && sigismember(&seen.uc_sigmask, SIGUSR1) == 0,
               "uc_sigmask is not the interrupted one");
    ktap.check((seen.uc_flags & 7) == 7, "uc_flags %#lx", seen.uc_flags);
    ktap.check(seen.uc_link == nullptr && seen.uc_stack.ss_flags == SS_DISABLE, "uc_stack %#x", seen.uc_stack.ss_flags);
    const auto fpu = reinterpret_cast<uintptr_t>(seen.uc_mcontext.fpregs);
    ktap.check(fpu % 64 == 0 && fpu > entry_stack, "fpstate at %#lx", fpu);
    ktap.check(static_cast<uintptr_t>(seen.uc_mcontext.gregs[REG_RSP]) - 128 > fpu + 512, "the red zone is gone");
    ktap.check((seen.uc_mcontext.gregs[REG_CSGSFS] & 0xffff) == 0x33, "cs %#llx", seen.uc_mcontext.gregs[REG_CSGSFS]);
    ktap.test("ucontext: mask, flags, stack, fpstate, selectors");
    static unsigned magic1, magic2, size;
    static unsigned long components;
    handle(SIGUSR1, [](int, siginfo_t*, void* context) {
        const auto* const image =
            reinterpret_cast<unsigned char*>(static_cast<ucontext_t*>(context)->uc_mcontext.fpregs);
        std::memcpy(&magic1, image + 464, 4);
        std::memcpy(&components, image + 472, 8);
        std::memcpy(&size, image + 480, 4);
        if (magic1 == 0x46505853)
            std::memcpy(&magic2, image + size, 4);
    });
    raise(SIGUSR1);
    ktap.check(magic1 == 0x46505853 && magic2 == 0x46505845, "magic %#x %#x", magic1, magic2);
    ktap.check(size >= 576 && (components & 3) == 3, "size %u components %#lx", size, components);
    ktap.test("ucontext: the XSAVE image and its magic words");
    static std::uintptr_t alignment, direction;
    handle(SIGUSR1, [](int, siginfo_t*, void*) {
        alignment = reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) % 16;
        asm volatile("pushfq\n\tpopq %0" : "=r"(direction));
    });
    asm volatile("std");
    syscall(SYS_tgkill, getpid(), thread_id(), SIGUSR1);
    asm volatile("cld");
    ktap.check(alignment == 0, "the frame pointer ends in %#lx", alignment);
    ktap.check((direction & 0x400) == 0, "DF is set in the handler");
    ktap.test("a handler's stack is aligned, and DF clear");
    const auto restorer_missing = in_child([] {
        KernelAction action{reinterpret_cast<void*>(+[](int) { _exit(3); }), 0, nullptr, 0};
        raw_action(SIGUSR1, &action, nullptr);
        raise(SIGUSR1);
        return 7;
    });
    ktap.check(WIFSIGNALED(restorer_missing) && WTERMSIG(restorer_missing) == SIGSEGV, "status %#x", restorer_missing);
    ktap.test("without SA_RESTORER a handler cannot run: SIGSEGV");
    static int jumps;
    jumps = 0;
    handle(SIGUSR1, [](int, siginfo_t*, void*) { siglongjmp(escape, 1); });
    for (int i = 0; i < 10; ++i) {
        if (sigsetjmp(escape, 1) != 0)
            continue;
        raise(SIGUSR1);
        ++jumps;
    }
    sigset_t now;
    sigprocmask(SIG_BLOCK, nullptr, &now);
    ktap.check(jumps == 0 && !sigismember(&now, SIGUSR1), "jumps %d", jumps);
    ktap.test("siglongjmp out of handlers");
    signal(SIGUSR1, SIG_DFL);
}

} // namespace tollgate::conform
