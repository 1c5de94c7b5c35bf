// /proc/tollgate: the kernel's own counters, one "key value" a line, summed over the CPUs. docs/proc.md explains each.
#include "cpu/cpu.h"
#include "fs/proc_text.h"
#include "fs/vfs.h"
#include "mem/frames.h"

namespace tollgate::fs {
namespace {

u64 sum(u64 CpuCounters::*counter) {
    u64 total = 0;
    for (unsigned n = 0; n < cpu_count(); ++n)
        total += cpu_by_number(n).counters.*counter;
    return total;
}

void line(Sink& to, const char* key, u64 value) { format_to(to, "{} {}\n", key, value); }

// A native call that leaves by SYSRET costs no counter of its own: those are the SYSRETs.
void write_calls(Sink& to) {
    line(to, "native", sum(&CpuCounters::return_sysret) + sum(&CpuCounters::native_slow));
    line(to, "int80", sum(&CpuCounters::calls_int80));
    line(to, "flexsc", sum(&CpuCounters::calls_flexsc));
    line(to, "fastcall_faults", sum(&CpuCounters::fastcall_faults));
}

void write_returns(Sink& to) {
    line(to, "sysret", sum(&CpuCounters::return_sysret));
    line(to, "iret", sum(&CpuCounters::return_iret));
    line(to, "killed", sum(&CpuCounters::return_killed));
}

void write_memory(Sink& to) {
    line(to, "frames_total", frames::total_count());
    line(to, "frames_free", frames::free_count());
}

void write_interrupt_counts(Sink& to) {
    line(to, "interrupts", sum(&CpuCounters::interrupts));
    line(to, "nmis", sum(&CpuCounters::nmis));
    line(to, "spurious", sum(&CpuCounters::spurious));
    line(to, "switches", sum(&CpuCounters::switches));
}

} // namespace

Result<void> add_tollgate_files() {
    TRY(add_text_file("/proc/tollgate/calls", write_calls));
    TRY(add_text_file("/proc/tollgate/returns", write_returns));
    TRY(add_text_file("/proc/tollgate/memory", write_memory));
    return add_text_file("/proc/tollgate/interrupts", write_interrupt_counts);
}

} // namespace tollgate::fs
