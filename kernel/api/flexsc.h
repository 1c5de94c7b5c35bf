// The syscall page of exception-less system calls: what user code and the kernel both write (spec: FlexSC,
// OSDI'10, 3.1-3.4). One page holds 64 entries of 64 bytes, each on a cache line of its own.
//
// Protocol of one entry. Only the writer named in brackets stores the next status:
//   Free      -> Submitted [user]    after number, argument_count and args; store-release
//   Submitted -> Busy      [kernel]  after one load of number, count and status; before it reads args, each once
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
    Own = 0,        ///< the owner's core, inside flexsc_wait()
    WorkerIpi = 1,  ///< a worker core, which sleeps until flexsc_wait() wakes it by an IPI
    WorkerPoll = 2, ///< a worker core, which polls a bounded time before it sleeps; flexsc_wait() wakes it too
    Adaptive = 3,   ///< the kernel moves work between the two by what it measures; Own without a worker core
    Default = 4,    ///< what the kernel option flexsc.policy says; Own without a worker core
};

inline constexpr std::uint32_t kFlexscVersion = 1;
inline constexpr unsigned kFlexscMaxPages = 8, kFlexscDefaultPages = 8; ///< of one thread
inline constexpr unsigned kFlexscMaxRegistrations = 64;                 ///< of one process: threads that have pages
inline constexpr std::uint32_t kFlexscMaxSpinUs = 1'000'000;

/// The argument of flexsc_register(). The kernel fills the fields marked out.
struct FlexscParams {
    std::uint32_t size;    ///< in: sizeof(FlexscParams)
    std::uint32_t version; ///< in: kFlexscVersion
    FlexscPolicy policy;   ///< in; out: the one in force
    std::uint32_t pages;   ///< in: at most kFlexscMaxPages, 0 for kFlexscDefaultPages; out: how many there are
    std::uint32_t flags;   ///< in: 0, there are none yet
    std::uint32_t spin_us; ///< in: how long a worker polls for these pages, 0 for flexsc.spin_us; out: the one in force
    std::uint64_t address; ///< in: 0; out: where the pages are mapped, FlexscEntry[pages * 64]
};
static_assert(sizeof(FlexscParams) == 32 && offsetof(FlexscParams, address) == 24);

// flexsc_register(FlexscParams*) gives the calling thread its pages. They go when the thread ends or executes another
// program, and fork(2) does not hand them on.
//   -EINVAL  size, version, policy, pages, flags, spin_us or address is none of the above
//   -ENODEV  WorkerIpi or WorkerPoll, and there is no worker core
//   -EFAULT  the params cannot be read and written
//   -EBUSY   the thread has its pages already
//   -ENOSPC  kFlexscMaxRegistrations threads of the process have theirs
//   -ENOMEM
//
// flexsc_wait(pages, flags) executes what the calling thread has submitted, or has it executed, and waits until an
// entry is Done. `pages`: bit n stands for page n, and only these are searched for Submitted entries, so that a thread
// that uses one of its pages pays for one; 0 stands for all.
//   > 0      so many entries have become Done since it last returned. The thread may have taken them already: it looks,
//            and waits again if it must.
//   0        nothing is submitted, executing or blocked; with kFlexscKick also if nothing is Done yet
//   -EINVAL  the thread has no pages, or a bit is set that means nothing
//   -EINTR   a signal; the entries go on
inline constexpr std::uint64_t kFlexscKick = 1; ///< flags: begin what is submitted, but do not wait

} // namespace tollgate::api
