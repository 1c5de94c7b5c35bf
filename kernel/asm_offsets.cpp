// Compiled to assembly only, never linked: each line becomes a #define in asm_offsets.h, so that no number is known to
// both languages.
#include "api/fastcall.h"
#include "api/numbers.h"
#include "cpu/clock.h"
#include "cpu/cpu.h"
#include "cpu/fastcall_cpu.h"
#include "cpu/fpu_signal.h"
#include "cpu/layout.h"
#include "cpu/segments.h"
#include "cpu/smp.h"
#include "cpu/trap_frame.h"
#include "lib/boot_protocol.h"
#include "lib/errno.h"
#include "syscall/dispatch.h"

#include <bit>

#define DEFINE(name, value) asm volatile("\n#define " #name " %c0 //@" ::"i"(static_cast<long>(value)))

using namespace tollgate;

void emit_offsets() {
    DEFINE(CPU_USER_RSP, offsetof(Cpu, user_rsp));
    DEFINE(CPU_KERNEL_STACK, offsetof(Cpu, kernel_stack));
    DEFINE(CPU_KERNEL_CR3, offsetof(Cpu, kernel_cr3));
    DEFINE(CPU_USER_CR3, offsetof(Cpu, user_cr3));
    DEFINE(CPU_STACK_GUARD, offsetof(Cpu, stack_guard));
    DEFINE(CPU_CALLER, offsetof(Cpu, caller));
    DEFINE(CPU_WORK, offsetof(Cpu, work));
    DEFINE(CPU_MDS_SELECTOR, offsetof(Cpu, mds_selector));
    DEFINE(CPU_ENTRY_STACK, offsetof(Cpu, entry_stack));
    DEFINE(CPU_SCRATCH, offsetof(Cpu, scratch));
    DEFINE(CPU_RETURN_SYSRET, offsetof(Cpu, counters.return_sysret));
    DEFINE(CPU_RETURN_IRET, offsetof(Cpu, counters.return_iret));
    DEFINE(CPU_NATIVE_SLOW, offsetof(Cpu, counters.native_slow));
    DEFINE(CPU_CALLS_INT80, offsetof(Cpu, counters.calls_int80));
    DEFINE(FRAME_SIZE, sizeof(TrapFrame));
    DEFINE(FRAME_WORDS, sizeof(TrapFrame) / 8);
    DEFINE(FRAME_R11, offsetof(TrapFrame, r11));
    DEFINE(FRAME_RCX, offsetof(TrapFrame, rcx));
    DEFINE(FRAME_ARGS, offsetof(TrapFrame, args));
    DEFINE(FRAME_RAX, offsetof(TrapFrame, rax));
    DEFINE(FRAME_ERROR, offsetof(TrapFrame, error));
    DEFINE(LINUX_NUMBERS, kLinuxNumbers);
    DEFINE(OWN_NUMBER_FIRST, api::kSysOwnFirst);
    DEFINE(OWN_NUMBERS, kOwnNumbers);
    DEFINE(TABLE_SIZE, kLinuxNumbers + kOwnNumbers);
    DEFINE(ERROR_NO_SYSTEM_CALL, Errno::NoSys);
    DEFINE(WORK_FULL_RETURN, kWorkFullReturn);
    DEFINE(FRAME_VECTOR, offsetof(TrapFrame, vector));
    DEFINE(FRAME_RIP, offsetof(TrapFrame, rip));
    DEFINE(FRAME_CS, offsetof(TrapFrame, cs));
    DEFINE(FRAME_RFLAGS, offsetof(TrapFrame, rflags));
    DEFINE(FRAME_RSP, offsetof(TrapFrame, rsp));
    DEFINE(FRAME_SS, offsetof(TrapFrame, ss));
    DEFINE(FPU_LEGACY_SIZE, kFpuLegacySize);
    DEFINE(FPU_HEADER_WORDS, kFpuHeaderSize / 8);
    DEFINE(FPU_SOFTWARE_OFFSET, kFpuSoftwareOffset);
    DEFINE(FPU_SOFTWARE_WORDS, sizeof(FpuSoftwareBytes) / 8);
    DEFINE(FPU_MAGIC2, kFpuMagic2);
    DEFINE(VECTOR_SYSCALL, kVectorSyscall);
    DEFINE(VECTOR_INT80, kVectorInt80);
    DEFINE(KERNEL_CODE, kKernelCode);
    DEFINE(KERNEL_DATA, kKernelData);
    DEFINE(USER_CODE, kUserCode);
    DEFINE(USER_DATA, kUserData);
    DEFINE(TSS_SELECTOR, kTss);
    DEFINE(CPU_NODE_SELECTOR, kCpuNode);
    DEFINE(SYSRET_FORBIDDEN_FLAGS, kSysretForbiddenFlags);
    DEFINE(FLAG_IF, x86::kFlagIf);
    DEFINE(USER_TOP_SHIFT, 47);
    DEFINE(ENTRY_AREA_SIZE, kEntryAreaSize);
    DEFINE(KERNEL_BASE, kKernelBase);
    DEFINE(DIRECT_MAP_SLOT, kDirectMapSlot);
    DEFINE(FASTCALL_SPACE, kFastcallSpace);
    DEFINE(FASTCALL_STACKS, kFastcallStacks);
    DEFINE(FASTCALL_ARRAYS, kFastcallArrays);
    DEFINE(FASTCALL_ARRAY_SIZE, kFastcallArraySize);
    DEFINE(FASTCALL_CHECKED, kFastcallArrays + 3 * kFastcallArraySize);
    DEFINE(FASTCALL_COUNTS, kFastcallCounts);
    DEFINE(FASTCALL_LONGEST, kFastcallCounts + kFastcallArraySize);
    DEFINE(FASTCALL_FORBIDDEN_FLAGS,
           x86::kFlagTf | x86::kFlagIf | x86::kFlagDf | x86::kFlagIopl | x86::kFlagNt | x86::kFlagAc);
    static_assert(kEntryAreas << 32 == 0);
    DEFINE(ENTRY_AREAS_HIGH, static_cast<i64>(kEntryAreas) >> 32);
    DEFINE(ENTRY_AREA_SHIFT, std::countr_zero(kEntryAreaSize));
    DEFINE(AREA_FASTCALL, kAreaFastcall);
    DEFINE(CHECK_RSP, offsetof(FastcallCpu, rsp));
    DEFINE(CHECK_RCX, offsetof(FastcallCpu, rcx));
    DEFINE(CHECK_R11, offsetof(FastcallCpu, r11));
    DEFINE(CHECK_RDX, offsetof(FastcallCpu, rdx));
    DEFINE(CHECK_INDEX, offsetof(FastcallCpu, index));
    DEFINE(CHECK_GS_BASE, offsetof(FastcallCpu, gs_base));
    DEFINE(CHECK_START, offsetof(FastcallCpu, start));
    DEFINE(CHECK_RESULT, offsetof(FastcallCpu, result));
    DEFINE(CHECK_EXIT_RSP, offsetof(FastcallCpu, exit_rsp));
    DEFINE(CHECK_EXIT_RCX, offsetof(FastcallCpu, exit_rcx));
    DEFINE(CHECK_EXIT_R11, offsetof(FastcallCpu, exit_r11));
    DEFINE(CHECK_EXIT_GS_BASE, offsetof(FastcallCpu, exit_gs_base));
    DEFINE(CHECK_EXIT_FLAGS, offsetof(FastcallCpu, exit_flags));
    DEFINE(FASTCALL_ENTRIES, api::kFastcallEntries);
    DEFINE(SYS_FASTCALL, api::kSysFastcall);
    DEFINE(AP_TRAMPOLINE, kApTrampoline);
    DEFINE(CLOCK_BEGUN, offsetof(ClockPage, begun));
    DEFINE(CLOCK_DONE, offsetof(ClockPage, done));
    DEFINE(CLOCK_HAS_RDPID, offsetof(ClockPage, has_rdpid));
    DEFINE(CLOCK_MULTIPLIER, offsetof(ClockPage, multiplier));
    DEFINE(CLOCK_BASES, offsetof(ClockPage, clocks));
    DEFINE(CLOCK_SHIFT, kClockShift);
    DEFINE(CLOCK_SET, kTscClockSet);
    DEFINE(CLOCK_COUNT, kTscClocks);
    DEFINE(CLOCK_MONOTONIC, kClockMonotonic);
    DEFINE(BOOT_PROTOCOL_PVH, static_cast<int>(BootProtocol::Pvh));
    DEFINE(BOOT_PROTOCOL_MULTIBOOT2, static_cast<int>(BootProtocol::Multiboot2));
}
