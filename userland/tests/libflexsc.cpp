// libflexsc from the inside of the guest: posting, reaping, backpressure, callbacks, blocking calls, several threads,
// fork, coroutines; and, where the time stamp counter counts instructions, what posting and reaping cost. Arguments:
// `worker` runs everything by a worker core, otherwise on the own core.
#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <span>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "userland/lib/flexsc/coroutine.h"
#include "userland/lib/flexsc/flexsc.h"
#include "userland/lib/ktap.h"
#include "userland/lib/machine.h"
#include "userland/lib/ticks.h"

extern "C" long libflexsc_from_c(struct flexsc* f, long* parent, int* refused_at); // libflexsc_c.c

namespace {

using namespace tollgate;
using tollgate::flexsc::Loop;
using tollgate::flexsc::Task;
using Context = struct ::flexsc;

flexsc_policy policy = FLEXSC_OWN;
constexpr unsigned kEntries = FLEXSC_ENTRIES_PER_PAGE;

void errors_of_open(Ktap& ktap) {
    Context f;
    ktap.check(flexsc_open(&f, static_cast<flexsc_policy>(77), 1) == -EINVAL, "policy 77 was taken");
    ktap.check(flexsc_open(&f, policy, FLEXSC_MAX_PAGES + 1) == -EINVAL, "nine pages were given");
    ktap.test("open refuses what it must");
}

void post_and_await(Ktap& ktap, Context& f) {
    const long parent = flexsc_post(&f, SYS_getppid);
    const long bad = flexsc_post(&f, SYS_lseek, 77, 0, SEEK_SET);
    const long none = flexsc_post(&f, 500);
    ktap.check(parent >= 0 && bad >= 0 && none >= 0 && parent != bad && bad != none, "handles %ld %ld %ld", parent, bad,
               none);
    ktap.check(flexsc_in_flight(&f) == 3, "%u are under way, not 3", flexsc_in_flight(&f));
    ktap.check(flexsc_await(&f, none) == -ENOSYS, "call 500 exists");
    ktap.check(flexsc_await(&f, parent) == getppid(), "another parent");
    ktap.check(flexsc_await(&f, bad) == -EBADF, "lseek of descriptor 77");
    ktap.check(flexsc_in_flight(&f) == 0, "entries are left");
    (void)flexsc_wait(&f); // may tell of calls that were reaped without it
    ktap.check(flexsc_wait(&f) == 0, "waiting for nothing");
    int pipes[2];
    ktap.check(pipe(pipes) == 0, "pipe");
    char out[8] = {};
    ktap.check(flexsc_await(&f, flexsc_post(&f, SYS_write, pipes[1], "message", 8)) == 8, "write");
    ktap.check(flexsc_await(&f, flexsc_post(&f, SYS_read, pipes[0], out, 8)) == 8 && !strcmp(out, "message"), "read");
    const long file = flexsc_await(&f, flexsc_post(&f, SYS_openat, AT_FDCWD, "/tmp/six", O_CREAT | O_RDWR, 0600));
    ktap.check(file >= 0, "openat: %ld", file);
    ktap.check(flexsc_await(&f, flexsc_post(&f, SYS_ftruncate, file, 4096)) == 0, "ftruncate");
    const long map = flexsc_await(
        &f, flexsc_post(&f, SYS_copy_file_range, file, nullptr, file, nullptr, 0, 0)); // six arguments arrive
    ktap.check(map == 0 || map == -EINVAL, "copy_file_range of nothing: %ld", map);
    for (const int fd : {pipes[0], pipes[1], static_cast<int>(file)})
        close(fd);
    ktap.test("results of posted calls");
}

void backpressure(Ktap& ktap, Context& f) {
    std::vector<long> handles;
    for (unsigned i = 0; i < kEntries; ++i)
        handles.push_back(flexsc_post(&f, SYS_getppid));
    std::vector<bool> seen(kEntries);
    for (const long handle : handles) {
        ktap.check(handle >= 0 && !seen[flexsc_index(&f, handle)], "handle %ld", handle);
        seen[flexsc_index(&f, handle)] = true;
    }
    ktap.check(flexsc_post(&f, SYS_getppid) == -EAGAIN, "a 65th entry");
    ktap.check(flexsc_await(&f, handles.front()) == getppid(), "another parent");
    const long again = flexsc_post(&f, SYS_getpid);
    ktap.check(again == handles.front(), "the entry that was freed last is not used first");
    ktap.check(flexsc_post(&f, SYS_getppid) == -EAGAIN, "a 65th entry");
    ktap.check(flexsc_await(&f, again) == getpid(), "another process");
    for (const long handle : std::span(handles).subspan(1))
        ktap.check(flexsc_await(&f, handle) == getppid(), "another parent");
    ktap.check(flexsc_in_flight(&f) == 0 && flexsc_next_done(&f) == -EAGAIN, "entries are left");
    ktap.test("no more entries: EAGAIN, until one is reaped");
}

struct Chain {
    Context* f;
    long left;
    long sum;
};
void next_link(void* context, long result) {
    auto& chain = *static_cast<Chain*>(context);
    chain.sum += result;
    if (--chain.left > 0)
        flexsc_on_done(chain.f, flexsc_post(chain.f, SYS_getppid), &next_link, &chain);
}

void callbacks(Ktap& ktap, Context& f) {
    Chain chains[8];
    for (Chain& chain : chains) {
        chain = {&f, 100, 0};
        flexsc_on_done(&f, flexsc_post(&f, SYS_getppid), &next_link, &chain);
    }
    const long plain = flexsc_post(&f, SYS_getpid); // not for callbacks
    long ran = 0, turns = 0;
    for (; ran < 800 && turns < 10'000; ++turns) {
        const long now = flexsc_run_once(&f);
        ktap.check(now > 0, "run_once returned %ld", now);
        ran += now > 0 ? now : 0;
    }
    ktap.check(ran == 800, "%ld callbacks in %ld turns", ran, turns);
    for (const Chain& chain : chains)
        ktap.check(chain.left == 0 && chain.sum == 100l * getppid(), "%ld are left", chain.left);
    ktap.check(flexsc_next_done(&f) == plain, "the call without a callback is not done");
    ktap.check(flexsc_await(&f, plain) == getpid(), "another process");
    ktap.check(flexsc_run_once(&f) == 0, "something is under way");
    ktap.test("callbacks that post");
}

void blocking(Ktap& ktap, Context& f) {
    int pipes[2];
    ktap.check(pipe(pipes) == 0, "pipe");
    char byte = 0;
    const long reading = flexsc_post(&f, SYS_read, pipes[0], &byte, 1);
    for (int i = 0; i < 100; ++i)
        ktap.check(flexsc_await(&f, flexsc_post(&f, SYS_getppid)) == getppid(), "another parent");
    ktap.check(!flexsc_poll(&f, reading), "an empty pipe was read");
    ktap.check(flexsc_await(&f, flexsc_post(&f, SYS_write, pipes[1], "x", 1)) == 1, "write");
    ktap.check(flexsc_await(&f, reading) == 1 && byte == 'x', "the read that blocked");
    close(pipes[0]);
    close(pipes[1]);
    const timespec longer{0, 3'000'000}, shorter{0, 1'000'000};
    const long late = flexsc_post(&f, SYS_nanosleep, &longer, nullptr);
    const long early = flexsc_post(&f, SYS_nanosleep, &shorter, nullptr);
    ktap.check(flexsc_await(&f, early) == 0, "nanosleep");
    ktap.check(flexsc_await(&f, late) == 0, "nanosleep");
    ktap.test("a call that blocks keeps no other waiting");
}

void threads(Ktap& ktap) {
    std::atomic<int> good = 0;
    std::vector<std::thread> all;
    for (int i = 0; i < 4; ++i)
        all.emplace_back([&] {
            Context f;
            if (flexsc_open(&f, policy, 1) != 0)
                return;
            long right = 0;
            for (int n = 0; n < 50; ++n) {
                long handles[kEntries];
                for (long& handle : handles)
                    handle = flexsc_post(&f, SYS_getppid);
                for (const long handle : handles)
                    right += flexsc_await(&f, handle) == getppid();
            }
            flexsc_close(&f);
            good += right == 50 * kEntries;
        });
    for (std::thread& thread : all)
        thread.join();
    ktap.check(good == 4, "%d of 4 threads had their results", good.load());
    ktap.test("every thread its own context");
}

void fork_and_reopen(Ktap& ktap, Context& f) {
    const pid_t child = fork();
    if (child == 0) {
        Context mine;
        const bool opened = flexsc_open(&mine, policy, 1) == 0;
        _exit(opened && flexsc_await(&mine, flexsc_post(&mine, SYS_getpid)) == getpid() ? 0 : 1);
    }
    int status = -1;
    const bool waited = waitpid(child, &status, 0) == child;
    ktap.check(waited && status == 0, "the child's context: status %x", status);
    Context other;
    ktap.check(flexsc_open(&other, policy, 1) == -EBUSY, "two open contexts of one thread");
    (void)flexsc_post(&f, SYS_getppid); // closing waits for it
    flexsc_close(&f);
    ktap.check(flexsc_open(&f, policy, FLEXSC_MAX_PAGES) == -EBUSY, "more pages than the thread has");
    ktap.check(flexsc_open(&f, policy, 1) == 0, "reopen");
    ktap.check(flexsc_in_flight(&f) == 0, "an entry of the closed context is left");
    for (unsigned i = 0; i < 3 * kEntries; ++i)
        ktap.check(flexsc_await(&f, flexsc_post(&f, SYS_getppid)) == getppid(), "another parent");
    ktap.test("fork, close and open again");
}

void from_c(Ktap& ktap, Context& f) {
    long parent = 0;
    int refused_at = -1;
    ktap.check(libflexsc_from_c(&f, &parent, &refused_at) == 12, "C's sum");
    ktap.check(parent == getppid() && refused_at == static_cast<int>(kEntries), "C was refused at %d", refused_at);
    ktap.test("from C");
}

// --- coroutines
Task<long> sum_of_parents(Loop& loop, int calls) {
    long sum = 0;
    for (int i = 0; i < calls; ++i)
        sum += co_await loop.call(SYS_getppid);
    co_return sum;
}
Task<> count_right(Loop& loop, int calls, int& right) {
    right += co_await sum_of_parents(loop, calls) == long{calls} * getppid();
}
Task<> pass_on(Loop& loop, int from, int to, long& passed) {
    char buffer[16];
    for (;;) {
        const long got = co_await loop.call(SYS_read, from, buffer, sizeof buffer);
        if (got <= 0)
            break;
        passed += co_await loop.call(SYS_write, to, buffer, got);
    }
    co_await loop.call(SYS_close, to);
}
Task<> feed(Loop& loop, int to, int rounds) {
    for (int i = 0; i < rounds; ++i)
        co_await loop.call(SYS_write, to, "0123456789", 10);
    co_await loop.call(SYS_close, to);
}

void coroutines(Ktap& ktap) {
    Loop loop(policy, 1);
    if (!ktap.check(loop.error() == 0, "no loop: %d", loop.error()))
        return;
    int right = 0;
    for (int i = 0; i < 200; ++i) // three times as many as entries
        loop.start(count_right(loop, 10, right));
    ktap.check(loop.run() == 0, "run");
    ktap.check(right == 200, "%d of 200 coroutines had their results", right);
    ktap.test("more coroutines than entries");
    constexpr int kStages = 5;
    int pipes[kStages][2];
    for (auto& one : pipes)
        ktap.check(pipe(one) == 0, "pipe");
    long passed = 0;
    for (int i = 0; i + 1 < kStages; ++i)
        loop.start(pass_on(loop, pipes[i][0], pipes[i + 1][1], passed));
    loop.start(feed(loop, pipes[0][1], 50));
    ktap.check(loop.run() == 0, "run");
    ktap.check(passed == 500 * (kStages - 1), "%ld bytes were passed on", passed);
    long left = 0;
    char buffer[1000];
    for (long got; (got = read(pipes[kStages - 1][0], buffer, sizeof buffer)) > 0;)
        left += got;
    ktap.check(left == 500, "%ld bytes came out", left);
    ktap.test("a chain of pipes, one coroutine a stage");
}

// --- what it costs
[[gnu::noinline]] std::uint64_t ticks_of_posting(Context& f, long* handles) {
    const auto begin = ticks_begin();
#pragma GCC unroll 64
    for (unsigned i = 0; i < kEntries; ++i)
        handles[i] = flexsc_post(&f, SYS_getppid);
    return ticks_end() - begin;
}
[[gnu::noinline]] std::uint64_t ticks_of_reaping(Context& f, const long* handles, long& sum) {
    const auto begin = ticks_begin();
#pragma GCC unroll 64
    for (unsigned i = 0; i < kEntries; ++i)
        sum += flexsc_reap(&f, handles[i]);
    return ticks_end() - begin;
}

void cost(Ktap& ktap, Context& f) {
    if (Machine::read().get("accel") != "icount") {
        ktap.skip("instructions of post and reap", "the time stamp counter does not count instructions");
        return;
    }
    long handles[kEntries], sum = 0;
    double post = 1e9, reap = 1e9, all = 1e9;
    const auto ruler = measure_ruler();
    for (int round = 0; round < 9; ++round) { // the least: an interrupt is none of ours
        const auto posting = ticks_of_posting(f, handles) - ruler;
        (void)flexsc_await(&f, handles[0]);
        handles[0] = flexsc_post(&f, SYS_getppid);
        for (const long handle : handles)
            while (!flexsc_poll(&f, handle))
                (void)flexsc_wait(&f);
        const auto reaping = ticks_of_reaping(f, handles, sum) - ruler;
        post = std::min(post, static_cast<double>(posting) / kEntries);
        reap = std::min(reap, static_cast<double>(reaping) / kEntries);
        if (policy != FLEXSC_OWN)
            continue;
        const auto begin = ticks_begin();
        (void)ticks_of_posting(f, handles);
        (void)flexsc_wait(&f);
        (void)ticks_of_reaping(f, handles, sum);
        all = std::min(all, static_cast<double>(ticks_end() - begin - 3 * ruler) / kEntries);
    }
    ktap.note("instructions a call, of which one stores or adds: post %.2f, reap %.2f", post, reap);
    if (policy == FLEXSC_OWN)
        ktap.note("all told at a batch of 64, own core: %.2f", all);
    ktap.check(post <= 10, "post costs %.2f", post); // with the store of the handle
    ktap.check(reap <= 10, "reap costs %.2f", reap); // with the load of the handle, and the sum
    ktap.test("instructions of post and reap");
}

} // namespace

int main(int argc, char** argv) {
    if (argc > 1 && !strcmp(argv[1], "worker"))
        policy = FLEXSC_WORKER_IPI;
    if (argc > 1 && !strcmp(argv[1], "poll"))
        policy = FLEXSC_WORKER_POLL;
    Ktap ktap(11);
    errors_of_open(ktap);
    Context f;
    if (const int failed = flexsc_open(&f, policy, 1); failed != 0) {
        ktap.note("no context: %s", strerror(-failed));
        return ktap.finish();
    }
    post_and_await(ktap, f);
    backpressure(ktap, f);
    callbacks(ktap, f);
    blocking(ktap, f);
    threads(ktap);
    fork_and_reopen(ktap, f);
    from_c(ktap, f);
    cost(ktap, f);
    flexsc_close(&f);
    coroutines(ktap);
    return ktap.finish();
}
