// A fuzzer over all system calls: children make calls from all over the table with arguments half valid, half hostile,
// and the kernel has to stay alive, end what it is told to end, and keep no memory. Runs as the first process of a
// guest only.
//
//     test-fuzz [--seed=N] [--batches=N] [--first=N] [--calls=N] [--trace]
//
// The same seed makes the same calls, whatever ran before: batch K depends on the seed and K alone. After a panic,
// repeat the batches since the last one that was printed, one by one (--first=K --batches=1), and with --trace, which
// prints each call before it is made.
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/lib/gate_native.h"
#include "userland/lib/ktap.h"
#include "userland/lib/machine.h"

namespace {

using namespace tollgate;

struct Options {
    std::uint64_t seed = 1;
    unsigned batches = 300, first = 0, calls = 60;
    bool trace = false;
} options;

constexpr const char* kFolder = "/tmp/fuzz";
constexpr unsigned kChildren = 2;          // at the same time, so that calls meet on two CPUs
constexpr std::uint64_t kPatienceMs = 150; // many calls wait for what never comes
constexpr unsigned kReportEvery = 50;
constexpr int kUnprepared = 102; // exit status of a child that could not begin

unsigned unprepared;
void look_at(int status) { unprepared += WIFEXITED(status) && WEXITSTATUS(status) == kUnprepared ? 1 : 0; }

// ---- numbers from a seed ----

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() { // splitmix64: every seed is a good one
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }
    unsigned below(unsigned bound) { return static_cast<unsigned>(next() % bound); }
    template <class T, std::size_t n>
    const T& one_of(const T (&values)[n]) {
        return values[below(n)];
    }

private:
    std::uint64_t state_;
};

// ---- arguments ----

constexpr std::size_t kPage = 4096, kArena = 16 * kPage;
char* arena; // readable and writable; then a page that may only be read; then nothing

constexpr const char* kPaths[] = {"a",
                                  "b",
                                  "d",
                                  "d/c",
                                  "d/e",
                                  "/tmp/fuzz/x",
                                  "/dev/null",
                                  "/dev/zero",
                                  "/dev/tty",
                                  "/proc/self/maps",
                                  "/proc/self/fd/3",
                                  "/proc/self/exe",
                                  "/proc/self/status",
                                  "",
                                  ".",
                                  "..",
                                  "/",
                                  "d/../a",
                                  "a/b",
                                  "/nowhere/at/all"};
constexpr std::uint64_t kHostile[] = {0,
                                      1,
                                      0xfff,
                                      0x7fffffffffff,
                                      0x7ffffffff000,
                                      0x800000000000,
                                      0xffff800000000000,
                                      0xffffffff80000000,
                                      0xfffffffffffff000,
                                      ~std::uint64_t{0},
                                      0x4141414141414141};
constexpr std::uint64_t kSizes[] = {0,
                                    1,
                                    2,
                                    4,
                                    8,
                                    16,
                                    24,
                                    64,
                                    128,
                                    144,
                                    4095,
                                    4096,
                                    4097,
                                    8192,
                                    65536,
                                    0x7fffffff,
                                    0x80000000,
                                    0xffffffff,
                                    0x7fffffffffffffff,
                                    ~std::uint64_t{0}};

std::uint64_t pointer(Random& random) {
    switch (random.below(8)) {
    case 0:
        return random.one_of(kHostile);
    case 1: // the last bytes before the end of what is mapped
        return reinterpret_cast<std::uint64_t>(arena) + kArena + kPage - random.below(64);
    case 2: // across the end of what may be written
        return reinterpret_cast<std::uint64_t>(arena) + kArena - random.below(64);
    case 3: {
        char* const at = arena + random.below(8) * 512;
        std::strcpy(at, random.one_of(kPaths));
        return reinterpret_cast<std::uint64_t>(at);
    }
    default:
        return reinterpret_cast<std::uint64_t>(arena) + random.below(kArena / 8) * 8;
    }
}

std::uint64_t argument(Random& random) {
    switch (random.below(12)) {
    case 0:
    case 1:
        return random.below(12); // a descriptor, as a rule
    case 2:
        return random.below(5);
    case 3:
    case 4:
    case 5:
    case 6:
        return pointer(random);
    case 7:
        return random.one_of(kSizes);
    case 8:
        return std::uint64_t{1} << random.below(64);
    case 9:
        return static_cast<std::uint64_t>(-static_cast<std::int64_t>(random.below(200))); // AT_FDCWD is among them
    case 10:
        return random.next() & random.next(); // flags
    default:
        return random.next();
    }
}

