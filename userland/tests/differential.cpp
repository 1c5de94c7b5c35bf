// One call, every gate, one answer: each call of the list is made natively, by int 0x80, and through a syscall page,
// and results and what was written to memory are compared. Run once with the pages executed by our own core and once
// (in processes of their own, since a thread registers once) for each policy with a worker core.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "api/fastcall.h"
#include "userland/lib/ktap.h"
#include "userland/tests/flexsc_pages.h"
#include "userland/tests/support.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;

/// What the calls work on; set up before each call, so that every gate finds the same.
struct Setting {
    int file = -1;      ///< "/tmp/differential": 100 bytes, position 10
    int directory = -1; ///< "/"
    int null = -1;      ///< "/dev/null"
    alignas(64) unsigned char buffer[512];
} setting;

/// Far from the program, its heap and everything that mmap chooses.
constexpr uint64_t kHoleAddress = uint64_t{8} << 30;

bool prepare() {
    if (setting.file < 0) {
        setting.file = open("/tmp/differential", O_RDWR | O_CREAT | O_TRUNC, 0600);
        char text[100];
        std::memset(text, 't', sizeof text);
        if (write(setting.file, text, sizeof text) != sizeof text)
            return false;
        setting.directory = open("/", O_RDONLY | O_DIRECTORY);
        setting.null = open("/dev/null", O_RDWR);
    }
    lseek(setting.file, 10, SEEK_SET);
    lseek(setting.directory, 0, SEEK_SET);
    std::memset(setting.buffer, 0x5a, sizeof setting.buffer);
    return setting.file >= 0 && setting.directory >= 0 && setting.null >= 0;
}

/// What to compare beside the result's being an error or not.
enum class Compare {
    All,     ///< the result and the buffer
    Result,  ///< the result alone: the buffer holds a time or random bytes
    Success, ///< only whether it failed, and how: the result is an address or a time
};
/// Whether a syscall page may make the call; one that may not must say ENOSYS there.
enum class Page { Allowed, Refused };

struct Call {
    const char* name;
    uint32_t number;
    uint64_t arguments[6];
    Compare compare = Compare::All;
    Page page = Page::Allowed;
    /// Undoes what the call has done, so that the next gate finds the same.
    void (*undo)(long result) = nullptr;
};

// Stand-ins for values that are known at run time only.
constexpr uint64_t kBuffer = 0xb0ff0000'00000000, kFile = kBuffer + 1, kDirectory = kBuffer + 2, kNull = kBuffer + 3,
                   kHole = kBuffer + 4;
constexpr uint64_t kPath = kBuffer + 5, kMissing = kBuffer + 6, kVector = kBuffer + 7;
constexpr uint64_t kMinusOne = ~uint64_t{0}, kKernel = 0xffffffff80200000;

uint64_t resolve(uint64_t argument) {
    static const iovec vector[2] = {{setting.buffer, 8}, {setting.buffer + 16, 8}};
    switch (argument) {
    case kBuffer:
        return reinterpret_cast<uint64_t>(setting.buffer);
    case kFile:
        return static_cast<uint64_t>(setting.file);
    case kDirectory:
        return static_cast<uint64_t>(setting.directory);
    case kNull:
        return static_cast<uint64_t>(setting.null);
    case kHole:
        return kHoleAddress;
    case kPath:
        return reinterpret_cast<uint64_t>("/dev/null");
    case kMissing:
        return reinterpret_cast<uint64_t>("/no/such/file");
    case kVector:
        return reinterpret_cast<uint64_t>(vector);
    default:
        return argument;
    }
}

void close_result(long result) {
    if (result >= 0)
        Native::call(SYS_close, result);
}
void unmap_result(long result) {
    if (result > 0)
        Native::call(SYS_munmap, result, kPage);
}

void close_pair(long result) {
    int pair[2];
    std::memcpy(pair, setting.buffer, sizeof pair);
    for (const int descriptor : pair)
        if (result == 0)
            Native::call(SYS_close, descriptor);
}

