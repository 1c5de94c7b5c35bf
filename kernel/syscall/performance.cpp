// Performance counters for user code, which option spma22=on offers where the CPU has them. This kernel drives none
// yet, so both calls say what Linux says on a machine without.
#include "mem/user_copy.h"
#include "syscall/spma22.h"

namespace tollgate {

Result<u64> sys_perf_event_open(Caller&, UserPtr<const u8> attributes, int, int, int, u64 flags) {
    constexpr u64 kSmallest = 64, kKnownFlags = 0xf, kSizeOffset = 4; // [linux/perf_event.h] PERF_ATTR_SIZE_VER0
    if (!spma22::enabled())
        return fail(Errno::NoSys);
    if (flags & ~kKnownFlags)
        return fail(Errno::Inval);
    const u32 size = TRY(copy_from_user(UserPtr<const u32>(attributes.address() + kSizeOffset)));
    if (size != 0 && (size < kSmallest || size > kPageSize))
        return fail(Errno::TooBig);
    std::byte image[kSmallest];
    TRY(copy_from_user_bytes(image, attributes.address(), sizeof image));
    return fail(Errno::NoEnt);
}

Result<u64> sys_syscall_bench(Caller&, u32, UserPtr<u64>) {
    return fail(spma22::enabled() ? Errno::NoDev : Errno::NoSys);
}

} // namespace tollgate
