// Signals that faults raise, what siginfo says of them, and alternate stacks.
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "userland/conform/signal_tests.h"

namespace tollgate::conform {

namespace {

sigjmp_buf escape;
greg_t fault_registers[NGREG];

void on_fault(int, siginfo_t* info, void* context) {
    last_info = *info;
    std::memcpy(fault_registers, static_cast<ucontext_t*>(context)->uc_mcontext.gregs, sizeof fault_registers);
    siglongjmp(escape, 1);
}

template <class F>
bool faults(int signal, F&& body) {
    handle(signal, on_fault);
    if (sigsetjmp(escape, 1) != 0) {
        ::signal(signal, SIG_DFL);
        return true;
    }
    body();
    ::signal(signal, SIG_DFL);
    return false;
}

} // namespace

void test_faults(Ktap& ktap) {
    auto* const nowhere = reinterpret_cast<volatile char*>(0x123450);
    ktap.check(faults(SIGSEGV, [&] { *nowhere = 1; }), "no fault");
    ktap.check(last_info.si_code == SEGV_MAPERR && last_info.si_addr == nowhere, "code %d at %p", last_info.si_code,
               last_info.si_addr);
    ktap.check(fault_registers[REG_TRAPNO] == 14 && (fault_registers[REG_ERR] & 7) == 6 &&
                   fault_registers[REG_CR2] == 0x123450,
               "trap %lld error %lld", fault_registers[REG_TRAPNO], fault_registers[REG_ERR]);
    ktap.check(faults(SIGSEGV, [&] { (void)*nowhere; }), "no fault");
    ktap.check((fault_registers[REG_ERR] & 7) == 4, "error %lld of a read", fault_registers[REG_ERR]);
    ktap.test("SIGSEGV: SEGV_MAPERR, si_addr, trapno, err, cr2");
    auto* const page = static_cast<volatile char*>(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ktap.check(faults(SIGSEGV, [&] { page[5] = 1; }), "no fault");
    ktap.check(last_info.si_code == SEGV_ACCERR && last_info.si_addr == page + 5, "code %d at %p", last_info.si_code,
               last_info.si_addr);
    ktap.check(faults(SIGSEGV, [&] { reinterpret_cast<void (*)()>(reinterpret_cast<uintptr_t>(page))(); }), "no fault");
    ktap.check(last_info.si_code == SEGV_ACCERR && last_info.si_addr == page, "code %d of an execution",
               last_info.si_code);
    ktap.test("SIGSEGV: SEGV_ACCERR for a write to a read-only page, and for execution");
    ktap.check(faults(SIGSEGV, [] { *reinterpret_cast<volatile char*>(0x8000000000000000) = 1; }), "no fault");
    ktap.check(last_info.si_code == SI_KERNEL && last_info.si_addr == nullptr, "code %d at %p", last_info.si_code,
               last_info.si_addr);
    ktap.check(faults(SIGSEGV, [] { asm volatile("cli"); }), "no fault");
    ktap.check(last_info.si_code == SI_KERNEL && fault_registers[REG_TRAPNO] == 13, "code %d", last_info.si_code);
    ktap.test("SIGSEGV: SI_KERNEL for a non-canonical address and a privileged instruction");
    ktap.check(faults(SIGSEGV, [] { *reinterpret_cast<volatile char*>(0xffffffff80000000) = 1; }), "no fault");
    ktap.check(last_info.si_code == SEGV_MAPERR && last_info.si_addr == reinterpret_cast<void*>(0xffffffff80000000),
               "code %d at %p", last_info.si_code, last_info.si_addr);
    ktap.check((fault_registers[REG_ERR] & 7) == 7, "error %lld", fault_registers[REG_ERR]);
    ktap.test("SIGSEGV: a kernel address tells nothing about the kernel");
    ktap.check(faults(SIGFPE,
                      [] {
                          int zero = 0, result = 1;
                          asm volatile("cltd\n\tidivl %1" : "+a"(result) : "r"(zero) : "edx");
                      }),
               "no fault");
    ktap.check(last_info.si_code == FPE_INTDIV && fault_registers[REG_TRAPNO] == 0, "code %d", last_info.si_code);
    ktap.check(last_info.si_addr == reinterpret_cast<void*>(fault_registers[REG_RIP]), "at %p", last_info.si_addr);
    ktap.test("SIGFPE: FPE_INTDIV at the instruction");
    ktap.check(faults(SIGFPE,
                      [] {
                          const unsigned short control = 0x37b; // x87: division by zero unmasked
                          asm volatile("fldcw %0\n\tfld1\n\tfldz\n\tfdivrp\n\tfwait" : : "m"(control));
                      }),
               "no fault");
    ktap.check(last_info.si_code == FPE_FLTDIV && fault_registers[REG_TRAPNO] == 16, "code %d trap %lld",
               last_info.si_code, fault_registers[REG_TRAPNO]);
    ktap.test("SIGFPE: FPE_FLTDIV of the x87");
    asm volatile("fninit");
    ktap.check(faults(SIGILL, [] { asm volatile("ud2"); }), "no fault");
    ktap.check(last_info.si_code == ILL_ILLOPN &&
                   last_info.si_addr == reinterpret_cast<void*>(fault_registers[REG_RIP]),
               "code %d", last_info.si_code);
    ktap.check(fault_registers[REG_TRAPNO] == 6, "trap %lld", fault_registers[REG_TRAPNO]);
    ktap.test("SIGILL: ILL_ILLOPN");
    ktap.check(faults(SIGTRAP, [] { asm volatile("int3"); }), "no trap");
    ktap.check(last_info.si_code == SI_KERNEL && fault_registers[REG_TRAPNO] == 3, "code %d", last_info.si_code);
    ktap.test("SIGTRAP: int3");
    ktap.check(faults(SIGTRAP, [] { asm volatile("pushfq\n\torq $0x100, (%rsp)\n\tpopfq\n\tnop\n\tnop"); }), "no trap");
    ktap.check(last_info.si_code == TRAP_TRACE && fault_registers[REG_TRAPNO] == 1, "code %d", last_info.si_code);
    ktap.test("SIGTRAP: TRAP_TRACE after a single step");
    struct Case {
        int signal;
        void (*body)();
    };
    const Case cases[] = {{SIGSEGV, [] { touch_null_page(); }},
                          {SIGILL, [] { asm volatile("ud2"); }},
                          {SIGTRAP, [] { asm volatile("int3"); }}};
    for (const Case& c : cases) {
        for (const bool by_mask : {true, false}) {
            const int status = in_child([&] {
                if (by_mask)
                    handle(c.signal), block({c.signal});
                else
                    signal(c.signal, SIG_IGN);
                c.body();
                return 7;
            });
            ktap.check(WIFSIGNALED(status) && WTERMSIG(status) == c.signal, "signal %d: %#x", c.signal, status);
        }
    }
    ktap.test("a fault whose signal is blocked or ignored ends the process");
}

namespace {

// --- alternate stacks

unsigned char alternate[65536];
volatile uintptr_t handler_stack;
stack_t stack_in_handler;

bool on_alternate(uintptr_t address) {
    return address >= reinterpret_cast<uintptr_t>(alternate) &&
           address < reinterpret_cast<uintptr_t>(alternate + sizeof alternate);
}

void note_stack(int, siginfo_t*, void*) {
    handler_stack = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    sigaltstack(nullptr, &stack_in_handler);
    caught = caught + 1;
}

} // namespace

void test_alternate_stack(Ktap& ktap) {
    stack_t stack{.ss_sp = alternate, .ss_flags = 0, .ss_size = sizeof alternate}, old{};
    WORKS(ktap, sigaltstack(nullptr, &old));
    ktap.check(old.ss_flags == SS_DISABLE, "flags %#x", old.ss_flags);
    stack.ss_size = 1000;
    FAILS(ktap, sigaltstack(&stack, nullptr), ENOMEM);
    stack.ss_size = sizeof alternate;
    stack.ss_flags = 4;
    FAILS(ktap, sigaltstack(&stack, nullptr), EINVAL);
    for (void* const bad : kBadPointers) {
        FAILS(ktap, syscall(SYS_sigaltstack, bad, nullptr), EFAULT);
        FAILS(ktap, syscall(SYS_sigaltstack, nullptr, bad), EFAULT);
    }
    ktap.test("sigaltstack: ENOMEM, EINVAL, EFAULT");
    stack.ss_flags = 0;
    WORKS(ktap, sigaltstack(&stack, nullptr));
    WORKS(ktap, sigaltstack(nullptr, &old));
    ktap.check(old.ss_sp == alternate && old.ss_size == sizeof alternate && old.ss_flags == 0, "flags %#x",
               old.ss_flags);
    handle(SIGUSR1, note_stack);
    raise(SIGUSR1);
    ktap.check(caught == 1 && !on_alternate(handler_stack), "without SA_ONSTACK it was used");
    handle(SIGUSR1, note_stack, SA_ONSTACK);
    raise(SIGUSR1);
    ktap.check(caught == 1 && on_alternate(handler_stack), "with SA_ONSTACK it was not used");
    ktap.check(stack_in_handler.ss_flags == SS_ONSTACK, "flags in the handler %#x", stack_in_handler.ss_flags);
    ktap.test("SA_ONSTACK; SS_ONSTACK in the handler");
    static int change_error;
    handle(
        SIGUSR1,
        [](int, siginfo_t*, void*) {
            const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
            change_error = sigaltstack(&none, nullptr) == 0 ? 0 : errno;
        },
        SA_ONSTACK);
    raise(SIGUSR1);
    ktap.check(change_error == EPERM, "error %d", change_error);
    ktap.test("sigaltstack: EPERM on the alternate stack");
    constexpr int kAutoDisarm = static_cast<int>(1u << 31);
    stack.ss_flags = kAutoDisarm;
    WORKS(ktap, sigaltstack(&stack, nullptr));
    handle(SIGUSR1, note_stack, SA_ONSTACK);
    raise(SIGUSR1);
    sigaltstack(nullptr, &old);
    ktap.check(on_alternate(handler_stack) && stack_in_handler.ss_flags == SS_DISABLE, "flags in the handler %#x",
               stack_in_handler.ss_flags);
    ktap.check(old.ss_flags == kAutoDisarm && old.ss_sp == alternate, "flags after it %#x", old.ss_flags);
    ktap.test("SS_AUTODISARM");
    stack = {.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
    WORKS(ktap, sigaltstack(&stack, nullptr));
    const int status = in_child([] {
        handle(SIGSEGV, [](int, siginfo_t*, void*) { _exit(3); });
        asm volatile("movq $16, %rsp\n\tpushq %rax");
        return 7;
    });
    ktap.check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %#x", status);
    const int saved = in_child([] {
        const stack_t other{.ss_sp = alternate, .ss_flags = 0, .ss_size = sizeof alternate};
        sigaltstack(&other, nullptr);
        handle(
            SIGSEGV, [](int, siginfo_t*, void*) { _exit(3); }, SA_ONSTACK);
        asm volatile("movq $16, %rsp\n\tpushq %rax");
        return 7;
    });
    ktap.check(WIFEXITED(saved) && WEXITSTATUS(saved) == 3, "status %#x", saved);
    ktap.test("a stack overflow is caught on the alternate stack, and only there");
}

} // namespace tollgate::conform
