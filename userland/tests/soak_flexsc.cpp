// Syscall pages for a long time: processes of every policy with threads, forks, execs, calls that wait, buffers that
// are unmapped under their calls, and departures of every kind, some of them by SIGKILL at a random moment. Whatever a
// process sees must be right, every process must end, and the kernel must be left as it was: no frame lost, no page
// registered, every worker at work.  soak-flexsc [SECONDS] [SEED]; on SMP, with flexsc.workers=1 or more.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "userland/lib/flexsc_report.h"
#include "userland/lib/ktap.h"
#include "userland/tests/flexsc_cases.h"

namespace {

using namespace tollgate;
using namespace tollgate::test;

constexpr int kExecuted = 5; ///< exit status of a process that has executed another program
constexpr unsigned kChildren = 6;

class Random {
public:
    explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
    uint64_t next() { // xorshift64*
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545f4914f6cdd1d >> 16;
    }
    unsigned below(unsigned limit) { return static_cast<unsigned>(next() % limit); }

private:
    uint64_t state_;
};

uint64_t now_ms() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

/// One kernel-visible thread with its pages: random calls, some of which wait.
class Player {
public:
    Player(uint64_t seed, FlexscPolicy policy, VictimChecks& checks)
        : random_(seed), checks_(checks),
          gate_(Flexsc::open(policy, 1 + static_cast<unsigned>(seed % api::kFlexscMaxPages))) {
        if (!gate_ && gate_.error() == ENODEV)
            gate_ = Flexsc::open(FlexscPolicy::Own, 1);
        checks_.expect(gate_.has_value() && pipe2(pipe_, O_CLOEXEC) == 0);
    }
    ~Player() { // the calls that wait stay: that is the point
        close(pipe_[0]);
        close(pipe_[1]);
    }
    Player(const Player&) = delete;
    Player& operator=(const Player&) = delete;

    [[nodiscard]] bool good() const { return gate_.has_value() && pipe_[0] >= 0; }
    Random& random() { return random_; }

    void step() {
        switch (random_.below(6)) {
        case 0:
        case 1:
            return batch();
        case 2:
            return begin_reading();
        case 3:
            return let_one_go();
        case 4:
            return sleep();
        default:
            return unmap_under_a_call();
        }
    }

    /// Posts a call that ends the process.
    void kill_self() {
        const unsigned slot = free_slot();
        Flexsc::post(gate_->entry(slot), SYS_kill, getpid(), SIGKILL);
        for (;;)
            Flexsc::wait();
    }

private:
    [[nodiscard]] unsigned free_slot() {
        for (;;) {
            const unsigned slot = random_.below(gate_->size());
            if (status_of(gate_->entry(slot)) == FlexscStatus::Free)
                return slot;
        }
    }

    void batch() {
        const unsigned count = 1 + random_.below(16);
        unsigned slots[16];
        // Not getppid(): a killed process's children get another parent.
        for (unsigned i = 0; i < count; ++i)
            if (FlexscEntry& entry = gate_->entry(slots[i] = free_slot()); i % 2 == 0)
                Flexsc::post(entry, SYS_getpid);
            else
                Flexsc::post(entry, SYS_lseek, -1, i, SEEK_SET);
        for (unsigned i = 0; i < count; ++i)
            checks_.expect(finish(slots[i]) == (i % 2 == 0 ? getpid() : -EBADF));
    }

    void begin_reading() {
        if (reading_.size() >= gate_->size() / 2)
            return;
        const unsigned slot = free_slot();
        Flexsc::post(gate_->entry(slot), SYS_read, pipe_[0], &bytes_[slot], 1);
        reading_.push_back(slot);
        Flexsc::wait(0, api::kFlexscKick);
    }

    void let_one_go() {
        if (reading_.empty())
            return;
        const unsigned slot = free_slot();
        Flexsc::post(gate_->entry(slot), SYS_write, pipe_[1], "x", 1);
        checks_.expect(finish(slot) == 1);
        // Whichever of the readers has got it.
        for (const uint64_t begin = now_ms(); now_ms() - begin < kPatienceMs; _mm_pause()) {
            for (std::size_t i = 0; i < reading_.size(); ++i)
                if (FlexscEntry& entry = gate_->entry(reading_[i]); Flexsc::is_done(entry)) {
                    checks_.expect(Flexsc::take(entry) == 1);
                    reading_.erase(reading_.begin() + static_cast<long>(i));
                    return;
                }
            checks_.expect(Flexsc::wait() >= 0);
        }
        checks_.expect(false);
    }