const Call kCalls[] = {
    {"null", api::kSysNull, {}},
    {"copy64", api::kSysCopy64, {kBuffer}},
    {"copy64 of a hole", api::kSysCopy64, {kHole}},
    {"copy64 of the kernel", api::kSysCopy64, {kKernel}},
    {"pipe", SYS_pipe, {kBuffer}, Compare::All, Page::Allowed, close_pair},
    {"pipe to a hole", SYS_pipe, {kHole}},
    {"pipe2 with wrong flags", SYS_pipe2, {kBuffer, 1}},
    {"eventfd2", SYS_eventfd2, {3, 0}, Compare::All, Page::Allowed, close_result},
    {"epoll_create1", SYS_epoll_create1, {0}, Compare::All, Page::Allowed, close_result},
    {"epoll_ctl of no instance", SYS_epoll_ctl, {kNull, 1, kNull, kBuffer}},
    {"socket", SYS_socket, {1, 1, 0}, Compare::All, Page::Allowed, close_result},
    {"socket of a family that is none", SYS_socket, {45, 1, 0}},
    {"socketpair", SYS_socketpair, {1, 1, 0, kBuffer}, Compare::All, Page::Allowed, close_pair},
    {"sendto, no socket", SYS_sendto, {kNull, kBuffer, 8}},
    {"recvfrom, no socket", SYS_recvfrom, {kNull, kBuffer, 8}},
    {"sendfile", SYS_sendfile, {kNull, kFile, 0, 20}},
    {"sendfile from a device", SYS_sendfile, {kNull, kNull, 0, 20}},
    {"poll", SYS_poll, {0, 0, 0}},
    {"ppoll", SYS_ppoll, {0, 0, kHole}, Compare::All, Page::Refused},
    {"select", SYS_select, {kMinusOne}},
    {"pselect6", SYS_pselect6, {kMinusOne}, Compare::All, Page::Refused},
    {"epoll_wait", SYS_epoll_wait, {kNull, kBuffer, 1, 0}},
    {"epoll_pwait", SYS_epoll_pwait, {kNull, kBuffer, 1, 0}, Compare::All, Page::Refused},
    {"getpid", SYS_getpid, {}},
    {"getppid", SYS_getppid, {}},
    {"gettid", SYS_gettid, {}},
    {"getuid", SYS_getuid, {}},
    {"getgid", SYS_getgid, {}},
    {"geteuid", SYS_geteuid, {}},
    {"getegid", SYS_getegid, {}},
    {"read", SYS_read, {kFile, kBuffer, 16}},
    {"read nothing", SYS_read, {kFile, kBuffer, 0}},
    {"read to the end", SYS_read, {kFile, kBuffer, 400}},
    {"read into a hole", SYS_read, {kFile, kHole, 16}},
    {"read into the kernel", SYS_read, {kFile, kKernel, 16}},
    {"read of no file", SYS_read, {kMinusOne, kBuffer, 16}},
    {"read of a directory", SYS_read, {kDirectory, kBuffer, 16}},
    {"read of /dev/null", SYS_read, {kNull, kBuffer, 16}},
    {"write", SYS_write, {kFile, kBuffer, 16}},
    {"write to /dev/null", SYS_write, {kNull, kBuffer, 1}},
    {"write from a hole", SYS_write, {kFile, kHole, 16}},
    {"write to no file", SYS_write, {200, kBuffer, 1}},
    {"pread64", SYS_pread64, {kFile, kBuffer, 8, 3}},
    {"pread64 at -1", SYS_pread64, {kFile, kBuffer, 8, kMinusOne}},
    {"pwrite64", SYS_pwrite64, {kFile, kBuffer, 8, 3}},
    {"readv", SYS_readv, {kFile, kVector, 2}},
    {"writev", SYS_writev, {kFile, kVector, 2}},
    {"writev of -1 parts", SYS_writev, {kFile, kVector, kMinusOne}},
    {"lseek", SYS_lseek, {kFile, 5, SEEK_SET}},
    {"lseek from the end", SYS_lseek, {kFile, 0, SEEK_END}},
    {"lseek to a bad place", SYS_lseek, {kFile, kMinusOne, SEEK_SET}},
    {"lseek with a bad origin", SYS_lseek, {kFile, 0, 77}},
    {"open", SYS_open, {kPath, O_RDONLY}, Compare::All, Page::Allowed, close_result},
    {"open of nothing", SYS_open, {kMissing, O_RDONLY}},
    {"openat",
     SYS_openat,
     {static_cast<uint64_t>(AT_FDCWD), kPath, O_WRONLY},
     Compare::All,
     Page::Allowed,
     close_result},
    {"openat of a hole", SYS_openat, {static_cast<uint64_t>(AT_FDCWD), kHole, O_RDONLY}},
    {"close of nothing", SYS_close, {250}},
    {"dup", SYS_dup, {kNull}, Compare::All, Page::Allowed, close_result},
    {"dup2 to itself", SYS_dup2, {kNull, kNull}},
    {"dup3 to itself", SYS_dup3, {kNull, kNull, 0}},
    {"fcntl F_GETFD", SYS_fcntl, {kFile, F_GETFD}},
    {"fcntl F_GETFL", SYS_fcntl, {kFile, F_GETFL}},
    {"fcntl of nothing", SYS_fcntl, {kFile, 9999}},
    {"ioctl of a file", SYS_ioctl, {kFile, 0x5401, kBuffer}},
    {"stat", SYS_stat, {kPath, kBuffer}},
    {"stat of nothing", SYS_stat, {kMissing, kBuffer}},
    {"fstat", SYS_fstat, {kFile, kBuffer}, Compare::Result},
    {"fstat into a hole", SYS_fstat, {kFile, kHole}},
    {"newfstatat", SYS_newfstatat, {static_cast<uint64_t>(AT_FDCWD), kPath, kBuffer, 0}},
    {"access", SYS_access, {kPath, F_OK}},
    {"access of nothing", SYS_access, {kMissing, F_OK}},
    {"getcwd", SYS_getcwd, {kBuffer, 100}},
    {"getcwd into one byte", SYS_getcwd, {kBuffer, 1}},
    {"readlink of a file", SYS_readlink, {kPath, kBuffer, 100}},
    {"getdents64", SYS_getdents64, {kDirectory, kBuffer, 512}},
    {"getdents64 of a file", SYS_getdents64, {kFile, kBuffer, 512}},
    {"mmap",
     SYS_mmap,
     {0, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, kMinusOne, 0},
     Compare::Success,
     Page::Allowed,
     unmap_result},
    {"mmap of nothing", SYS_mmap, {0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, kMinusOne, 0}},
    {"mmap W+X", SYS_mmap, {0, kPage, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, kMinusOne, 0}},
    {"mmap of the kernel",
     SYS_mmap,
     {kKernel, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, kMinusOne, 0}},
    {"mprotect of a hole", SYS_mprotect, {kHole, kPage, PROT_READ}},
    {"mprotect unaligned", SYS_mprotect, {1, kPage, PROT_READ}},
    {"munmap of a hole", SYS_munmap, {kHole, kPage}},
    {"munmap unaligned", SYS_munmap, {1, kPage}},
    {"munmap of everything", SYS_munmap, {0, kMinusOne}},
    {"brk 0", SYS_brk, {0}, Compare::All},
    {"brk into the kernel", SYS_brk, {kKernel}, Compare::All},
    {"uname", SYS_uname, {kBuffer}},
    {"uname into the kernel", SYS_uname, {kKernel}},
    {"getrlimit", SYS_getrlimit, {RLIMIT_STACK, kBuffer}},
    {"getrlimit of nothing", SYS_getrlimit, {99, kBuffer}},
    {"prlimit64", SYS_prlimit64, {0, RLIMIT_NOFILE, 0, kBuffer}},
    {"sysinfo", SYS_sysinfo, {kBuffer}, Compare::Result},
    {"sched_getaffinity", SYS_sched_getaffinity, {0, 128, kBuffer}},
    {"getrandom", SYS_getrandom, {kBuffer, 16, 0}, Compare::Result},
    {"rt_sigaction of nothing", SYS_rt_sigaction, {99, 0, kBuffer, 8}},
    {"rt_sigaction", SYS_rt_sigaction, {10, 0, kBuffer, 8}},
    {"clock_gettime", SYS_clock_gettime, {CLOCK_MONOTONIC, kBuffer}, Compare::Result},
    {"clock_gettime of nothing", SYS_clock_gettime, {77, kBuffer}},
    {"clock_gettime into a hole", SYS_clock_gettime, {CLOCK_MONOTONIC, kHole}},
    {"clock_getres", SYS_clock_getres, {CLOCK_MONOTONIC, kBuffer}},
    {"gettimeofday", SYS_gettimeofday, {kBuffer, 0}, Compare::Result},
    {"time", SYS_time, {0}, Compare::Success},
    {"number 500", 500, {}},
    {"number 511", 511, {}},
    {"number 512", 512, {}},
    {"number 4095", 4095, {}},
    {"number 4111", 4111, {}},
    {"number 4112", 4112, {}},
    {"number 2^31", 0x80000000, {}},
    {"number 2^32 - 1", 0xffffffff, {}},
    {"mount (not there)", SYS_mount, {kHole, kHole, kHole, 0, 0}},
    {"nanosleep of a hole", SYS_nanosleep, {kHole, 0}},
    {"futex wake", SYS_futex, {kBuffer, 1, 1, 0, 0, 0}},
    {"futex wait for another value", SYS_futex, {kBuffer, 0, 1, 0, 0, 0}},
    {"wait4 without children", SYS_wait4, {kMinusOne, 0, 1, 0}},
    {"kill with a bad signal", SYS_kill, {0, 999}},
    {"timerfd_create", SYS_timerfd_create, {1, 0}, Compare::All, Page::Allowed, close_result},
    {"alarm that is not set", SYS_alarm, {0}},
    // For traps only
    {"sched_yield", SYS_sched_yield, {}, Compare::All, Page::Refused},
    {"arch_prctl of nothing", SYS_arch_prctl, {0x9999, kBuffer}, Compare::All, Page::Refused},
    {"execve of nothing", SYS_execve, {kMissing, 0, 0}, Compare::All, Page::Refused},
    {"clone of nothing", SYS_clone, {0x40000000, 0, 0, 0, 0}, Compare::All, Page::Refused},
    {"probe of nothing", api::kSysProbe, {999}, Compare::All, Page::Refused},
};

