// The per-CPU block, which GS points to while the kernel runs, and the table of CPUs. The block lies in the CPU's entry
// area and is mapped by the user page table of pti=on too, since the entry code needs it before it can switch: nothing
// secret may be kept here.
#pragma once

#include "cpu/x86.h"
#include "lib/atomic.h"
#include "lib/types.h"

namespace tollgate {

class Thread;
struct Caller;

inline constexpr unsigned kMaxCpus = 64;

/// Bits of Cpu::work: what the current thread must do before it returns to user code.
inline constexpr u32 kWorkReschedule = 1; ///< another thread wants this core
inline constexpr u32 kWorkThread = 2;     ///< the thread itself has something pending: it is being killed
inline constexpr u32 kWorkFullReturn = 4; ///< the saved frame was edited: leave by iret with every register restored

/// Counters that one CPU alone writes; readers add them up.
struct CpuCounters {
    u64 return_sysret, return_iret, return_killed;
    u64 native_slow; ///< native calls that did not leave by SYSRET
    u64 calls_int80, calls_flexsc;
    u64 interrupts, nmis, spurious, switches, fastcall_faults;
    u64 sigreturn_refused; ///< frames that rt_sigreturn did not take
};

struct Cpu {
    Cpu* self;        // the first words are read by assembly: asm_offsets.cpp
    u64 user_rsp;     // scratch of the native entry
    u64 kernel_stack; // top of the current thread's kernel stack
    u64 kernel_cr3;   // value to load on the way in (pti=on)
    u64 user_cr3;     // value to load on the way out (pti=on)
    u64 stack_guard;  // %gs:40, where -mcmodel=kernel code expects the stack protector's canary
    Caller* caller;   // the current thread's identity, handed to system calls
    u32 work;         // kWork*; tested by every return to user code
    u32 mds_selector; // operand of verw [SDM vol 3, 5.1; INTEL-SA-00233]
    u64 entry_stack;  // top of the stack in TSS.RSP0, mapped in both page tables
    u64 scratch;      // one register's worth, for the entries that come through the IDT
    CpuCounters counters;

    Thread* current;
    Thread* idle;
    u32 number; // 0 .. cpu_count() - 1
    u32 apic_id;
    u64 tsc_hz;
    u32 lock_ranks; // bit n: a lock of rank n is held (debug)
    u32 lock_depth;
    Atomic<u32> tlb_pending; // a shootdown waits for this CPU
    Atomic<u32> online;
    void* loaded_space; // the AddressSpace in CR3; null for the kernel's own
    bool in_panic;
};
static_assert(__builtin_offsetof(Cpu, stack_guard) == 40);
static_assert(sizeof(Cpu) <= 4096);

/// The block of the CPU this runs on. Valid from the first C++ instruction; the thread may move unless interrupts are
/// off.
inline Cpu& this_cpu() {
    Cpu* cpu;
    asm volatile("movq %%gs:0, %0" : "=r"(cpu));
    return *cpu;
}

/// CPUs that have been started, the boot processor first.
unsigned cpu_count();
/// number < cpu_count().
Cpu& cpu_by_number(unsigned number);
/// Set by a panic: a CPU that gets an NMI from now on halts.
extern constinit Atomic<u32> cpus_stopped;

/// Adds a started or starting CPU to the table; returns its number.
unsigned cpu_register(Cpu& cpu);

/// Bits of Cpu::work are set by interrupt handlers and by the thread itself, always on the own CPU.
inline void cpu_request_work(u32 bits) {
    asm volatile("orl %0, %%gs:%c1" ::"ri"(bits), "i"(__builtin_offsetof(Cpu, work)) : "memory", "cc");
}
inline void cpu_clear_work(u32 bits) {
    asm volatile("andl %0, %%gs:%c1" ::"ri"(~bits), "i"(__builtin_offsetof(Cpu, work)) : "memory", "cc");
}

} // namespace tollgate
