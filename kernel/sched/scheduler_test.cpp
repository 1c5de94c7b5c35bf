// Threads, waiting and moving. Kernel threads are not preempted, so everything here sleeps or yields; waits are bounded
// by a count of short sleeps, and no test asserts how long anything took.
#ifdef TOLLGATE_KERNEL
#include "sched/scheduler.h"

#include "cpu/clock.h"
#include "cpu/cpu.h"
#include "cpu/tlb.h"
#include "mem/page_table.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

constexpr u64 kMillisecond = 1'000'000;

u64 in_ms(u64 milliseconds) { return clock_monotonic_ns() + milliseconds * kMillisecond; }

template <class Condition>
bool comes_true(Condition condition) {
    for (int i = 0; i < 10'000; ++i) {
        if (condition())
            return true;
        (void)sched::sleep_until(in_ms(1));
    }
    return false;
}

/// Starts a thread at `entry` and says which; ends it by waiting until only we know of it.
struct Runner {
    Ref<Thread> thread;
    explicit Runner(void (*entry)(void*), void* argument, unsigned cpu = kMaxCpus) {
        Result<Ref<Thread>> made = Thread::create("test", entry, argument);
        if (!made.has_value())
            return;
        thread = std::move(*made);
        if (cpu == kMaxCpus)
            sched::start(*thread);
        else
            sched::start_on(*thread, cpu);
    }
    bool gone() const {
        return comes_true([this] { return thread->ref_count() == 1; });
    }
};

constinit Atomic<u32> counter{0};

TEST(Scheduler, ThreadsRunAndEnd) {
    counter.store(0, kRelaxed);
    constexpr unsigned kThreads = 16;
    {
        Ref<Thread> threads[kThreads];
        for (Ref<Thread>& thread : threads) {
            Runner runner(
                [](void*) {
                    counter.fetch_add(1, kRelaxed);
                    sched::yield();
                    counter.fetch_add(1, kRelaxed);
                    sched::exit_current();
                },
                nullptr);
            ASSERT_TRUE(static_cast<bool>(runner.thread));
            thread = runner.thread;
        }
        for (const Ref<Thread>& thread : threads)
            EXPECT_TRUE(comes_true([&] { return thread->ref_count() == 1; }));
    }
    EXPECT_EQ(counter.load(kRelaxed), 2 * kThreads);
}

struct Turns {
    char order[32];
    unsigned count = 0;
};

template <char Name>
void take_turns(void* argument) {
    Turns& turns = *static_cast<Turns*>(argument);
    for (int i = 0; i < 8; ++i) {
        turns.order[turns.count++] = Name;
        sched::yield();
    }
    sched::exit_current();
}

TEST(Scheduler, YieldGoesRound) {
    Turns turns;
    const unsigned here = this_cpu().number;
    Runner a(take_turns<'a'>, &turns, here), b(take_turns<'b'>, &turns, here);
    ASSERT_TRUE(a.thread && b.thread);
    EXPECT_EQ(turns.count, 0u); // nobody takes the core from us
    EXPECT_TRUE(a.gone() && b.gone());
    ASSERT_EQ(turns.count, 16u);
    for (unsigned i = 0; i < 16; ++i)
        EXPECT_EQ(turns.order[i], i % 2 == 0 ? 'a' : 'b');
}

TEST(Scheduler, YieldAloneReturns) {
    for (int i = 0; i < 1000; ++i)
        sched::yield();
    EXPECT_TRUE(sched::current().name() == "main");
}

/// A thread that waits for `open`, and what came of it.
struct Gate {
    WaitQueue queue;
    Atomic<u32> open{0}, waiting{0}, done{0};
    u64 key = 0;
    Deadline deadline = kNoDeadline;
    Atomic<u32> error{0};

    static void wait(void* argument) {
        Gate& gate = *static_cast<Gate*>(argument);
        const Result<void> result = gate.queue.wait_while(
            [&] {
                gate.waiting.fetch_add(1, kRelaxed);
                return gate.open.load(kAcquire) == 0;
            },
            gate.deadline, gate.key);
        gate.error.store(result.has_value() ? 0 : static_cast<u32>(result.error()), kRelaxed);
        gate.done.fetch_add(1, kRelease);
        sched::exit_current();
    }
    bool somebody_waits(u32 many = 1) {
        return comes_true([&] { return waiting.load(kRelaxed) >= many; });
    }
};

TEST(WaitQueue, WakeEndsTheWait) {
    Gate gate;
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu) {
        gate.open.store(0, kRelaxed);
        gate.waiting.store(0, kRelaxed);
        Runner waiter(Gate::wait, &gate, cpu);
        ASSERT_TRUE(static_cast<bool>(waiter.thread));
        EXPECT_TRUE(gate.somebody_waits());
        gate.queue.wake_all(); // in vain: the condition holds
        gate.open.store(1, kRelease);
        (void)comes_true([&] {
            gate.queue.wake_all();
            return gate.done.load(kAcquire) == cpu + 1;
        });
        EXPECT_TRUE(waiter.gone());
        EXPECT_EQ(gate.error.load(kRelaxed), 0u);
    }
    EXPECT_EQ(gate.done.load(kRelaxed), cpu_count());
}

