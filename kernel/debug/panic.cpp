// Writes straight to the console without locks: whoever holds one may be the culprit. A second panic while reporting
// ends at once.
#include "debug/panic.h"

#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "cpu/layout.h"
#include "cpu/user_copy.h"
#include "debug/log.h"
#include "debug/symbols.h"
#include "lib/assert.h"
#include "lib/fixed_string.h"

namespace tollgate {
namespace {

constinit PanicHooks hooks{};
constinit Atomic<u32> panicking{0};

class PanicSink : public Sink {
public:
    void write(StringView text) override { console_write_unlocked(text); }
};

template <class... Args>
void print(FormatString<std::type_identity_t<Args>...> text, const Args&... args) {
    PanicSink sink;
    const FormatArg erased[sizeof...(Args) + 1] = {detail::make_format_arg(args)..., FormatArg{}};
    format_args(sink, text.text(), std::span<const FormatArg>(erased, sizeof...(Args)));
}

struct ExceptionText {
    const char* name;
    const char* advice;
};

constexpr ExceptionText kExceptions[32] = {
    {"#DE divide error", "a division by zero or an overflowing quotient"},
    {"#DB debug exception", "a breakpoint register or TF was set while the kernel ran"},
    {"NMI", "the machine raised a non-maskable interrupt"},
    {"#BP breakpoint", "an int3 in the kernel: run under gdb"},
    {"#OF overflow", ""},
    {"#BR bound range", ""},
    {"#UD invalid opcode", "a failed compiler check (ud2) or an instruction that this CPU lacks: try -cpu max"},
    {"#NM no FPU", "the kernel touched vector registers"},
    {"#DF double fault",
     "a fault could not be delivered: look at rsp, most likely a stack overflow or a bad stack switch"},
    {"vector 9", ""},
    {"#TS invalid TSS", ""},
    {"#NP segment not present", ""},
    {"#SS stack fault", "a non-canonical stack address"},
    {"#GP general protection",
     "a non-canonical address, a reserved bit in an MSR or control register, or a bad selector"},
    {"#PF page fault", ""},
    {"vector 15", ""},
    {"#MF x87 error", ""},
    {"#AC alignment check", ""},
    {"#MC machine check", "the hardware reports an error of its own"},
    {"#XM SIMD error", ""},
    {"#VE virtualisation", ""},
    {"#CP control protection", ""}};

void begin() {
    x86::cli();
    if (panicking.exchange(1, kAcqRel) != 0) {
        if (!this_cpu().in_panic)
            x86::halt_forever(); // another CPU is reporting
        print("\n[panic] a second failure while reporting the first\n");
        if (hooks.end)
            hooks.end();
        x86::halt_forever();
    }
    this_cpu().in_panic = true;
    if (hooks.stop_others)
        hooks.stop_others();
}

void print_address(u64 address) {
    const Symbol symbol = find_symbol(address);
    if (symbol.name.empty())
        print("    {:#018x}\n", address);
    else
        print("    {:#018x} {}+{:#x}\n", address, symbol.name, symbol.offset);
}

/// Frame pointers, as long as they go up and stay on one stack.
void print_backtrace(u64 rip, u64 rbp) {
    print("backtrace:\n");
    if (rip != 0)
        print_address(rip);
    for (int depth = 0; depth < 24; ++depth) {
        const bool plausible = rbp >= kKernelSpace && rbp % 8 == 0 && rbp < ~u64{15};
        if (!plausible)
            return;
        u64 caller, next; // user code's rbp may look like a frame of ours
        if (!kernel_read(rbp + 8, &caller) || !kernel_read(rbp, &next) || !is_kernel_text(caller))
            return;
        print_address(caller - 1);
        if (next <= rbp || next - rbp > 65536)
            return;
        rbp = next;
    }
}

[[noreturn]] void finish() {
    if (hooks.describe) {
        PanicSink sink;
        hooks.describe(sink);
    }
    print("try: run again with --gdb, or nm/addr2line on the addresses above; lock ranks held: {:#x}\n",
          this_cpu().lock_ranks);
    if (hooks.end)
        hooks.end();
    x86::halt_forever();
}

const char* where_is(u64 address) {
    if (address < 4096)
        return "a null pointer";
    if (address < kDirectMap)
        return "a user or non-canonical address";
    if (address < kDirectMapEnd)
        return "the direct map";
    if (address >= kKernelSpace && address < kKernelSpaceEnd)
        return "the kernel space: a guard page means a stack overflow";
    if (address >= kEntryAreas && address < kEntryAreas + kMaxCpus * kEntryAreaSize)
        return "a CPU's entry area";
    if (address >= kFastcallSpace)
        return "the fastcall space";
    if (address >= kKernelBase)
        return "the kernel image";
    return "nowhere";
}

} // namespace

void set_panic_hooks(const PanicHooks& new_hooks) { hooks = new_hooks; }

const char* exception_name(u64 vector) {
    return vector < 32 && kExceptions[vector].name ? kExceptions[vector].name : "interrupt";
}

void panic_line(StringView format, std::span<const FormatArg> args) {
    begin();
    print("\n[panic] ");
    PanicSink sink;
    format_args(sink, format, args);
    print(" (cpu {})\n", this_cpu().number);
    print_backtrace(0, reinterpret_cast<u64>(__builtin_frame_address(0)));
    finish();
}

void panic_exception(TrapFrame& f, u64 address) {
    begin();
    print("\n[panic] {}, vector {}, error {:#x} (cpu {})\n", exception_name(f.vector), f.vector, f.error,
          this_cpu().number);
    if (f.vector == kVectorPf) {
        print("  {} of {:#018x}: {}, {} page, {}{}\n",
              f.error & kPfFetch   ? "execution"
              : f.error & kPfWrite ? "write"
                                   : "read",
              address, where_is(address), f.error & kPfPresent ? "forbidden" : "missing",
              f.error & kPfUser ? "by user code" : "by the kernel",
              f.error & kPfReserved ? ", reserved bit set in a page table" : "");
        if (address < kDirectMap && f.error & kPfPresent && !(f.error & kPfFetch))
            print("  SMAP: user memory touched outside user_copy\n");
        if (address < kDirectMap && f.error & kPfPresent && f.error & kPfFetch)
            print("  SMEP: user memory executed by the kernel\n");
    } else if (f.vector < 32 && kExceptions[f.vector].advice && kExceptions[f.vector].advice[0]) {
        print("  usual cause: {}\n", kExceptions[f.vector].advice);
    }
    print("  rip {:#018x} cs {:#x} rflags {:#x} rsp {:#018x} ss {:#x}\n", f.rip, f.cs, f.rflags, f.rsp, f.ss);
    print("  rax {:#018x} rbx {:#018x} rcx {:#018x} rdx {:#018x}\n", f.rax, f.rbx, f.rcx, f.args[2]);
    print("  rsi {:#018x} rdi {:#018x} rbp {:#018x} r8  {:#018x}\n", f.args[1], f.args[0], f.rbp, f.args[4]);
    print("  r9  {:#018x} r10 {:#018x} r11 {:#018x} r12 {:#018x}\n", f.args[5], f.args[3], f.r11, f.r12);
    print("  r13 {:#018x} r14 {:#018x} r15 {:#018x} cr3 {:#018x} cr4 {:#x}\n", f.r13, f.r14, f.r15, x86::read_cr3(),
          x86::read_cr4());
    if (!f.from_user())
        print_backtrace(f.rip, f.rbp);
    finish();
}

void assertion_failed(const char* expression, SourceLocation where) {
    panic("assertion failed: {} in {} ({}:{})", expression, where.function_name(), where.file_name(), where.line());
}

} // namespace tollgate

// libstdc++'s _GLIBCXX_ASSERTIONS (span, array, optional) end here; the stack protector below.
namespace std {
void __glibcxx_assert_fail(const char* file, int line, const char* function, const char* condition) noexcept {
    tollgate::panic("library assertion failed: {} in {} ({}:{})", condition, function, file, line);
}
} // namespace std

extern "C" [[noreturn]] void __stack_chk_fail() { tollgate::panic("stack protector: a local buffer was overrun"); }