struct Answer {
    long result;
    unsigned char buffer[sizeof setting.buffer];
};

template <class Make>
Answer answer_of(const Call& call, Make&& make) {
    prepare();
    uint64_t arguments[6];
    for (unsigned i = 0; i < 6; ++i)
        arguments[i] = resolve(call.arguments[i]);
    Answer answer;
    answer.result = make(call.number, arguments);
    std::memcpy(answer.buffer, setting.buffer, sizeof answer.buffer);
    if (call.undo)
        call.undo(answer.result);
    return answer;
}

bool equal(const Call& call, const Answer& left, const Answer& right) {
    if (call.compare == Compare::Success && left.result >= 0)
        return right.result >= 0;
    if (left.result != right.result)
        return false;
    return call.compare != Compare::All || std::memcmp(left.buffer, right.buffer, sizeof left.buffer) == 0;
}

long natively(uint32_t number, const uint64_t* a) { return Native::call(number, a[0], a[1], a[2], a[3], a[4], a[5]); }
long by_int80(uint32_t number, const uint64_t* a) { return Int80::call(number, a[0], a[1], a[2], a[3], a[4], a[5]); }

/// Hands every call's native answer and the page's to `report(call, native, page)`.
template <class Report>
void compare_page(const Flexsc& gate, Report&& report) {
    const auto by_page = [&](uint32_t number, const uint64_t* a) {
        return gate.call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    };
    for (const Call& call : kCalls) {
        const Answer native = answer_of(call, natively);
        report(call, native, answer_of(call, by_page));
    }
}

