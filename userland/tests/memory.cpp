// The memory map: threats M1 (page tables), M2 (no execution of data), M4 (what the kernel maps cannot be taken away),
// M7 (hostile ELF files).
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <initializer_list>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/fastcall.h"
#include "userland/lib/gate_fastcall.h"
#include "userland/lib/ktap.h"
#include "userland/tests/flexsc_pages.h"
#include "userland/tests/support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;
using api::Probe;

constexpr int kPrivate = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr unsigned char kReturn = 0xc3;

char* map(size_t size, int rights) {
    void* const memory = mmap(nullptr, size, rights, kPrivate, -1, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

// --- M1

void check_tables(Ktap& ktap, const char* when) {
    const long problems = probe(Probe::CheckPageTables);
    ktap.check(problems == 0, "%s: %ld violations", when, problems);
}

/// Whatever this asks for, nothing may ever be writable and executable.
void test_write_or_execute(Ktap& ktap) {
    constexpr int kAll = PROT_READ | PROT_WRITE | PROT_EXEC;
    for (const int rights : {kAll, PROT_WRITE | PROT_EXEC}) {
        void* const memory = mmap(nullptr, kPage, rights, kPrivate, -1, 0);
        ktap.check(memory == MAP_FAILED, "mmap gave memory with rights %d", rights);
        if (memory != MAP_FAILED) {
            *static_cast<volatile unsigned char*>(memory) = kReturn; // there now, for the walk over the tables
            check_tables(ktap, "with that memory");
            munmap(memory, kPage);
        }
        char* const page = map(kPage, PROT_READ | PROT_WRITE);
        page[0] = static_cast<char>(kReturn);
        ktap.check(mprotect(page, kPage, rights) != 0, "mprotect gave rights %d", rights);
        ktap.check(probe(Probe::UserExecutable, reinterpret_cast<uint64_t>(page)) == 0,
                   "a writable page is executable");
        munmap(page, kPage);
    }
    ktap.test("M1 writable and executable memory cannot be had");
}

void test_page_tables(Ktap& ktap) {
    check_tables(ktap, "at the start");
    char* const memory = map(8 * kPage, PROT_READ | PROT_WRITE);
    std::memset(memory, 1, 8 * kPage);
    check_tables(ktap, "with data");
    mprotect(memory + kPage, kPage, PROT_READ);
    mprotect(memory + 2 * kPage, kPage, PROT_READ | PROT_EXEC);
    mprotect(memory + 3 * kPage, kPage, PROT_NONE);
    munmap(memory + 4 * kPage, kPage);
    check_tables(ktap, "after mprotect and munmap");
    ktap.check(probe(Probe::UserExecutable, reinterpret_cast<uint64_t>(memory)) == 0, "data is executable");
    ktap.check(probe(Probe::UserExecutable, reinterpret_cast<uint64_t>(memory) + 2 * kPage) == 1,
               "text is not executable");
    ktap.check(probe(Probe::UserExecutable, reinterpret_cast<uint64_t>(&memory)) == 0, "the stack is executable");
    const auto vdso = getauxval(AT_SYSINFO_EHDR);
    ktap.check(probe(Probe::UserExecutable, vdso) == 1, "the vDSO is not executable");
    ktap.check(probe(Probe::UserExecutable, vdso - kPage) == 0, "the vDSO's numbers are executable");
    munmap(memory, 8 * kPage);
    const int device = open(api::kFastcallDevice, O_RDONLY);
    api::FastcallArrayIoctl array{};
    ktap.check(Native::call(SYS_ioctl, device, api::kFastcallIoctlArray, &array) == 0,
               "no fastcall could be registered");
    check_tables(ktap, "with a fastcall and its data");
    close(device);
    ktap.test("M1 page tables: no W+X, no user page in the kernel half");
}

// --- M2

int run_code_at(uint64_t address) {
    *reinterpret_cast<volatile unsigned char*>(address) = kReturn;
    asm volatile("call *%0" : : "r"(address) : "memory");
    return kSurvived;
}

int execute_stack(uint64_t) {
    unsigned char buffer[64];
    return run_code_at(reinterpret_cast<uint64_t>(buffer));
}
int execute_heap(uint64_t) { return run_code_at(reinterpret_cast<uint64_t>(std::malloc(64))); }
int execute_break(uint64_t) { return run_code_at(reinterpret_cast<uint64_t>(sbrk(4096))); }
int execute_mapping(uint64_t) { return run_code_at(reinterpret_cast<uint64_t>(map(kPage, PROT_READ | PROT_WRITE))); }
int execute_data(uint64_t) {
    static unsigned char buffer[64] = {1};
    return run_code_at(reinterpret_cast<uint64_t>(buffer));
}
int write_text(uint64_t) {
    *reinterpret_cast<volatile unsigned char*>(&execute_data) = kReturn;
    return kSurvived;
}
/// The other direction: code that was made properly runs.
int execute_code(uint64_t) {
    char* const page = map(kPage, PROT_READ | PROT_WRITE);
    page[0] = static_cast<char>(kReturn);
    if (mprotect(page, kPage, PROT_READ | PROT_EXEC) != 0)
        return 1;
    asm volatile("call *%0" : : "r"(page) : "memory");
    return 0;
}

void test_execution(Ktap& ktap) {
    for (const char* name : {"stack", "heap", "break", "mapping", "data", "write-text"}) {
        const int status = run_victim(name);
        ktap.check(killed_by(status, {SIGSEGV}), "%s: %s", name, describe(status));
    }
    const int status = run_victim("code");
    ktap.check(exited_with(status, 0), "proper code: %s", describe(status));
    ktap.test("M2 stack, heap and data cannot be executed, text cannot be written");
}

// --- M4

/// Every call that could take a range away or lay something over it, and that the range is still what it was.
void attack_range(Ktap& ktap, const char* what, uint64_t address, uint64_t length) {
    void* const start = reinterpret_cast<void*>(address);
    ktap.check(mmap(start, length, PROT_READ | PROT_WRITE, kPrivate | MAP_FIXED, -1, 0) == MAP_FAILED,
               "%s: MAP_FIXED over it", what);
    ktap.check(mmap(start, length, PROT_READ | PROT_WRITE, kPrivate | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED,
               "%s: MAP_FIXED_NOREPLACE over it", what);
    ktap.check(munmap(start, length) != 0, "%s: munmap", what);
    ktap.check(mprotect(start, length, PROT_READ | PROT_EXEC) != 0, "%s: mprotect to executable", what);
    ktap.check(mprotect(start, length, PROT_NONE) != 0, "%s: mprotect to nothing", what);
    ktap.check(Native::call(SYS_mremap, start, length, 2 * length, MREMAP_MAYMOVE) < 0, "%s: mremap", what);
    // A range that begins with memory of ours and runs into it.
    if (address < kUserTop) {
        ktap.check(munmap(static_cast<char*>(start) - kPage, length + kPage) != 0, "%s: munmap across its start", what);
        ktap.check(mmap(static_cast<char*>(start) - kPage, length + kPage, PROT_READ, kPrivate | MAP_FIXED, -1, 0) ==
                       MAP_FAILED,
                   "%s: MAP_FIXED across its start", what);
    }
}

// The loader's layout (kernel/task/user_stack.h): one page below the top, 8 MiB of stack, 64 KiB that can never be
// mapped.
constexpr uint64_t kStackBottom = kUserTop - kPage - (8 << 20);

int touch_stack_guard(uint64_t distance) {
    *reinterpret_cast<volatile char*>(kStackBottom - distance) = 1;
    return kSurvived;
}
int use_whole_stack(uint64_t) {
    for (uint64_t address = kStackBottom; address < kUserTop - 64 * kPage; address += kPage)
        *reinterpret_cast<volatile char*>(address) = 1;
    return 0;
}

void test_kernel_mappings(Ktap& ktap) {
    const auto gate = Flexsc::open(api::FlexscPolicy::Own);
    if (ktap.check(gate.has_value(), "flexsc_register failed")) {
        attack_range(ktap, "syscall page", reinterpret_cast<uint64_t>(&gate->entry(0)), kPage);
        ktap.check(gate->call(SYS_getppid) == getppid(), "the syscall page does not work any more");
    }
    ktap.test("M4 a syscall page cannot be unmapped, replaced or reprotected");

    attack_range(ktap, "stack guard", kStackBottom - 16 * kPage, 16 * kPage);
    attack_range(ktap, "the guard's last page", kStackBottom - kPage, kPage);
    for (const uint64_t distance : {uint64_t{1}, kPage, 15 * kPage}) {
        const int status = run_victim("guard", distance);
        ktap.check(killed_by(status, {SIGSEGV}), "a write %llu bytes below the stack: %s",
                   static_cast<unsigned long long>(distance), describe(status));
    }
    const int status = run_victim("whole-stack");
    ktap.check(exited_with(status, 0), "the whole stack: %s", describe(status));
    ktap.test("M4 the stack guard cannot be unmapped, replaced or touched");

    attack_range(ktap, "the top of user space", kUserTop, kPage);
    attack_range(ktap, "the direct map", 0xffff800000000000, kPage);
    attack_range(ktap, "the kernel's text", 0xffffffff80000000, kPage);
    attack_range(ktap, "an entry area", 0xfffffe8000000000, kPage);
    attack_range(ktap, "the fastcall table", 0xffffffffc0000000, kPage);
    attack_range(ktap, "the last page", 0xfffffffffffff000, kPage);
    ktap.check(munmap(nullptr, ~size_t{0} & ~(kPage - 1)) != 0, "munmap of everything");
    ktap.check(mprotect(nullptr, kUserTop, PROT_NONE) != 0, "mprotect of everything");
    ktap.test("M4 kernel addresses are no business of mmap, munmap, mprotect");
}

// --- M5

struct Reader {
    volatile char* page;
    std::atomic<int> phase{0}; ///< 1: it has read the old byte; 2: the page is another one now
    char seen = 0;
};

/// To one CPU, if the machine has that many.
void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

/// Keeps the old page in its core's TLB until it is told to look again.
void* read_again(void* argument) {
    pin(1);
    Reader& reader = *static_cast<Reader*>(argument);
    while (*reader.page != 1) {
    }
    reader.phase = 1;
    while (reader.phase != 2)
        reader.seen = *reader.page;
    reader.seen = *reader.page;
    return nullptr;
}

/// What another core has read of a page is not what it reads after the page was replaced. `replace` leaves a 2 there.
/// `reader` lies in shared memory: a fork must not put the two of them on different copies of it.
template <class Replace>
bool check_other_core(Ktap& ktap, Reader& reader, const char* what, Replace replace) {
    reader.phase = 0;
    char* const page = map(kPage, PROT_READ | PROT_WRITE);
    page[0] = 1;
    reader.page = page;
    pthread_t thread;
    if (!ktap.check(pthread_create(&thread, nullptr, read_again, &reader) == 0, "no thread"))
        return false;
    while (reader.phase != 1)
        sched_yield();
    // On one CPU each turn of the reader is a whole time slice, and its first has filled the TLB.
    static const bool alone = sysconf(_SC_NPROCESSORS_ONLN) == 1;
    let_others_run(alone ? 1 : 50);
    replace(page);
    reader.phase = 2;
    pthread_join(thread, nullptr);
    const bool right = ktap.check(reader.seen == 2, "%s: another core still sees %d", what, reader.seen);
    munmap(page, kPage);
    return right;
}

/// Ends at the first failure: whoever sees pages that are gone does not get far.
void test_other_cores(Ktap& ktap) {
    void* const shared = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    Reader& reader = *new (shared) Reader;
    cpu_set_t everywhere;
    sched_getaffinity(0, sizeof everywhere, &everywhere);
    pin(0);
    bool right = true;
    for (int i = 0; i < 20 && right; ++i) {
        right = check_other_core(ktap, reader, "MAP_FIXED", [](char* page) {
            char* const fresh = map(kPage, PROT_READ | PROT_WRITE);
            fresh[0] = 2;
            mremap(fresh, kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, page);
        });
        right = right && check_other_core(ktap, reader, "a copy after fork", [](char* page) {
                    const int child = fork();
                    if (child == 0) {
                        for (;;)
                            sched_yield();
                    }
                    page[0] = 2; // on a frame of its own now
                    kill(child, SIGKILL);
                    wait_status(child);
                    page[0] = 2;
                });
    }
    sched_setaffinity(0, sizeof everywhere, &everywhere);
    munmap(shared, kPage);
    ktap.test("M5 what another core remembers of a page goes with the page");
}

// --- M8

/// A child's writes stay with it, and the parent's with the parent; the frames come back.
void test_fork_copies(Ktap& ktap) {
    constexpr size_t kPages = 32;
    char* const memory = map(kPages * kPage, PROT_READ | PROT_WRITE);
    check_frames(ktap, [&] {
        for (int round = 0; round < 200; ++round) {
            std::memset(memory, 1, kPages * kPage);
            const int child = fork();
            if (child == 0) {
                for (size_t i = 0; i < kPages; ++i)
                    memory[i * kPage] = 2;
                _exit(probe(Probe::CheckPageTables) == 0 ? 5 : 6);
            }
            if (!ktap.check(child > 0, "fork: %d", child))
                return;
            memory[kPage] = 3;
            const int status = wait_status(child);
            ktap.check(exited_with(status, 5), "the child: %s", describe(status));
            ktap.check(memory[0] == 1 && memory[kPage] == 3 && memory[31 * kPage] == 1, "a child's byte came back");
        }
    });
    check_tables(ktap, "after fork");
    munmap(memory, kPages * kPage);
    ktap.test("M8 what a child writes after fork stays with it");
}

// --- M7

constexpr int kControlStatus = 42;
/// MOV EDI, 42; MOV EAX, 231; SYSCALL
constexpr unsigned char kCode[] = {0xbf, kControlStatus, 0, 0, 0, 0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05};
constexpr uint64_t kBase = 0x400000;

/// A whole program in less than a page, to be spoilt: a header, two segments (text, data), some code.
struct TinyProgram {
    Elf64_Ehdr header{};
    Elf64_Phdr segments[2]{};
    unsigned char code[sizeof kCode];

    TinyProgram() {
        std::memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = ELFCLASS64;
        header.e_ident[EI_DATA] = ELFDATA2LSB;
        header.e_ident[EI_VERSION] = EV_CURRENT;
        header.e_type = ET_EXEC;
        header.e_machine = EM_X86_64;
        header.e_version = EV_CURRENT;
        header.e_entry = kBase + offsetof(TinyProgram, code);
        header.e_phoff = offsetof(TinyProgram, segments);
        header.e_ehsize = sizeof header;
        header.e_phentsize = sizeof(Elf64_Phdr);
        header.e_phnum = 2;
        segments[0].p_type = segments[1].p_type = PT_LOAD;
        segments[0].p_flags = PF_R | PF_X;
        segments[0].p_vaddr = kBase;
        segments[0].p_filesz = segments[0].p_memsz = sizeof *this;
        segments[0].p_align = segments[1].p_align = kPage;
        segments[1].p_flags = PF_R | PF_W;
        segments[1].p_vaddr = kBase + 16 * kPage;
        segments[1].p_filesz = 16;
        segments[1].p_memsz = 3 * kPage;
        std::memcpy(code, kCode, sizeof code);
    }
};

constexpr const char* kProgramPath = "/tmp/tiny";

bool store_program(const void* bytes, size_t size) {
    const int file = open(kProgramPath, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    const bool stored = file >= 0 && write(file, bytes, size) == static_cast<ssize_t>(size);
    close(file);
    return stored;
}

/// What execve says (negative), or the program's own exit status; -1000 if it was killed.
int execute_program(const char* path) {
    static volatile int error;
    error = 0;
    char* const arguments[] = {const_cast<char*>(path), nullptr};
    const int child = vfork();
    if (child == 0) {
        error = static_cast<int>(Native::call(SYS_execve, path, arguments, arguments + 1));
        _exit(1);
    }
    const int status = wait_status(child);
    if (error != 0)
        return error;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1000;
}

struct Spoiler {
    const char* name;
    void (*spoil)(TinyProgram&);
};

constexpr Spoiler kSpoilers[] = {
    {"no magic", [](TinyProgram& p) { p.header.e_ident[0] = 0; }},
    {"32 bits", [](TinyProgram& p) { p.header.e_ident[EI_CLASS] = ELFCLASS32; }},
    {"big endian", [](TinyProgram& p) { p.header.e_ident[EI_DATA] = ELFDATA2MSB; }},
    {"another machine", [](TinyProgram& p) { p.header.e_machine = EM_AARCH64; }},
    {"an object file", [](TinyProgram& p) { p.header.e_type = ET_REL; }},
    {"a core file", [](TinyProgram& p) { p.header.e_type = ET_CORE; }},
    {"no program headers", [](TinyProgram& p) { p.header.e_phnum = 0; }},
    {"phnum 0xffff", [](TinyProgram& p) { p.header.e_phnum = 0xffff; }},
    {"phentsize 0", [](TinyProgram& p) { p.header.e_phentsize = 0; }},
    {"phentsize 1", [](TinyProgram& p) { p.header.e_phentsize = 1; }},
    {"phoff beyond the file", [](TinyProgram& p) { p.header.e_phoff = sizeof p; }},
    {"phoff wraps", [](TinyProgram& p) { p.header.e_phoff = ~uint64_t{0} - 16; }},
    {"an interpreter beyond the file",
     [](TinyProgram& p) { p.segments[1].p_type = PT_INTERP, p.segments[1].p_offset = ~uint64_t{0}; }},
    {"no segment to load", [](TinyProgram& p) { p.segments[0].p_type = p.segments[1].p_type = PT_NOTE; }},
    {"entry in the kernel", [](TinyProgram& p) { p.header.e_entry = 0xffffffff80000000; }},
    {"entry non-canonical", [](TinyProgram& p) { p.header.e_entry = uint64_t{1} << 47; }},
    {"entry in no segment", [](TinyProgram& p) { p.header.e_entry = kBase + 8 * kPage; }},
    {"entry in data", [](TinyProgram& p) { p.header.e_entry = p.segments[1].p_vaddr; }},
    {"entry 0", [](TinyProgram& p) { p.header.e_entry = 0; }},
    {"writable text", [](TinyProgram& p) { p.segments[0].p_flags = PF_R | PF_W | PF_X; }},
    {"executable data", [](TinyProgram& p) { p.segments[1].p_flags = PF_R | PF_W | PF_X; }},
    {"the same address twice", [](TinyProgram& p) { p.segments[1].p_vaddr = kBase; }},
    {"two segments in one page", [](TinyProgram& p) { p.segments[1].p_vaddr = kBase + 2048; }},
    {"overlapping segments", [](TinyProgram& p) { p.segments[0].p_memsz = 32 * kPage; }},
    {"segments in falling order and overlapping", [](TinyProgram& p) { p.segments[1].p_vaddr = kBase - 2 * kPage; }},
    {"memory smaller than file", [](TinyProgram& p) { p.segments[1].p_memsz = 8; }},
    {"negative memory size", [](TinyProgram& p) { p.segments[1].p_memsz = ~uint64_t{0}; }},
    {"memory size wraps to the front", [](TinyProgram& p) { p.segments[1].p_memsz = ~uint64_t{0} - kBase; }},
    {"memory beyond the top", [](TinyProgram& p) { p.segments[1].p_memsz = uint64_t{1} << 47; }},
    {"huge memory", [](TinyProgram& p) { p.segments[1].p_memsz = uint64_t{1} << 46 | kPage; }},
    {"negative file size", [](TinyProgram& p) { p.segments[1].p_filesz = p.segments[1].p_memsz = ~uint64_t{0}; }},
    {"file bytes beyond the file", [](TinyProgram& p) { p.segments[1].p_filesz = kPage; }},
    {"file offset beyond the file", [](TinyProgram& p) { p.segments[1].p_offset = 64 * kPage; }},
    {"file offset wraps", [](TinyProgram& p) { p.segments[1].p_offset = ~uint64_t{0} & ~(kPage - 1); }},
    {"offset and address disagree", [](TinyProgram& p) { p.segments[1].p_offset = 8; }},
    {"address in the kernel", [](TinyProgram& p) { p.segments[1].p_vaddr = 0xffffffff80000000; }},
    {"address non-canonical", [](TinyProgram& p) { p.segments[1].p_vaddr = uint64_t{1} << 47; }},
    {"address at the top", [](TinyProgram& p) { p.segments[1].p_vaddr = kUserTop; }},
    {"address that ends beyond the top", [](TinyProgram& p) { p.segments[1].p_vaddr = kUserTop - kPage; }},
    {"over the stack", [](TinyProgram& p) { p.segments[1].p_vaddr = kUserTop - 64 * kPage; }},
    {"over the stack guard", [](TinyProgram& p) { p.segments[1].p_vaddr = kStackBottom - 4 * kPage; }},
    {"the null page", [](TinyProgram& p) { p.segments[1].p_vaddr = 0; }},
};

void test_programs(Ktap& ktap) {
    const TinyProgram good;
    const auto run_good = [&] { return store_program(&good, sizeof good) ? execute_program(kProgramPath) : -1001; };
    ktap.check(run_good() == kControlStatus, "the unspoilt program: %d", execute_program(kProgramPath));
    ktap.test("M7 control: the tiny program runs");

    for (const Spoiler& spoiler : kSpoilers) {
        TinyProgram program;
        spoiler.spoil(program);
        ktap.check(store_program(&program, sizeof program), "%s: cannot be stored", spoiler.name);
        const int result = execute_program(kProgramPath);
        ktap.check(result == -ENOEXEC || result == -ENOMEM, "%s: %d", spoiler.name, result);
    }
    ktap.test("M7 hostile headers: ENOEXEC");

    for (const size_t size : {0ul, 1ul, 4ul, 63ul, sizeof(Elf64_Ehdr), sizeof(Elf64_Ehdr) + 1,
                              sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr) - 1, sizeof good - 1}) {
        ktap.check(store_program(&good, size), "%zu bytes cannot be stored", size);
        const int result = execute_program(kProgramPath);
        ktap.check(result == -ENOEXEC, "the first %zu bytes: %d", size, result);
    }
    ktap.check(execute_program("/tmp") == -EACCES || execute_program("/tmp") == -EISDIR, "a directory: %d",
               execute_program("/tmp"));
    ktap.check(execute_program("/bin/no-such-program") == -ENOENT, "no such file: %d",
               execute_program("/bin/no-such-program"));
    ktap.check(run_good() == kControlStatus, "the unspoilt program afterwards");
    ktap.test("M7 truncated files: ENOEXEC");

    uint64_t random = 0x9e3779b97f4a7c15; // fixed, so that a failure can be repeated
    unsigned survived = 0;
    for (unsigned i = 0; i < 400; ++i) {
        TinyProgram program;
        auto* const bytes = reinterpret_cast<unsigned char*>(&program);
        for (unsigned flips = 0; flips < 1 + i % 3; ++flips) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            bytes[random % offsetof(TinyProgram, code)] ^= static_cast<unsigned char>(1u << (random >> 32) % 8);
        }
        if (!store_program(&program, sizeof program))
            break;
        const int result = execute_program(kProgramPath);
        ktap.check(result >= -1000, "round %u: %d", i, result); // some runs do start in the middle of the code
        survived += result == kControlStatus ? 1 : 0;
    }
    ktap.check(survived > 0, "no flip was harmless: nothing was tested");
    check_tables(ktap, "afterwards");
    ktap.test("M7 400 files with flipped bits: refused, killed or unharmed");
}

constexpr Victim kVictims[] = {
    {"stack", execute_stack},     {"heap", execute_heap},       {"break", execute_break},
    {"mapping", execute_mapping}, {"data", execute_data},       {"write-text", write_text},
    {"code", execute_code},       {"guard", touch_stack_guard}, {"whole-stack", use_whole_stack},
};

} // namespace

int main(int argc, char** argv) {
    // The tests name addresses, so they and the programs they start have a layout without chance.
    if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE)) {
        personality(ADDR_NO_RANDOMIZE);
        execv(argv[0], argv);
    }
    play_victim(argc, argv, {kVictims});
    Ktap ktap(12);
    test_page_tables(ktap);
    test_write_or_execute(ktap);
    test_execution(ktap);
    test_kernel_mappings(ktap);
    test_other_cores(ktap);
    test_fork_copies(ktap);
    test_programs(ktap);
    return ktap.finish();
}