TEST(WaitQueue, WakesAsManyAsToldByKey) {
    Gate gate;
    const unsigned here = this_cpu().number;
    gate.key = 5;
    Runner a(Gate::wait, &gate, here), b(Gate::wait, &gate, here), c(Gate::wait, &gate, here);
    ASSERT_TRUE(a.thread && b.thread && c.thread);
    EXPECT_TRUE(gate.somebody_waits(3));
    EXPECT_EQ(gate.queue.wake(8, 4), 0u); // another key
    gate.open.store(1, kRelease);
    EXPECT_EQ(gate.queue.wake(1, 5), 1u);
    EXPECT_TRUE(a.gone()); // the oldest
    EXPECT_EQ(gate.done.load(kAcquire), 1u);
    EXPECT_EQ(gate.queue.wake_all(5), 2u);
    EXPECT_TRUE(b.gone() && c.gone());
    EXPECT_EQ(gate.done.load(kAcquire), 3u);
    EXPECT_EQ(gate.queue.wake_all(5), 0u);
}

TEST(WaitQueue, NoWaitIfTheConditionIsFalse) {
    WaitQueue queue;
    EXPECT_TRUE(queue.wait_while([] { return false; }).has_value());
    EXPECT_TRUE(queue.wait_while([] { return false; }, 0).has_value());
}

TEST(WaitQueue, Timeouts) {
    WaitQueue queue;
    for (const Deadline deadline : {Deadline{0}, Deadline{1}, in_ms(0), in_ms(3)}) {
        const Result<void> result = queue.wait_while([] { return true; }, deadline);
        ASSERT_FALSE(result.has_value());
        EXPECT_TRUE(result.error() == Errno::TimedOut);
        EXPECT_GE(clock_monotonic_ns() + 1000, deadline); // never early; a microsecond for the conversion's rounding
    }
    EXPECT_EQ(queue.wake_all(), 0u); // nothing is left behind
}

TEST(WaitQueue, KillInterruptsWithoutADeadline) {
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu) {
        Gate gate;
        Runner waiter(Gate::wait, &gate, cpu);
        ASSERT_TRUE(static_cast<bool>(waiter.thread));
        EXPECT_TRUE(gate.somebody_waits());
        sched::kill(*waiter.thread);
        EXPECT_TRUE(waiter.thread->is_killed());
        EXPECT_TRUE(waiter.gone());
        EXPECT_EQ(gate.error.load(kRelaxed), static_cast<u32>(Errno::RestartSys));
    }
}

TEST(WaitQueue, KillBeforeTheWait) {
    Gate gate;
    Runner waiter(Gate::wait, &gate, this_cpu().number);
    ASSERT_TRUE(static_cast<bool>(waiter.thread));
    sched::kill(*waiter.thread); // it has not run yet
    EXPECT_TRUE(waiter.gone());
    EXPECT_EQ(gate.error.load(kRelaxed), static_cast<u32>(Errno::RestartSys));
}

// A wake and a deadline that come at the same time: each wait must end, one way or the other.
TEST(WaitQueue, WakeRacesTheDeadline) {
    for (unsigned round = 0; round < 60; ++round) {
        Gate gate;
        gate.deadline = clock_monotonic_ns() + (round % 6) * kMillisecond / 2;
        Runner waiter(Gate::wait, &gate, round % cpu_count());
        ASSERT_TRUE(static_cast<bool>(waiter.thread));
        (void)sched::sleep_until(gate.deadline);
        gate.open.store(1, kRelease);
        gate.queue.wake_all();
        EXPECT_TRUE(waiter.gone());
        const u32 error = gate.error.load(kRelaxed);
        EXPECT_TRUE(error == 0 || error == static_cast<u32>(Errno::TimedOut));
    }
}

struct Sleeper {
    Deadline deadline;
    u64 woke = 0;
    Atomic<u32>* order;
    u32 place = 0;
};

TEST(Scheduler, SleepersWakeAtTheirTimeAndInOrder) {
    constexpr unsigned kSleepers = 5;
    Atomic<u32> order{0};
    Sleeper sleepers[kSleepers];
    const u64 start = in_ms(30);
    Ref<Thread> threads[kSleepers];
    for (unsigned i = 0; i < kSleepers; ++i) {
        sleepers[i].deadline = start + (kSleepers - i) * 40 * kMillisecond; // the first one to sleep wakes last
        sleepers[i].order = &order;
        Runner runner(
            [](void* argument) {
                Sleeper& self = *static_cast<Sleeper*>(argument);
                (void)sched::sleep_until(self.deadline);
                self.woke = clock_monotonic_ns();
                self.place = self.order->fetch_add(1, kRelaxed);
                sched::exit_current();
            },
            &sleepers[i], this_cpu().number);
        ASSERT_TRUE(static_cast<bool>(runner.thread));
        threads[i] = runner.thread;
    }
    for (unsigned i = 0; i < kSleepers; ++i) {
        EXPECT_TRUE(comes_true([&] { return threads[i]->ref_count() == 1; }));
        EXPECT_GE(sleepers[i].woke + 1000, sleepers[i].deadline);
    }
    // A host that stops this virtual CPU for 40 ms may let two of them wake together; the ends are far enough apart.
    EXPECT_GT(sleepers[0].place, sleepers[kSleepers - 1].place);
}

