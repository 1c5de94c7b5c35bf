// What entry.S of this gate calls. The same table as the native gate.
#include "cpu/cpu.h"
#include "cpu/trap_frame.h"
#include "syscall/dispatch.h"

namespace tollgate {

extern "C" void int80_syscall(TrapFrame* frame) {
    Cpu& cpu = this_cpu();
    ++cpu.counters.calls_int80;
    frame->rax = static_cast<u64>(syscall_dispatch(*cpu.caller, frame->rax, frame->args, trap_table));
}

} // namespace tollgate