    void sleep() {
        const timespec time{0, static_cast<long>(random_.below(2'000'000))};
        const unsigned slot = free_slot();
        Flexsc::post(gate_->entry(slot), SYS_nanosleep, &time, 0);
        checks_.expect(finish(slot) == 0);
    }

    void unmap_under_a_call() {
        void* const page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        const unsigned slot = free_slot();
        Flexsc::post(gate_->entry(slot), SYS_clock_gettime, CLOCK_MONOTONIC, page);
        if (random_.below(2) == 0)
            Flexsc::wait(0, api::kFlexscKick);
        munmap(page, kPage);
        const long result = finish(slot);
        checks_.expect(result == 0 || result == -EFAULT);
    }

    /// Until the entry is done, however busy the machine; -ETIME if it never is.
    long finish(unsigned slot) {
        FlexscEntry& entry = gate_->entry(slot);
        for (const uint64_t begin = now_ms(); !Flexsc::is_done(entry) && now_ms() - begin < kPatienceMs; _mm_pause())
            checks_.expect(Flexsc::wait() >= 0);
        return Flexsc::is_done(entry) ? Flexsc::take(entry) : -ETIME;
    }

    static constexpr uint64_t kPatienceMs = 30'000;
    Random random_;
    VictimChecks& checks_;
    std::expected<Flexsc, int> gate_;
    int pipe_[2] = {-1, -1};
    std::vector<unsigned> reading_; ///< slots whose call waits
    char bytes_[api::kFlexscMaxPages * api::kFlexscEntriesPerPage];
};

void play_in_thread(uint64_t seed, VictimChecks& checks) {
    std::thread([&] {
        Player player(seed, policy_of(seed % 4), checks);
        for (unsigned left = player.good() ? 10 : 0; left != 0; --left)
            player.step();
    }).join();
}

void play_in_child(uint64_t seed, VictimChecks& checks) {
    const int child = fork();
    if (child == 0) {
        VictimChecks own;
        Player player(seed, policy_of(seed % 4), own);
        for (unsigned left = player.good() ? 10 : 0; left != 0; --left)
            player.step();
        _exit(own.result());
    }
    checks.expect(child > 0 && exited_with(wait_status(child), 0));
}

/// The victim: a process by its seed.
int play(uint64_t seed) {
    VictimChecks checks;
    Player player(seed, policy_of(seed % 4), checks);
    for (unsigned left = 20 + player.random().below(80); left != 0 && player.good() && checks.result() == 0; --left)
        switch (player.random().below(40)) {
        case 0:
            play_in_thread(player.random().next(), checks);
            break;
        case 1:
            play_in_child(player.random().next(), checks);
            break;
        case 2:
            if (player.random().below(4) == 0)
                player.kill_self();
            break;
        case 3:
            if (player.random().below(4) == 0) {
                char status[] = "5", exit[] = "exit", name[] = "test-raw";
                char* const arguments[] = {name, exit, status, nullptr};
                Native::call(SYS_execve, sibling("test-raw"), arguments, arguments + 3);
                return 1;
            }
            break;
        default:
            player.step();
        }
    return checks.result(); // whatever still waits is left behind
}

constexpr Victim kVictims[] = {{"play", play}};

struct Child {
    int pid = -1;
    uint64_t seed = 0, kill_at = 0, begun = 0; ///< milliseconds; kill_at 0: it ends by itself
};

struct Counts {
    uint64_t ended = 0, killed = 0, executed = 0;
};

/// Starts, kills and collects processes until `end`; false once one has ended as it must not, or not at all.
bool run(Ktap& ktap, Random& random, uint64_t end, uint64_t most, Counts& counts) {
    constexpr uint64_t kHangsMs = 120'000;
    Child children[kChildren];
    uint64_t started = 0;
    bool good = true;
    for (unsigned alive = 0;;) {
        const bool more = good && now_ms() < end && started < most;
        if (!more && alive == 0)
            return good;
        for (Child& child : children) {
            const uint64_t now = now_ms();
            if (child.pid < 0) {
                if (!more)
                    continue;
                child.seed = random.next();
                child.begun = now;
                child.kill_at = random.below(3) == 0 ? now + random.below(60) + 1 : 0;
                child.pid = start_victim("play", child.seed);
                good = ktap.check(child.pid > 0, "a process cannot be started: %d", child.pid) && good;
                alive += child.pid > 0;
                ++started;
                continue;
            }
            if (child.kill_at != 0 && now >= child.kill_at) {
                kill(child.pid, SIGKILL);
                child.kill_at = 0;
            }
            int status = 0;
            if (waitpid(child.pid, &status, WNOHANG) != child.pid) {
                if (now - child.begun > kHangsMs) {
                    ktap.note("%s", text_of("/proc/tollgate/flexsc").c_str());
                    return ktap.check(false, "process %d, seed %#llx, does not end", child.pid,
                                      static_cast<unsigned long long>(child.seed));
                }
                continue;
            }
            const bool killed = killed_by(status, {SIGKILL}), executed = exited_with(status, kExecuted);
            good = ktap.check(exited_with(status, 0) || killed || executed, "seed %#llx: %s",
                              static_cast<unsigned long long>(child.seed), describe(status)) &&
                   good;
            ++counts.ended;
            counts.killed += killed;
            counts.executed += executed;
            child.pid = -1;
            --alive;
        }
        usleep(1000);
    }
}

/// After all have ended: is anything of theirs left? We are process 1, so that the children of those that were killed
/// are ours now, and end soon.
bool nothing_left() {
    const bool childless = wait_until([] { return waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }, 1'000'000);
    return childless &&
           wait_until([] { return text_of("/proc/tollgate/flexsc").find("process ") == std::string::npos; }, 20'000);
}

} // namespace

int main(int argc, char** argv) {
    play_victim(argc, argv, {kVictims, kFlexscHelpers});
    const uint64_t seconds = argc > 1 ? std::strtoull(argv[1], nullptr, 0) : 1800;
    const uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 0) : static_cast<uint64_t>(time(nullptr));
    constexpr uint64_t kRound = 200, kSlack = 64; // processes between two counts of frames
    Ktap ktap(3);
    ktap.note("seed %llu, %llu s, %s", static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seconds),
              has_worker() ? "with workers" : "no worker core: every policy is own core");
    Random random(seed);
    Counts counts;
    const uint64_t begin = now_ms(), end = begin + seconds * 1000;
    uint64_t most_free = 0, free_now = 0, rounds = 0, told = begin;
    bool good = true, kept = true;
    while (good && kept && now_ms() < end) {
        good = run(ktap, random, end, kRound, counts);
        good = ktap.check(nothing_left(), "pages are left registered:\n%s", text_of("/proc/tollgate/flexsc").c_str()) &&
               good;
        // The kernel's heap keeps what it once needed at one time: the first round sets the mark.
        kept = rounds == 0 || wait_until([&] { return (free_now = free_frames()) + kSlack >= most_free; }, 20'000);
        if (rounds++ == 0)
            most_free = free_frames();
        if (now_ms() - told > 60'000) {
            told = now_ms();
            ktap.note("%llu s: %llu processes have ended, %llu by SIGKILL, %llu by execve; %llu frames are free",
                      static_cast<unsigned long long>((told - begin) / 1000),
                      static_cast<unsigned long long>(counts.ended), static_cast<unsigned long long>(counts.killed),
                      static_cast<unsigned long long>(counts.executed), static_cast<unsigned long long>(free_frames()));
        }
    }
    ktap.note("after %llu s: %llu processes have ended, %llu by SIGKILL, %llu by execve",
              static_cast<unsigned long long>((now_ms() - begin) / 1000), static_cast<unsigned long long>(counts.ended),
              static_cast<unsigned long long>(counts.killed), static_cast<unsigned long long>(counts.executed));
    ktap.test("every process sees what it must and ends as it must");
    ktap.check(kept, "%llu frames are free, %llu were after the first round", static_cast<unsigned long long>(free_now),
               static_cast<unsigned long long>(most_free));
    ktap.test("no frame is lost");
    VictimChecks checks;
    for (const FlexscPolicy policy : kAllPolicies)
        std::thread([&] {
            const auto gate = Flexsc::open(policy);
            if (!gate && gate.error() == ENODEV)
                return;
            checks.expect(gate.has_value() && gate->call(SYS_getpid) == getpid());
        }).join();
    ktap.check(checks.result() == 0, "a policy does not work any more");
    ktap.test("every policy works still");
    return ktap.finish();
}