TEST(Scheduler, AffinityMovesTheCurrentThread) {
    const u64 all = ~u64{0};
    for (unsigned round = 0; round < 20; ++round)
        for (unsigned cpu = 0; cpu < cpu_count(); ++cpu) {
            EXPECT_TRUE(sched::set_affinity(sched::current(), u64{1} << cpu).has_value());
            EXPECT_EQ(this_cpu().number, cpu);
            EXPECT_TRUE(this_cpu().current == &sched::current());
        }
    for (const u64 nobody : {u64{0}, u64{1} << (kMaxCpus - 1)}) {
        const Result<void> refused = sched::set_affinity(sched::current(), nobody);
        ASSERT_FALSE(refused.has_value());
        EXPECT_TRUE(refused.error() == Errno::Inval);
    }
    EXPECT_TRUE(sched::set_affinity(sched::current(), all).has_value());
    EXPECT_EQ(sched::affinity(sched::current()), all);
}

/// Many short threads at once, each waited for; false if one could not be made or did not end.
bool burst(unsigned many) {
    constexpr unsigned kMost = 100;
    Ref<Thread> threads[kMost];
    for (unsigned i = 0; i < many && i < kMost; ++i) {
        Runner runner(
            [](void*) {
                sched::yield();
                sched::exit_current();
            },
            nullptr);
        if (!runner.thread)
            return false;
        threads[i] = runner.thread;
    }
    for (const Ref<Thread>& thread : threads)
        if (thread && !comes_true([&] { return thread->ref_count() == 1; }))
            return false;
    return true;
}

TEST(Scheduler, AThousandThreadsLeaveNothingBehind) { // [threats X3]
    ASSERT_TRUE(burst(100));                          // fills the cache of stacks and the heap's lists
    const u64 before = frames::free_count();
    constexpr u64 kSlabs = 4; // which sizes have a frame with room left depends on the order of things
    for (int i = 0; i < 20; ++i)
        ASSERT_TRUE(burst(50));
    EXPECT_GE(frames::free_count() + kSlabs, before);
    ASSERT_TRUE(burst(100)); // beyond the cache: stacks are unmapped on all CPUs
    EXPECT_GE(frames::free_count() + kSlabs, before);
}

constexpr u64 kFree = kKernelSpace + 0x3000000000;

struct Reading {
    u64 value[kMaxCpus];
};
void read_free_page(void* argument) {
    static_cast<Reading*>(argument)->value[this_cpu().number] = *reinterpret_cast<volatile u64*>(kFree);
}
/// What each CPU sees at kFree, through its own TLB.
void read_everywhere(Reading& reading) {
    cpu_call_others(read_free_page, &reading);
    const bool interrupts = x86::irq_save();
    read_free_page(&reading);
    x86::irq_restore(interrupts);
}

TEST(Tlb, UnmappedOnAllCpus) { // [threats M5]
    for (u64 round = 1; round <= 20; ++round) {
        Result<Frame> frame = Frame::allocate();
        ASSERT_TRUE(frame.has_value());
        *frame->data<u64>() = round;
        ASSERT_TRUE(paging::map_kernel(kFree, frame->address(), Access::Read).has_value());
        Reading reading{};
        read_everywhere(reading);
        for (unsigned cpu = 0; cpu < cpu_count(); ++cpu)
            EXPECT_EQ(reading.value[cpu], round); // not the frame of the round before
        EXPECT_EQ(paging::unmap_kernel(kFree), frame->address());
    }
}

TEST(Tlb, RequestsFromAllCpusAtOnce) {
    struct Storm {
        Atomic<u32> calls{0};
        Atomic<u32> ended{0};
    } storm;
    Ref<Thread> threads[8];
    const unsigned many = cpu_count() < 8 ? cpu_count() : 8;
    for (unsigned cpu = 0; cpu < many; ++cpu) {
        Runner runner(
            [](void* argument) {
                Storm& all = *static_cast<Storm*>(argument);
                for (int i = 0; i < 50; ++i) {
                    cpu_call_others([](void* s) { static_cast<Storm*>(s)->calls.fetch_add(1, kRelaxed); }, &all);
                    tlb_shootdown((u64{1} << cpu_count()) - 1, kFree, kFree + (i % 2 ? kPageSize : 64 * kPageSize));
                }
                sched::exit_current();
            },
            &storm, cpu);
        ASSERT_TRUE(static_cast<bool>(runner.thread));
        threads[cpu] = runner.thread;
    }
    for (unsigned cpu = 0; cpu < many; ++cpu)
        EXPECT_TRUE(comes_true([&] { return threads[cpu]->ref_count() == 1; }));
    EXPECT_EQ(storm.calls.load(kRelaxed), many * 50 * (cpu_count() - 1));
}

} // namespace
} // namespace tollgate
#endif
