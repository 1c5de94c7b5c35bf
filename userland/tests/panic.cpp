// Cases that a sound kernel answers with a panic: `test-panic CASE`, one boot each. The harness expects the panic and
// its message; if the kernel goes on, this program says so and fails.
#include <cstdio>
#include <cstring>
#include <sys/mman.h>

#include "userland/tests/support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;

struct Case {
    const char* name;
    api::Probe operation;
    /// Whether AC = 1 when the kernel is entered: the kernel must clear it, or SMAP would not bite [threats E2, P7].
    bool alignment_check;
};

constexpr Case kCases[] = {
    {"stack", api::Probe::OverflowStack, false},         // I8
    {"text", api::Probe::WriteKernelText, false},        // M1
    {"null", api::Probe::NullDereference, false},        // a plain kernel bug
    {"smap", api::Probe::ReadUserNoStac, false},         // P7
    {"smap-ac", api::Probe::ReadUserNoStac, true},       // E2, through SYSCALL
    {"smap-ac-int80", api::Probe::ReadUserNoStac, true}, // E2, through the IDT
    {"smep", api::Probe::ExecUser, false},               // M3
};

/// A page that user code may read and execute: MOV EAX, 42; RET.
uint64_t code_page() {
    void* const page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return 0;
    std::memcpy(page, "\xb8\x2a\x00\x00\x00\xc3", 6);
    return mprotect(page, kPage, PROT_READ | PROT_EXEC) == 0 ? reinterpret_cast<uint64_t>(page) : 0;
}

} // namespace

int main(int argc, char** argv) {
    const uint64_t page = code_page();
    for (const Case& known : kCases) {
        if (argc < 2 || page == 0 || std::strcmp(argv[1], known.name) != 0)
            continue;
        Registers in = patterned(api::kSysProbe, static_cast<uint64_t>(known.operation), page);
        if (known.alignment_check)
            in.flags |= kAc;
        const bool through_idt = std::strstr(known.name, "int80") != nullptr;
        const Registers out = through_idt ? cross_by_int80(in) : cross_by_syscall(in);
        std::printf("test-panic: %s: the kernel went on and returned %#llx\n", known.name,
                    static_cast<unsigned long long>(out.rax));
        return 1;
    }
    std::printf("test-panic: which case? (or no memory)\n");
    return 2;
}
