// What every way into the kernel leaves on the thread's kernel stack. It lies at the very top of that stack while user
// code's registers are saved there. The argument registers stand in the order of a system call's arguments, so that a
// handler reads them as an array, exactly as it reads the snapshot of a FlexSC entry.
#pragma once

#include <cstddef>

#include "lib/types.h"

namespace tollgate {

struct TrapFrame {
    u64 r15, r14, r13, r12, rbp, rbx; ///< callee-saved: filled by interrupts and faults, and lazily by a system call
    u64 r11, rcx;                     ///< filled by everything but SYSCALL, whose RCX and R11 are rip and rflags
    u64 args[6];                      ///< rdi, rsi, rdx, r10, r8, r9
    u64 rax;
    u64 vector;                   ///< the exception or interrupt, or kVectorSyscall
    u64 error;                    ///< the CPU's error code, 0 if it pushes none; a system call's number
    u64 rip, cs, rflags, rsp, ss; ///< [SDM vol 3, 6.14.2]

    bool from_user() const { return (cs & 3) == 3; }
};
static_assert(sizeof(TrapFrame) == 22 * 8);
static_assert(sizeof(TrapFrame) % 16 == 0, "the handler is called with an aligned stack");

/// TrapFrame::vector of a call that came through SYSCALL.
inline constexpr u64 kVectorSyscall = 0x100;
/// TrapFrame::vector of a frame whose registers no system call's result belongs to any more: a signal handler's, or
/// what sigreturn restores.
inline constexpr u64 kVectorNone = 0x101;

/// RFLAGS bits that keep a frame from leaving by SYSRET: TF (it would trap in the kernel on some CPUs), IOPL, NT, RF,
/// VM, and everything that user code may not have set. Linux takes the slow path for TF and RF as well.
inline constexpr u64 kSysretForbiddenFlags = 1 << 8 | 3 << 12 | 1 << 14 | 1 << 16 | 1 << 17 | 1 << 19 | 1 << 20;

// [SDM vol 3, 6.3.1] exceptions
inline constexpr u8 kVectorDe = 0, kVectorDb = 1, kVectorNmi = 2, kVectorBp = 3, kVectorOf = 4, kVectorBr = 5,
                    kVectorUd = 6;
inline constexpr u8 kVectorNm = 7, kVectorDf = 8, kVectorTs = 10, kVectorNp = 11, kVectorSs = 12, kVectorGp = 13;
inline constexpr u8 kVectorPf = 14, kVectorMf = 16, kVectorAc = 17, kVectorMc = 18, kVectorXm = 19;
// Ours
/// [first, end) are handed out to devices: cpu/interrupts.h. 0x20 to 0x2f are where the masked 8259 pair would
/// deliver.
inline constexpr u8 kVectorDeviceFirst = 0x30, kVectorDeviceEnd = 0x40;
inline constexpr u8 kVectorInt80 = 0x80;
inline constexpr u8 kVectorTimer = 0xf0, kVectorReschedule = 0xf1, kVectorTlb = 0xf2;
inline constexpr u8 kVectorSpurious = 0xff;

// [SDM vol 3, 4.7] page-fault error code
inline constexpr u64 kPfPresent = 1, kPfWrite = 2, kPfUser = 4, kPfReserved = 8, kPfFetch = 16;

} // namespace tollgate
