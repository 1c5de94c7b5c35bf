// What user code may leave in RFLAGS when it enters the kernel, and instructions it may not execute: threats E1-E4, E8,
// E9 and E11.
#include <cerrno>
#include <cpuid.h>
#include <csignal>
#include <cstdio>
#include <sys/mman.h>
#include <unistd.h>

#include "userland/lib/ktap.h"
#include "userland/tests/support.h"

/// INT n for every n, eight bytes apart.
extern "C" const char int_stubs[];

namespace {

using namespace tollgate;
using namespace tollgate::test;
using api::Probe;

using Crossing = Registers (*)(const Registers&);

struct NamedCrossing {
    const char* name;
    Crossing cross;
};
constexpr NamedCrossing kCrossings[] = {{"native", cross_by_syscall}, {"int80", cross_by_int80}};

bool has_smap() {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b >> 20 & 1) != 0;
}
bool has_umip() {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c >> 2 & 1) != 0;
}

/// A call with `flags` set on the way in.
Registers call_with_flags(Crossing cross, uint64_t flags, uint64_t number, uint64_t a = 0, uint64_t b = 0) {
    Registers in = patterned(number, a, b);
    in.flags |= flags;
    return cross(in);
}

// --- victims: one instruction each

alignas(16) unsigned char memory_operand[64];

#define INSTRUCTION(name, text)                                                                                        \
    int name(uint64_t) {                                                                                               \
        asm volatile(text : "+m"(memory_operand) : "a"(0L), "c"(0xc0000080L), "d"(0x3f8L) : "memory", "rbx", "cc");    \
        return kSurvived;                                                                                              \
    }
INSTRUCTION(run_cli, "cli")
INSTRUCTION(run_sti, "sti")
INSTRUCTION(run_hlt, "hlt")
INSTRUCTION(run_in, "inb %%dx, %%al")
INSTRUCTION(run_out, "outb %%al, %%dx")
INSTRUCTION(run_rep_outs, "leaq %0, %%rsi\n\tmovl $1, %%ecx\n\trep outsb")
INSTRUCTION(run_lgdt, "lgdt %0")
INSTRUCTION(run_lidt, "lidt %0")
INSTRUCTION(run_lldt, "lldt %%ax")
INSTRUCTION(run_ltr, "ltr %%ax")
INSTRUCTION(run_rdmsr, "rdmsr")
INSTRUCTION(run_wrmsr, "wrmsr")
INSTRUCTION(run_read_cr0, "movq %%cr0, %%rbx")
INSTRUCTION(run_write_cr0, "movq %%rax, %%cr0")
INSTRUCTION(run_read_cr3, "movq %%cr3, %%rbx")
INSTRUCTION(run_write_cr3, "movq %%rax, %%cr3")
INSTRUCTION(run_write_cr4, "movq %%rax, %%cr4")
INSTRUCTION(run_write_cr8, "movq %%rax, %%cr8")
INSTRUCTION(run_read_dr7, "movq %%dr7, %%rbx")
INSTRUCTION(run_write_dr0, "movq %%rax, %%dr0")
INSTRUCTION(run_clts, "clts")
INSTRUCTION(run_lmsw, "lmsw %%ax")
INSTRUCTION(run_swapgs, "swapgs")
INSTRUCTION(run_sysret, "sysretq")
INSTRUCTION(run_sysexit, "sysexitl")
INSTRUCTION(run_invlpg, "invlpg %0")
INSTRUCTION(run_invd, "invd")
INSTRUCTION(run_wbinvd, "wbinvd")
INSTRUCTION(run_clac, "clac")
INSTRUCTION(run_stac, "stac")
INSTRUCTION(run_xsetbv, "xsetbv")
INSTRUCTION(run_rdpmc, "rdpmc")
INSTRUCTION(run_ud2, "ud2")
// IRET to rings and segments that are not the user's [threats I6]
INSTRUCTION(run_iret_kernel,
            "pushq $0x18\n\tpushq %%rsp\n\tpushfq\n\tpushq $0x10\n\tleaq 1f(%%rip), %%rbx\n\tpushq %%rbx\n\tiretq\n1:")
