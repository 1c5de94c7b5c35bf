// The calls that Linux does not have, and the hooks through which the gates' own calls are reached.
#include "syscall/handlers.h"

namespace tollgate {
namespace {

constinit SyscallHooks hooks; // global: handlers have no other way up; set once at boot

/// Where copy64 puts what it copies: a cache line for each CPU. A thread that moves in the middle leaves it in another
/// CPU's, which harms nothing, since nobody reads them.
struct alignas(64) Copy64Slot {
    std::byte bytes[64];
};
constinit Copy64Slot copy64_slots[kMaxCpus] = {};

} // namespace

void syscall_set_hooks(const SyscallHooks& new_hooks) { hooks = new_hooks; }
const SyscallHooks& syscall_hooks() { return hooks; }

Result<u64> sys_flexsc_register(Caller& caller, UserPtr<api::FlexscParams> params) {
    if (!hooks.flexsc_register)
        return fail(Errno::NoSys);
    return hooks.flexsc_register(caller, params);
}

Result<u64> sys_flexsc_wait(Caller& caller, u64 pages, u64 flags) {
    if (!hooks.flexsc_wait)
        return fail(Errno::NoSys);
    return hooks.flexsc_wait(caller, pages, flags);
}

Result<u64> sys_copy64(Caller&, u64 source) {
    Copy64Slot& slot = copy64_slots[this_cpu().number];
    TRY(copy_from_user_bytes(slot.bytes, source, sizeof slot.bytes));
    return 0;
}

} // namespace tollgate