/// Structures made of small numbers, pointers and noise.
void fill_arena(Random& random) {
    auto* const words = reinterpret_cast<std::uint64_t*>(arena);
    for (unsigned i = 0; i < 96; ++i)
        words[random.below(kArena / 8)] = argument(random);
}

// ---- which calls ----

constexpr long kLast = 470;
constexpr long kOwn[] = {4096, 4097, 4098, 4099};

bool is_left_out(long number) {
    switch (number) {
    case SYS_exit:
    case SYS_exit_group:
    case SYS_reboot:
    case SYS_kexec_load:
        return true;
    default:
        return false;
    }
}

long choose(Random& random) {
    for (;;) {
        const long number = random.below(40) == 0 ? random.one_of(kOwn) : static_cast<long>(random.below(kLast));
        if (number == SYS_rt_sigreturn && random.below(8) != 0)
            continue; // most children would end here
        if (!is_left_out(number))
            return number;
    }
}

bool makes_process(long number) {
    return number == SYS_fork || number == SYS_vfork || number == SYS_clone || number == SYS_clone3;
}

/// Signals must not hit the first process, which judges, nor everybody.
bool spares_others(long number, const std::uint64_t (&arguments)[6]) {
    const auto target = static_cast<std::int32_t>(arguments[0]);
    const bool sends = number == SYS_kill || number == SYS_tkill || number == SYS_tgkill ||
                       number == SYS_rt_sigqueueinfo || number == SYS_rt_tgsigqueueinfo;
    if (number == SYS_tgkill && static_cast<std::int32_t>(arguments[1]) == 1)
        return false;
    return !sends || (target != 1 && target != -1);
}

// ---- a child ----

void open_things() {
    open("a", O_RDWR | O_CREAT, 0644);
    int pair[2];
    if (pipe(pair) == 0)
        fcntl(pair[0], F_SETFL, O_NONBLOCK);
    open("/dev/zero", O_RDWR);
    open(".", O_RDONLY | O_DIRECTORY);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0)
        fcntl(pair[0], F_SETFL, O_NONBLOCK);
}

[[noreturn]] void child(std::uint64_t seed) {
    Random random(seed);
    setpgid(0, 0);
    if (chdir(kFolder) != 0)
        _exit(kUnprepared);
    void* const map = mmap(nullptr, kArena + 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        _exit(kUnprepared);
    arena = static_cast<char*>(map);
    mprotect(arena + kArena, kPage, PROT_READ);
    munmap(arena + kArena + kPage, kPage);
    close(0);
    open("/dev/null", O_RDWR);
    if (!options.trace) { // nothing of this belongs on the console
        dup2(0, 1);
        dup2(0, 2);
    }
    open_things();
    for (unsigned i = 0; i < options.calls; ++i) {
        fill_arena(random);
        const long number = choose(random);
        std::uint64_t a[6];
        for (auto& one : a)
            one = argument(random);
        if (!spares_others(number, a))
            continue;
        if (options.trace)
            dprintf(2, "# call %ld(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)\n", number, a[0], a[1], a[2], a[3], a[4], a[5]);
        const long result = Native::call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        if (makes_process(number) && result == 0)
            Native::call(SYS_exit, 0);
    }
    Native::call(SYS_exit_group, 0);
    __builtin_unreachable();
}

// ---- the judge ----

std::uint64_t now_ms() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

/// Ends and reaps everything but ourselves; false if something is left that does not end.
bool clear_processes() {
    const std::uint64_t begin = now_ms();
    for (;;) {
        kill(-1, SIGKILL);
        int status;
        pid_t ended;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
            look_at(status);
        if (ended < 0 && errno == ECHILD)
            return true;
        if (now_ms() - begin > 20'000)
            return false;
        const timespec pause{0, 1'000'000};
        nanosleep(&pause, nullptr);
    }
}

void remove_contents(int folder, unsigned depth) {
    const int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY);
    DIR* const list = copy < 0 ? nullptr : fdopendir(copy);
    while (const dirent* entry = list == nullptr ? nullptr : readdir(list)) {
        const std::string_view name = entry->d_name;
        if (name == "." || name == ".." || unlinkat(folder, entry->d_name, 0) == 0)
            continue;
        const int inner = depth > 20 ? -1 : openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (inner >= 0) {
            remove_contents(inner, depth + 1);
            close(inner);
        }
        unlinkat(folder, entry->d_name, AT_REMOVEDIR);
    }
    if (list != nullptr)
        closedir(list);
}

void clear_folder() {
    mkdir(kFolder, 0777);
    const int folder = open(kFolder, O_RDONLY | O_DIRECTORY);
    if (folder < 0)
        return;
    remove_contents(folder, 0);
    mkdirat(folder, "d", 0777);
    close(folder);
}

bool run_batch(unsigned batch) {
    clear_folder();
    unsigned running = 0;
    for (unsigned i = 0; i < kChildren; ++i) {
        Random mixed(options.seed * 0x10001 + batch * kChildren + i);
        const pid_t id = fork();
        if (id == 0)
            child(mixed.next());
        running += id > 0 ? 1 : 0;
    }
    const std::uint64_t begin = now_ms();
    while (running > 0 && now_ms() - begin < kPatienceMs) {
        int status;
        const pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended > 0) {
            look_at(status);
            --running;
        } else if (ended < 0)
            break;
        else
            sched_yield();
    }
    return clear_processes();
}