INSTRUCTION(run_iret_ring0_code,
            "pushq $0x2b\n\tpushq %%rsp\n\tpushfq\n\tpushq $0x30\n\tleaq 1f(%%rip), %%rbx\n\tpushq %%rbx\n\tiretq\n1:")
INSTRUCTION(run_iret_null_code,
            "pushq $0x2b\n\tpushq %%rsp\n\tpushfq\n\tpushq $0\n\tleaq 1f(%%rip), %%rbx\n\tpushq %%rbx\n\tiretq\n1:")
INSTRUCTION(run_iret_null_stack,
            "pushq $0\n\tpushq %%rsp\n\tpushfq\n\tpushq $0x33\n\tleaq 1f(%%rip), %%rbx\n\tpushq %%rbx\n\tiretq\n1:")
INSTRUCTION(run_iret_kernel_stack,
            "pushq $0x18\n\tpushq %%rsp\n\tpushfq\n\tpushq $0x33\n\tleaq 1f(%%rip), %%rbx\n\tpushq %%rbx\n\tiretq\n1:")
INSTRUCTION(run_load_kernel_ss, "movl $0x18, %%ebx\n\tmovw %%bx, %%ss")
// What tells where the kernel keeps its tables [SDM vol 1, 2.1: UMIP]
INSTRUCTION(run_sgdt, "sgdt %0")
INSTRUCTION(run_sidt, "sidt %0")
INSTRUCTION(run_sldt, "sldt %%eax")
INSTRUCTION(run_str, "strl %%eax")
INSTRUCTION(run_smsw, "smsw %%eax")
INSTRUCTION(run_int3, "int3")
INSTRUCTION(run_into, ".byte 0xce")
INSTRUCTION(run_icebp, ".byte 0xf1")
#undef INSTRUCTION

asm(R"(
    .text
    .balign 8
    .globl int_stubs
int_stubs:
    n = 0
    .rept 256
    .balign 8
    .byte 0xcd, n
    ret
    n = n + 1
    .endr
)");

