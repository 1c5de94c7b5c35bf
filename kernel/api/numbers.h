// The system-call numbers that are Tollgate's own; every other number is Linux' (<asm/unistd_64.h>).
// User programs and the kernel's table read the same file.
#pragma once

namespace tollgate::api {

/// fastcall(index, a1, a2, a3, a4, a5): the prototype's number. Linux gives 442 to mount_setattr, which Tollgate lacks.
inline constexpr unsigned kSysFastcall = 442;

/// flexsc_register(FlexscParams*): 0, or -errno. See api/flexsc.h.
inline constexpr unsigned kSysFlexscRegister = 4096;
/// flexsc_wait(u64 pages, u64 flags): executes or waits for what is submitted; how many are newly done, or -errno.
inline constexpr unsigned kSysFlexscWait = 4097;
/// copy64(const void* source): copies 64 bytes from the caller into a kernel buffer; 0 or -EFAULT. The comparison's
/// "64-byte copy".
inline constexpr unsigned kSysCopy64 = 4098;
/// null(): returns 0 and does nothing else. The comparison's empty call.
inline constexpr unsigned kSysNull = 4099;
/// probe(operation, a, b): test instrument of a kernel built with tests (api/probe.h); -ENOSYS in the ordinary kernel.
inline constexpr unsigned kSysProbe = 4100;

/// First number of the own range and one past its last.
inline constexpr unsigned kSysOwnFirst = 4096;
inline constexpr unsigned kSysOwnEnd = 4112;

} // namespace tollgate::api
