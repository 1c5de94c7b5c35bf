// What system calls need from layers above them: the gates' own calls. main.cpp sets them once, before the first
// process.
#pragma once

#include "api/flexsc.h"
#include "lib/address.h"
#include "lib/result.h"

namespace tollgate {

struct Caller;

/// A null hook answers Errno::NoSys.
struct SyscallHooks {
    Result<u64> (*flexsc_register)(Caller&, UserPtr<api::FlexscParams>) = nullptr;
    Result<u64> (*flexsc_wait)(Caller&, u64 pages, u64 flags) = nullptr;
    /// munmap(2) of an address at or above kFastcallSpace: takes a fastcall function away.
    Result<void> (*fastcall_unmap)(Caller&, u64 address, u64 length) = nullptr;
};
void syscall_set_hooks(const SyscallHooks& hooks);
const SyscallHooks& syscall_hooks();

} // namespace tollgate
