// See support.h.
#include "userland/tests/support.h"

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

namespace tollgate::test {

namespace {

/// Set by play_victim(): how this program is called.
const char* own_path = "/proc/self/exe";

} // namespace

void play_victim(int argc, char** argv, std::initializer_list<std::span<const Victim>> lists) {
    if (argc > 0 && argv[0][0] == '/')
        own_path = argv[0];
    if (argc < 4 || std::strcmp(argv[1], "victim") != 0)
        return;
    for (const auto victims : lists)
        for (const Victim& victim : victims)
            if (std::strcmp(victim.name, argv[2]) == 0)
                _exit(victim.run(std::strtoull(argv[3], nullptr, 0)));
    _exit(98);
}

int start_victim(const char* name, uint64_t argument) {
    char text[24];
    std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(argument));
    char* const arguments[] = {const_cast<char*>(own_path), const_cast<char*>("victim"), const_cast<char*>(name), text,
                               nullptr};
    char* const environment[] = {nullptr};
    const int child = vfork();
    if (child == 0) {
        execve(own_path, arguments, environment);
        _exit(97);
    }
    return child;
}

int start_program(const char* path, const char* first, const char* second) {
    char* const arguments[] = {const_cast<char*>(path), const_cast<char*>(first), const_cast<char*>(second), nullptr};
    char* const environment[] = {nullptr};
    const int child = vfork();
    if (child == 0) {
        execve(path, arguments, environment);
        _exit(97);
    }
    return child;
}

const char* sibling(const char* name) {
    static char path[256];
    const char* const slash = std::strrchr(own_path, '/');
    const int directory = slash ? static_cast<int>(slash - own_path) : 0;
    std::snprintf(path, sizeof path, "%.*s/%s", directory, own_path, name);
    return path;
}

int wait_status(int child) {
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

int run_victim(const char* name, uint64_t argument) { return wait_status(start_victim(name, argument)); }

bool VictimChecks::expect(bool good, std::source_location where) {
    if (!good && !failed_) {
        failed_ = true;
        dprintf(STDOUT_FILENO, "# %s:%u: a check of this child failed\n", where.file_name(), where.line());
    }
    return good;
}

bool killed_by(int status, std::initializer_list<int> signals) {
    for (const int signal : signals)
        if (status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == signal)
            return true;
    return false;
}

bool exited_with(int status, int code) { return status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == code; }

const char* describe(int status) {
    static char text[32];
    if (status == -1)
        return "no child";
    if (WIFSIGNALED(status))
        std::snprintf(text, sizeof text, "signal %d", WTERMSIG(status));
    else
        std::snprintf(text, sizeof text, "exit %d", WEXITSTATUS(status));
    return text;
}

void let_others_run(unsigned rounds) {
    for (unsigned i = 0; i < rounds; ++i)
        Native::call(SYS_sched_yield);
}

// --- crossings

extern "C" {
/// Fixed memory, so that no register has to point to anything while the crossing happens.
Registers cross_in, cross_out;
uint64_t cross_stack;
void cross_syscall();
void cross_int80();
extern const char cross_syscall_next[];
}
static_assert(offsetof(Registers, rsp) == 56 && offsetof(Registers, r15) == 120 && offsetof(Registers, flags) == 128);

asm(R"(
    .macro CROSSING name, instruction
    .text
    .globl \name, \name\()_next
\name:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushfq
    movq %rsp, cross_stack(%rip)
    pushq cross_in+128(%rip)
    movq cross_in+8(%rip), %rbx
    movq cross_in+16(%rip), %rcx
    movq cross_in+24(%rip), %rdx
    movq cross_in+32(%rip), %rsi
    movq cross_in+40(%rip), %rdi
    movq cross_in+48(%rip), %rbp
    movq cross_in+64(%rip), %r8
    movq cross_in+72(%rip), %r9
    movq cross_in+80(%rip), %r10
    movq cross_in+88(%rip), %r11
    movq cross_in+96(%rip), %r12
    movq cross_in+104(%rip), %r13
    movq cross_in+112(%rip), %r14
    movq cross_in+120(%rip), %r15
    movq cross_in(%rip), %rax
    popfq
    movq cross_in+56(%rip), %rsp
    \instruction
\name\()_next:
    movq %rsp, cross_out+56(%rip)
    movq cross_stack(%rip), %rsp
    pushfq
    popq cross_out+128(%rip)
    popfq
    cld
    movq %rax, cross_out(%rip)
    movq %rbx, cross_out+8(%rip)
    movq %rcx, cross_out+16(%rip)
    movq %rdx, cross_out+24(%rip)
    movq %rsi, cross_out+32(%rip)
    movq %rdi, cross_out+40(%rip)
    movq %rbp, cross_out+48(%rip)
    movq %r8, cross_out+64(%rip)
    movq %r9, cross_out+72(%rip)
    movq %r10, cross_out+80(%rip)
    movq %r11, cross_out+88(%rip)
    movq %r12, cross_out+96(%rip)
    movq %r13, cross_out+104(%rip)
    movq %r14, cross_out+112(%rip)
    movq %r15, cross_out+120(%rip)
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
    .endm
    CROSSING cross_syscall, syscall
    CROSSING cross_int80, "int $0x80"
)");

Registers cross_by_syscall(const Registers& in) {
    cross_in = in;
    cross_syscall();
    return cross_out;
}

Registers cross_by_int80(const Registers& in) {
    cross_in = in;
    cross_int80();
    return cross_out;
}

uint64_t address_after_syscall() { return reinterpret_cast<uint64_t>(cross_syscall_next); }

Registers patterned(uint64_t number, uint64_t a, uint64_t b, uint64_t c) {
    alignas(16) static char stack[4096];
    Registers in{};
    in.rax = number;
    in.rbx = 0x1b1b1b1b1b1b1b1b;
    in.rcx = 0x1c1c1c1c1c1c1c1c;
    in.rdi = a;
    in.rsi = b;
    in.rdx = c;
    in.r10 = 0x1010101010101010;
    in.r8 = 0x0808080808080808;
    in.r9 = 0x0909090909090909;
    in.r11 = 0x1111111111111111;
    in.r12 = 0x1212121212121212;
    in.r13 = 0x1313131313131313;
    in.r14 = 0x1414141414141414;
    in.r15 = 0x1515151515151515;
    in.rbp = 0x1e1e1e1e1e1e1e1e;
    in.rsp = reinterpret_cast<uint64_t>(stack + sizeof stack - 64);
    in.flags = kIf | kFixed;
    return in;
}

} // namespace tollgate::test
