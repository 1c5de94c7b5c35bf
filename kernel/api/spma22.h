// The ABI of the kernels that the authors of "Fast Privileged Function Calls" (SPMA'22) compared fastcalls with: what
// option spma22=on adds, so that their programs run. The numbers mean something else to today's Linux.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tollgate::api {

/// fccmp_array(const char* data, u8 index, u8 size): copies size bytes into slot index of the kernel's array.
inline constexpr unsigned kSysFccmpArray = 443;
/// fccmp_nt(const char* data, u8 index): 64 bytes into slot index, by non-temporal AVX2 stores.
inline constexpr unsigned kSysFccmpNt = 444;
/// syscall_bench(u32 counter, u64* values): ten readings of a performance counter on the way in and out.
inline constexpr unsigned kSysSyscallBench = 445;

/// The array: kFccmpSlots slots of kFccmpSlotSize bytes.
inline constexpr unsigned kFccmpSlots = 64;
inline constexpr unsigned kFccmpSlotSize = 64;

inline constexpr const char* kFccmpDevice = "/dev/fccmp";

/// _IO(0xFC, 0): returns 0, whatever the device was opened for.
inline constexpr std::uint32_t kFccmpIoctlNoop = 0xFC00;
/// _IOW(0xFC, 1) and _IOW(0xFC, 2): what the two calls do. The device must be open for writing.
inline constexpr std::uint32_t kFccmpIoctlArray = 0x4010FC01;
inline constexpr std::uint32_t kFccmpIoctlNt = 0x4010FC02;

struct FccmpArray {
    std::uint64_t data;
    std::uint8_t index;
    std::uint8_t size;
    std::uint8_t pad[6];
};
static_assert(sizeof(FccmpArray) == 16 && offsetof(FccmpArray, index) == 8 && offsetof(FccmpArray, size) == 9);

struct FccmpNt {
    std::uint64_t data;
    std::uint8_t index;
    std::uint8_t pad[7];
};
static_assert(sizeof(FccmpNt) == 16 && offsetof(FccmpNt, index) == 8);

/// What the program that dissects system calls wants the kernel's release to begin with.
inline constexpr const char* kSpma22Release = "5.11.0-syscall-bench-tollgate";

} // namespace tollgate::api
