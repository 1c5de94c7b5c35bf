// The scheduler: one run queue per core, round robin, preemption by a time slice that is armed only while somebody else
// waits. A thread that wakes goes to an idle core if its own is busy, and a core that runs out of threads takes one
// from another. An idle core halts.
#pragma once

#include "cpu/traps.h"
#include "sched/thread.h"
#include "sched/wait_queue.h"

namespace tollgate::sched {

/// What a core does: application cores run processes, worker cores run FlexSC workers.
enum class Role : u8 { Application, Worker };
/// How a worker core waits for work: HLT, which an IPI ends, or MWAIT, which a store ends, where the CPU has it.
enum class Rest : u8 { Halt, Monitor };
/// Whether worker cores run ordinary threads too, as long as their worker has nothing to do.
enum class Sharing : u8 { Dedicated, Shared };

/// The last `workers` cores become workers; at least one application core stays. Called once, before any user thread
/// starts.
void set_roles(unsigned workers, Sharing sharing, Rest rest);
Role role(unsigned cpu);
unsigned worker_count();
/// CPU number of worker n.
unsigned worker_cpu(unsigned n);
/// How often a core has waited by MWAIT.
u64 monitor_waits(unsigned cpu);

/// Turns the calling context (boot or AP start) into this CPU's idle thread; interrupts get enabled. Never returns.
[[noreturn]] void run_idle();
/// Must be called once per CPU before run_idle(), on that CPU.
void initialise_cpu();

/// Makes a new thread runnable on the least loaded core that its affinity allows.
void start(Thread& thread);
/// Makes it runnable on that core only.
void start_on(Thread& thread, unsigned cpu);
/// The same, before all ordinary threads: whichever of them runs there gives way as soon as it is out of the kernel.
void start_urgent(Thread& thread, unsigned cpu);

/// The thread that runs on this CPU.
Thread& current();
/// Gives the core to another ready thread, if there is one.
void yield();
/// Runs `borrower`, which is parked, on this core in place of the current thread, whose vector registers and address
/// space stay loaded: a call to another kernel stack, much cheaper than a switch. True: it gave the core back, and may
/// be lent to again. False: it had to wait, or to let others run; it goes on by itself and will park itself.
bool lend(Thread& borrower);
/// Ends the loan: the lender goes on; returns when the core is lent again. The current thread is_lent().
void give_back();
/// The current thread, which is not lent the core any more, waits until it is lent to again. Others find it is_parked()
/// once this core is off its stack. A thread that was never started is parked too.
void park();
bool is_parked(const Thread& thread);
/// Ends the current thread. Its last reference is dropped after the switch.
[[noreturn]] void exit_current();
/// Errno::TimedOut is the normal end; Errno::RestartSys if a signal or the thread's end comes first.
Result<void> sleep_until(Deadline deadline);
/// Marks a thread as killed: it wakes from every wait and ends at its next return to user code.
void kill(Thread& thread);
/// A signal is pending for the thread: it wakes from an interruptible wait and looks at its signals before it returns
/// to user code.
void interrupt(Thread& thread);
/// bit n = CPU n. Errno::Inval if no online application core remains. The current thread moves before this returns.
Result<void> set_affinity(Thread& thread, u64 cpus);
u64 affinity(const Thread& thread);

/// How long a thread runs while others wait for its core.
inline constexpr u64 kSliceNs = 10'000'000;

/// How long it has run, in TSC ticks, and how many timer interrupts have met it in user code and in the kernel; and how
/// long others have run in the kernel on its behalf.
struct CpuTime {
    u64 ticks;
    u32 user_samples, kernel_samples;
    u64 others_ticks;
};
CpuTime cpu_time(const Thread& thread);
/// Others have run for it for so long.
void charge(Thread& payer, u64 ticks);
/// So has the current thread all its time; for itself it begins at 0 again.
void charge_current(Thread& payer);

/// Interrupt handlers, set through TrapHandlers by main.cpp.
void on_timer(TrapOrigin origin);
void on_reschedule();

} // namespace tollgate::sched
