// Segment selectors, in the order that SYSCALL and SYSRET demand [SDM vol 3, 5.8.8] and with the user values that Linux
// has.
#pragma once

#include "lib/types.h"

namespace tollgate {

inline constexpr u16 kKernelCode = 0x10, kKernelData = 0x18;
inline constexpr u16 kUserBase =
    0x20; ///< would be 32-bit user code; left empty, so that there is no compatibility mode
inline constexpr u16 kUserData = 0x28 | 3, kUserCode = 0x30 | 3;
inline constexpr u16 kTss = 0x40;
inline constexpr u16 kCpuNode =
    0x78 | 3; ///< its limit is the CPU number, for LSL: fastcalls cannot reach the CPU block

/// IA32_STAR: SYSCALL loads CS = low, SS = low + 8; SYSRET loads CS = high + 16, SS = high + 8, both with RPL 3.
inline constexpr u64 kStarValue = u64{kUserBase | 3} << 48 | u64{kKernelCode} << 32;
static_assert(kKernelData == kKernelCode + 8 && kUserData == (kUserBase | 3) + 8 && kUserCode == (kUserBase | 3) + 16);

} // namespace tollgate
