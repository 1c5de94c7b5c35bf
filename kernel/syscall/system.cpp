// What programs ask about the machine and the limits they live in, random bytes, thread-local storage, and the
// scheduler.
#include "cpu/clock.h"
#include "cpu/user_bases.h"
#include "fs/random.h"
#include "lib/memory.h"
#include "mem/frames.h"
#include "syscall/handlers.h"

namespace tollgate {
namespace {

constexpr u64 kNanoseconds = 1'000'000'000;

} // namespace

Result<u64> sys_sysinfo(Caller&, UserPtr<SystemInfo> to) {
    SystemInfo info{};
    info.uptime = static_cast<i64>(clock_monotonic_ns() / kNanoseconds);
    info.total_ram = frames::total_count() * kPageSize;
    info.free_ram = frames::free_count() * kPageSize;
    const unsigned threads = task::thread_total();
    info.processes = static_cast<u16>(threads < 0xffff ? threads : 0xffff);
    info.unit = 1;
    TRY(copy_to_user(to, info));
    return 0;
}

Result<u64> sys_getrandom(Caller&, u64 buffer, u64 size, u32 flags) {
    constexpr u32 kNonBlocking = 1, kRandom = 2, kInsecure = 4; // [linux/random.h]
    constexpr u64 kMostAtOnce = 0x1ffffff;
    if ((flags & ~(kNonBlocking | kRandom | kInsecure)) || (flags & (kRandom | kInsecure)) == (kRandom | kInsecure))
        return fail(Errno::Inval);
    if (size > kMostAtOnce)
        size = kMostAtOnce;
    for (u64 done = 0; done < size;) {
        std::byte piece[fs::kRandomPiece];
        const u64 part = size - done < fs::kRandomPiece ? size - done : fs::kRandomPiece;
        fs::random_bytes({piece, part});
        TRY(copy_to_user_bytes(buffer + done, piece, part));
        done += part;
    }
    return size;
}

/// Comes through a trap only, so that the CPU's registers are the caller's.
Result<u64> sys_arch_prctl(Caller& caller, int operation, u64 argument) {
    constexpr int kSetGs = 0x1001, kSetFs = 0x1002, kGetFs = 0x1003, kGetGs = 0x1004; // [asm/prctl.h]
    if ((operation == kSetFs || operation == kSetGs) && argument >= kUserTop)
        return fail(Errno::Perm);
    switch (operation) {
    case kSetFs:
    case kSetGs: {
        InterruptGuard no_switch; // between the two copies of a base
        if (operation == kSetFs) {
            caller.thread->fs_base = argument;
            load_user_fs_base(argument);
        } else {
            caller.thread->user_gs_base = argument;
            load_user_gs_base(argument);
        }
        return 0;
    }
    case kGetFs:
        TRY(copy_to_user(UserPtr<u64>(argument), read_user_fs_base()));
        return 0;
    case kGetGs:
        TRY(copy_to_user(UserPtr<u64>(argument), read_user_gs_base()));
        return 0;
    default:
        return fail(Errno::Inval);
    }
}

} // namespace tollgate
