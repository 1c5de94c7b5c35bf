// FS and GS bases of user code. While the kernel runs, the user's GS base waits in IA32_KERNEL_GS_BASE; with FSGSBASE
// user code changes both without our knowing, so that they are read back when the thread leaves the core.
#pragma once

#include "cpu/features.h"
#include "cpu/x86.h"

namespace tollgate {

inline u64 read_user_fs_base() { return x86::rdmsr(x86::kMsrFsBase); }
inline u64 read_user_gs_base() { return x86::rdmsr(x86::kMsrKernelGsBase); }
/// `base` must be canonical: a WRMSR of anything else is #GP on hardware (and accepted by TCG).
inline void load_user_fs_base(u64 base) { x86::wrmsr(x86::kMsrFsBase, base); }
inline void load_user_gs_base(u64 base) { x86::wrmsr(x86::kMsrKernelGsBase, base); }

} // namespace tollgate