int run_int(uint64_t vector) {
    asm volatile("call *%0"
                 :
                 : "r"(int_stubs + 8 * vector)
                 : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
    return kSurvived;
}

/// Sets TF so that its first trap is due after the crossing instruction itself: bit 0 of `how` is the gate, bit 1 adds
/// NT.
int step_into_call(uint64_t how) {
    const uint64_t flags = kTf | (how & 2 ? kNt : 0);
    long number = SYS_getpid;
    if (how & 1)
        asm volatile("pushfq\n\torq %1, (%%rsp)\n\tpopfq\n\tint $0x80\n\tnop\n\tnop"
                     : "+a"(number)
                     : "r"(flags)
                     : "memory", "cc");
    else
        asm volatile("pushfq\n\torq %1, (%%rsp)\n\tpopfq\n\tsyscall\n\tnop\n\tnop"
                     : "+a"(number)
                     : "r"(flags)
                     : "rcx", "r11", "memory", "cc");
    return kSurvived;
}

int nested_task(uint64_t);

constexpr Victim kPrivileged[] = {
    {"cli", run_cli},
    {"sti", run_sti},
    {"hlt", run_hlt},
    {"in", run_in},
    {"out", run_out},
    {"rep outs", run_rep_outs},
    {"lgdt", run_lgdt},
    {"lidt", run_lidt},
    {"lldt", run_lldt},
    {"ltr", run_ltr},
    {"rdmsr", run_rdmsr},
    {"wrmsr", run_wrmsr},
    {"mov from cr0", run_read_cr0},
    {"mov to cr0", run_write_cr0},
    {"mov from cr3", run_read_cr3},
    {"mov to cr3", run_write_cr3},
    {"mov to cr4", run_write_cr4},
    {"mov to cr8", run_write_cr8},
    {"mov from dr7", run_read_dr7},
    {"mov to dr0", run_write_dr0},
    {"clts", run_clts},
    {"lmsw", run_lmsw},
    {"swapgs", run_swapgs},
    {"sysret", run_sysret},
    {"sysexit", run_sysexit},
    {"invlpg", run_invlpg},
    {"invd", run_invd},
    {"wbinvd", run_wbinvd},
    {"clac", run_clac},
    {"stac", run_stac},
    {"xsetbv", run_xsetbv},
    {"rdpmc", run_rdpmc},
    {"ud2", run_ud2},
};
constexpr Victim kForgedFrames[] = {
    {"iret to ring 0", run_iret_kernel},
    {"iret to user code with rpl 0", run_iret_ring0_code},
    {"iret to a null code segment", run_iret_null_code},
    {"iret to a null stack segment", run_iret_null_stack},
    {"iret to a kernel stack segment", run_iret_kernel_stack},
    {"mov to ss", run_load_kernel_ss},
};
constexpr Victim kTellingInstructions[] = {
    {"sgdt", run_sgdt}, {"sidt", run_sidt}, {"sldt", run_sldt}, {"str", run_str}, {"smsw", run_smsw},
};
constexpr Victim kOthers[] = {
    {"int3", run_int3}, {"into", run_into},       {"icebp", run_icebp},
    {"int", run_int},   {"step", step_into_call}, {"nested-task", nested_task},
};

// --- E1 to E4

// QEMU's TCG clears DF at SYSCALL whatever IA32_FMASK says: there, the kernel's own care shows through the IDT alone.
// AC it treats as hardware does.
void test_direction(Ktap& ktap) {
    for (const auto& [name, cross] : kCrossings) {
        const Registers out = call_with_flags(cross, kDf, api::kSysProbe, static_cast<uint64_t>(Probe::StringCopy));
        ktap.check(out.rax == 0, "%s: the kernel copied backwards (%lld)", name, static_cast<long long>(out.rax));
        ktap.check((out.flags & kDf) != 0, "%s: DF is lost", name);
        char line[64];
        std::snprintf(line, sizeof line, "E1 DF=1 through %s: kernel copies are right, DF restored", name);
        ktap.test(line);
    }
    // A page fault enters with DF = 1 too, and the kernel clears a page for it.
    auto* const pages =
        static_cast<uint64_t*>(mmap(nullptr, 16 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (unsigned i = 0; i < 16; ++i) {
        uint64_t flags, value;
        asm volatile("std\n\tmovq (%2), %1\n\tpushfq\n\tpopq %0\n\tcld"
                     : "=r"(flags), "=&r"(value)
                     : "r"(pages + i * kPage / 8 + 256)
                     : "memory", "cc");
        bool zero = true;
        for (unsigned word = 0; word < kPage / 8; ++word)
            zero &= pages[i * kPage / 8 + word] == 0;
        ktap.check((flags & kDf) != 0 && value == 0 && zero, "page %u: flags %#llx, zero %d", i,
                   static_cast<unsigned long long>(flags), zero);
    }
    munmap(pages, 16 * kPage);
    ktap.test("E1 DF=1 through a page fault: the page is zero, DF restored");
}

void test_alignment_check(Ktap& ktap) {
    for (const auto& [name, cross] : kCrossings) {
        char line[64];
        std::snprintf(line, sizeof line, "E2 AC=1 through %s: cleared in the kernel, kept for the user", name);
        if (!has_smap() && cross == cross_by_int80) {
            ktap.skip(line, "this CPU has no SMAP, and then nothing depends on AC");
            continue;
        }
        const Registers out = call_with_flags(cross, kAc, api::kSysProbe, static_cast<uint64_t>(Probe::ReadFlags));
        ktap.check(static_cast<int64_t>(out.rax) > 0, "no flags: %lld", static_cast<long long>(out.rax));
        ktap.check((out.rax & kAc) == 0, "AC = 1 in the kernel");
        ktap.check((out.flags & kAc) != 0, "AC is lost");
        ktap.test(line);
    }
}

/// E3 in a process of its own. IRET with NT = 1 is #GP: should the kernel run with it, this process ends.
int nested_task(uint64_t) {
    VictimChecks checks;
    const auto pid = static_cast<uint64_t>(getpid());
    for (const auto& [name, cross] : kCrossings) {
        for (const uint64_t flags : {kNt, kNt | kAc | kDf | kId, kAc | kDf | kOf | kCf}) {
            checks.expect(call_with_flags(cross, flags, SYS_getpid).rax == pid);
            checks.expect(call_with_flags(cross, flags, 500).rax == static_cast<uint64_t>(-ENOSYS));
        }
        const Registers inside =
            call_with_flags(cross, kNt | kDf, api::kSysProbe, static_cast<uint64_t>(Probe::ReadFlags));
        checks.expect((inside.rax & (kNt | kDf | kTf | kIopl)) == 0);
    }
    return checks.result();
}

void test_nested_task(Ktap& ktap) {
    const int nested = run_victim("nested-task");
    ktap.check(exited_with(nested, 0), "%s", describe(nested));
    ktap.test("E3 NT=1: calls work through both gates");
    for (const uint64_t how : {2, 3}) {
        const int status = run_victim("step", how);
        ktap.check(killed_by(status, {SIGTRAP}), "%s", describe(status));
    }
    ktap.test("E3 NT=1 and TF=1: one trap in user code");
}

void test_single_step(Ktap& ktap) {
    for (const uint64_t how : {0, 1}) {
        const int status = run_victim("step", how);
        ktap.check(killed_by(status, {SIGTRAP}), "%s: %s", how ? "int80" : "native", describe(status));
    }
    ktap.test("E4 TF=1 across a call: a trap in user code, the kernel is not stepped");
}

// --- E8, E9, E11, I6

void test_software_interrupts(Ktap& ktap) {
    // From the top down, and no further than the first that works: the exceptions' handlers would find a forged frame.
    for (unsigned vector = 256; vector-- > 0;) {
        // The device and IPI vectors all have one kind of gate: a few stand for them.
        if (vector == 0x80 || (vector > 0x22 && vector < 0x7e) || (vector > 0x82 && vector < 0xee))
            continue;
        const int status = run_victim("int", vector);
        const bool good =
            vector == 3 || vector == 4 ? killed_by(status, {SIGTRAP, SIGSEGV}) : killed_by(status, {SIGSEGV});
        if (!ktap.check(good, "int %#x: %s", vector, describe(status)))
            break;
    }
    ktap.test("E8 int n: every vector but 0x80 is refused");
    int status = run_victim("int3");
    ktap.check(killed_by(status, {SIGTRAP, SIGSEGV}), "int3: %s", describe(status));
    status = run_victim("into");
    ktap.check(killed_by(status, {SIGILL}), "into: %s", describe(status));
    status = run_victim("icebp"); // #DB on hardware, #UD on TCG
    ktap.check(killed_by(status, {SIGTRAP, SIGILL}), "icebp: %s", describe(status));
    ktap.test("E8 int3, into, icebp: killed");
}

void test_list(Ktap& ktap, std::span<const Victim> victims, const char* name) {
    for (const Victim& victim : victims) {
        const int status = run_victim(victim.name);
        ktap.check(killed_by(status, {SIGSEGV, SIGILL, SIGBUS}), "%s: %s", victim.name, describe(status));
    }
    ktap.test(name);
}

void test_popf(Ktap& ktap) {
    for (const uint64_t wanted : {kFixed, kFixed | kIopl, kFixed | kVif | kVip, kFixed | kVm | kIopl}) {
        uint64_t got;
        asm volatile("pushq %1\n\tpopfq\n\tpushfq\n\tpopq %0\n\tcld" : "=r"(got) : "r"(wanted) : "memory", "cc");
        ktap.check((got & kIf) != 0 && (got & (kIopl | kVif | kVip | kVm)) == 0, "popf %#llx gave %#llx",
                   static_cast<unsigned long long>(wanted), static_cast<unsigned long long>(got));
    }
    ktap.test("E11 popf cannot change IF or IOPL");
}

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kPrivileged, kForgedFrames, kTellingInstructions, kOthers});
    Ktap ktap(14);
    test_direction(ktap);
    test_alignment_check(ktap);
    test_nested_task(ktap);
    test_single_step(ktap);
    test_software_interrupts(ktap);
    test_list(ktap, kPrivileged, "E9 privileged instructions: killed");
    test_list(ktap, kForgedFrames, "I6 forged iret frames: killed");
    constexpr const char* kTelling = "E10 sgdt, sidt, sldt, str, smsw: killed";
    if (has_umip())
        test_list(ktap, kTellingInstructions, kTelling);
    else
        ktap.skip(kTelling, "this CPU has no UMIP");
    test_popf(ktap);
    return ktap.finish();
}