bool page_agrees(const Call& call, const Answer& native, const Answer& page) {
    return call.page == Page::Refused ? page.result == -ENOSYS : equal(call, native, page);
}

/// Exit status: 0, 1 with a line for each difference, 2 without a worker core.
int compare_worker(uint64_t policy) {
    const auto gate = Flexsc::open(static_cast<api::FlexscPolicy>(policy));
    if (!gate)
        return gate.error() == ENODEV ? 2 : 3;
    if (!prepare())
        return 4;
    unsigned differences = 0;
    compare_page(*gate, [&](const Call& call, const Answer& native, const Answer& page) {
        if (page_agrees(call, native, page))
            return;
        ++differences;
        dprintf(STDOUT_FILENO, "# %s: native %ld, worker %ld\n", call.name, native.result, page.result);
    });
    return differences == 0 ? 0 : 1;
}

constexpr Victim kVictims[] = {{"compare-worker", compare_worker}};

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims});
    Ktap ktap(6);
    ktap.check(prepare(), "files %d, %d, %d", setting.file, setting.directory, setting.null);
    for (const Call& call : kCalls) {
        const Answer first = answer_of(call, natively), second = answer_of(call, natively);
        ktap.check(equal(call, first, second), "%s: %ld, then %ld", call.name, first.result, second.result);
    }
    ktap.test("the same call twice gives the same answer");
    for (const Call& call : kCalls) {
        const Answer native = answer_of(call, natively), int80 = answer_of(call, by_int80);
        ktap.check(equal(call, native, int80), "%s: native %ld, int80 %ld", call.name, native.result, int80.result);
    }
    ktap.test("native and int 0x80 give the same answers");
    const auto gate = Flexsc::open(api::FlexscPolicy::Own);
    if (ktap.check(gate.has_value(), "flexsc_register failed"))
        compare_page(*gate, [&](const Call& call, const Answer& native, const Answer& page) {
            ktap.check(page_agrees(call, native, page), "%s: native %ld, page %ld", call.name, native.result,
                       page.result);
        });
    ktap.test("native and a syscall page on the own core give the same answers");
    constexpr struct {
        api::FlexscPolicy policy;
        const char* test;
    } kPolicies[] = {{api::FlexscPolicy::WorkerIpi, "native and a page on a worker that sleeps give the same answers"},
                     {api::FlexscPolicy::WorkerPoll, "native and a page on a worker that polls give the same answers"},
                     {api::FlexscPolicy::Adaptive, "native and a page of policy Adaptive give the same answers"}};
    for (const auto& [policy, test] : kPolicies) {
        const int status = run_victim("compare-worker", static_cast<uint64_t>(policy));
        if (exited_with(status, 2)) {
            ktap.skip(test, "there is no worker core");
            continue;
        }
        ktap.check(exited_with(status, 0), "%s", describe(status));
        ktap.test(test);
    }
    return ktap.finish();
}
