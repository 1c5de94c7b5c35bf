// The fastcall ABI: number, table and /dev/fastcall-examples (spec: SPMA'22 prototype, sections 2 and 10).
// User programs and kernel/gate/fastcall read the same file.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tollgate::api {

/// Usable indices are 0 .. kFastcallEntries - 1; any other, and any that is not registered, returns -EINVAL.
inline constexpr unsigned kFastcallEntries = 127;

/// A fastcall takes its index in rdi and up to five arguments in rsi, rdx, r10, r8, r9; the result is in rax.
/// Lost: rcx, r11 (as by every syscall), and rdi, rsi, rdx, r8, r9, r10.

/// _IOR(0xDE, 0..2): noop, stack, priv.
struct FastcallIoctl {
    std::uint64_t fn_addr;
    std::uint64_t fn_len;
    std::uint32_t index;
    std::uint32_t pad;
};
static_assert(sizeof(FastcallIoctl) == 24 && offsetof(FastcallIoctl, index) == 16);

/// _IOR(0xDE, 3 and 4): array, nt.
struct FastcallArrayIoctl {
    std::uint64_t fn_addr;
    std::uint64_t fn_len;
    std::uint64_t shared_addr;
    std::uint32_t index;
    std::uint32_t pad;
};
static_assert(sizeof(FastcallArrayIoctl) == 32 && offsetof(FastcallArrayIoctl, index) == 24);

inline constexpr std::uint32_t kFastcallIoctlNoop = 0x8018DE00;
inline constexpr std::uint32_t kFastcallIoctlStack = 0x8018DE01;
inline constexpr std::uint32_t kFastcallIoctlPriv = 0x8018DE02;
inline constexpr std::uint32_t kFastcallIoctlArray = 0x8020DE03;
inline constexpr std::uint32_t kFastcallIoctlNt = 0x8020DE04;

/// Array example: kFastcallArraySlots slots of kFastcallArraySlotSize bytes.
inline constexpr unsigned kFastcallArraySlots = 64;
inline constexpr unsigned kFastcallArraySlotSize = 64;

inline constexpr const char* kFastcallDevice = "/dev/fastcall-examples";

} // namespace tollgate::api
