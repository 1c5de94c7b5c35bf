// The system calls and the device that option spma22=on adds (api/spma22.h). Off, the calls are ENOSYS like any other
// number that is not in use, and there is no device.
#pragma once

#include "task/process.h"

namespace tollgate {

Result<u64> sys_fccmp_array(Caller&, u64 data, u8 index, u8 size);
Result<u64> sys_fccmp_nt(Caller&, u64 data, u8 index);
Result<u64> sys_syscall_bench(Caller&, u32 counter, UserPtr<u64> values);
Result<u64> sys_perf_event_open(Caller&, UserPtr<const u8> attributes, int process, int cpu, int group, u64 flags);

namespace spma22 {

/// Boot, before the first process.
void enable();
bool enabled();
/// An open of /dev/fccmp.
Result<Ref<File>> open_device(const Caller*, u32 flags);
/// What the calls write to. Nobody reads it but tests.
std::span<const std::byte> array();

} // namespace spma22
} // namespace tollgate
