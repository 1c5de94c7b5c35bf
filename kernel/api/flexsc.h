// The syscall page of exception-less system calls: what user code and the kernel both write (spec: FlexSC,
// OSDI'10, 3.1-3.4). One page holds 64 entries of 64 bytes, each on a cache line of its own.
//
// Protocol of one entry. Only the writer named in brackets stores the next status:
//   Free      -> Submitted [user]    after number, argument_count and args; store-release
//   Submitted -> Busy      [kernel]  before it reads number and args, each once, into a private snapshot
//   Busy      -> Done      [kernel]  after result; store-release
//   Done      -> Free      [user]    after it has read result; load-acquire of Done comes first
// The kernel acts on Submitted alone. Whatever else a program stores harms only that program.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tollgate::api {

enum class FlexscStatus : std::uint8_t { Free = 0, Submitted = 1, Busy = 2, Done = 3 };

struct FlexscEntry {
    std::uint64_t args[6];
    std::int64_t result;          ///< as the native call would return it: a value, or -errno
    std::uint32_t number;         ///< the system call's number
    std::uint16_t argument_count; ///< arguments that the caller has set, 0 to 6; the kernel refuses more with -EINVAL
    std::uint8_t status;          ///< a FlexscStatus
    std::uint8_t reserved;        ///< ignored
};
static_assert(sizeof(FlexscEntry) == 64);
static_assert(offsetof(FlexscEntry, result) == 48 && offsetof(FlexscEntry, number) == 56);
static_assert(offsetof(FlexscEntry, argument_count) == 60 && offsetof(FlexscEntry, status) == 62);

inline constexpr unsigned kFlexscEntriesPerPage = 64;

/// Who executes submitted entries.
enum class FlexscPolicy : std::uint32_t {
    OwnCore = 0, ///< the caller's own core, inside flexsc_wait()
    Worker = 1,  ///< a worker core, which polls a bounded time, then sleeps; flexsc_wait() wakes it by an IPI
};

/// The argument of flexsc_register(). The kernel fills the fields marked out.
struct FlexscParams {
    std::uint32_t size;     ///< in: sizeof(FlexscParams), else -EINVAL
    FlexscPolicy policy;    ///< in: else -EINVAL; Worker without a worker core is -ENODEV
    std::uint32_t pages;    ///< in: 1 to kFlexscMaxPages, else -EINVAL
    std::uint32_t reserved; ///< in: 0, else -EINVAL
    std::uint64_t address;  ///< out: where the pages are mapped, FlexscEntry[pages * 64]
};
static_assert(sizeof(FlexscParams) == 24);

inline constexpr unsigned kFlexscMaxPages = 8;

// Errors of flexsc_register: -EINVAL, -ENODEV, -EFAULT (params not writable), -EBUSY (registered already), -ENOMEM.
// flexsc_wait() returns a number above 0 if some entry is Done: with OwnCore the entries that it executed, or else, and
// with Worker, those that are Done. OwnCore executes everything that is Submitted before it returns; Worker waits until
// something is Done. 0 if nothing was Submitted, executing or Done. -EINVAL without flexsc_register().

} // namespace tollgate::api