/// Runs all batches; the number of those after which something was left.
unsigned run_all() {
    unsigned bad = 0;
    for (unsigned batch = options.first; batch < options.first + options.batches; ++batch) {
        if ((batch - options.first) % kReportEvery == 0)
            dprintf(1, "# seed %llu, batch %u\n", static_cast<unsigned long long>(options.seed), batch);
        bad += run_batch(batch) ? 0 : 1;
    }
    clear_folder();
    return bad;
}

std::uint64_t free_kib() {
    struct sysinfo info {};
    sysinfo(&info);
    return info.freeram * info.mem_unit / 1024;
}

bool still_works() {
    int ends[2];
    if (pipe(ends) != 0)
        return false;
    const pid_t id = fork();
    if (id == 0)
        _exit(write(ends[1], "x", 1) == 1 ? 7 : 8);
    char got = 0;
    int status = 0;
    const bool good =
        read(ends[0], &got, 1) == 1 && got == 'x' && waitpid(id, &status, 0) == id && WEXITSTATUS(status) == 7;
    close(ends[0]);
    close(ends[1]);
    return good;
}

bool parse(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const char* const equals = std::strchr(argv[i], '=');
        const std::string_view key(argv[i], equals == nullptr ? std::strlen(argv[i])
                                                              : static_cast<std::size_t>(equals - argv[i]));
        const auto value = equals == nullptr ? 0 : std::strtoull(equals + 1, nullptr, 0);
        if (key == "--seed")
            options.seed = value;
        else if (key == "--batches")
            options.batches = static_cast<unsigned>(value);
        else if (key == "--first")
            options.first = static_cast<unsigned>(value);
        else if (key == "--calls")
            options.calls = static_cast<unsigned>(value);
        else if (key == "--trace")
            options.trace = true;
        else
            return false;
    }
    return true;
}

} // namespace

int main(int argc, char** argv) {
    if (!parse(argc, argv)) {
        std::fputs("usage: test-fuzz [--seed=N] [--batches=N] [--first=N] [--calls=N] [--trace]\n", stderr);
        return 64;
    }
    if (!Machine::read().is_tollgate() || getpid() != 1) {
        std::fputs("test-fuzz: only as the first process of a Tollgate guest: it makes any call, as root\n", stderr);
        return 64;
    }
    Ktap ktap(3);
    // Twice the same: what the first run leaves in caches is there before the second.
    unsigned bad = run_all();
    const std::uint64_t before = free_kib();
    bad += run_all();
    const std::uint64_t after = free_kib();
    ktap.check(bad == 0, "after %u batches something did not end", bad);
    ktap.check(unprepared == 0, "%u children could not begin", unprepared);
    ktap.test("every process ends when it is told to");
    ktap.check(still_works(), "fork, pipe or wait no longer work");
    ktap.test("the kernel still works");
    ktap.note("free: %llu KiB after the first run, %llu KiB after the second", static_cast<unsigned long long>(before),
              static_cast<unsigned long long>(after));
    ktap.check(after + 512 >= before, "%llu KiB are gone", static_cast<unsigned long long>(before - after));
    ktap.test("no memory is lost");
    return ktap.finish();
}
