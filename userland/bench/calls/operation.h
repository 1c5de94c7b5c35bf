// One operation of /bin/calls: what it calls in a loop, what must be there before, and the most instructions that it
// may cost on Tollgate. The operations are those of spec/peers.md, so that one binary compares kernels.
#pragma once

#include <cerrno>
#include <span>

#include "userland/lib/gate_native.h"

namespace tollgate::calls {

struct Operation {
    const char* name;
    unsigned budget;             ///< instructions, the loop included; 0 = none was set
    unsigned calls;              ///< in a sample
    long (*once)();              ///< one call; negative: -errno
    void (*repeat)(unsigned);    ///< the same, timed
    long (*prepare)() = nullptr; ///< makes what it needs; negative: -errno, and the operation is not measured
    void (*finish)() = nullptr;  ///< takes it away again; called after a failed prepare too
    unsigned samples = 11;       ///< in a repetition
};

/// The timed loop: a call, a count and a jump, so that an empty function costs four instructions. Nothing is checked in
/// here; measure() checks the operation before and after.
template <long (*call)()>
[[gnu::noinline]] void repeat(unsigned count) {
    do
        call();
    while (--count != 0);
}

/// An operation with its loop.
template <long (*call)()>
constexpr Operation operation(const char* name, unsigned budget, unsigned calls, long (*prepare)() = nullptr,
                              void (*finish)() = nullptr, unsigned samples = 11) {
    return {name, budget, calls, call, repeat<call>, prepare, finish, samples};
}

/// What libc reports through errno, as a system call returns it.
inline long result_of(long result) { return result < 0 ? -errno : result; }

/// A fixed file on the temporary file system, two folders deep; process-wide.
inline constexpr const char* kFolder = "/tmp/x";
inline constexpr const char* kFile = "/tmp/x/y";

std::span<const Operation> time_operations();
std::span<const Operation> file_operations();
std::span<const Operation> memory_operations();
std::span<const Operation> thread_operations();
std::span<const Operation> event_operations();
std::span<const Operation> process_operations();

/// The folder that holds `tiny`; set by main() from argv[0].
void set_tiny(const char* own_path);

} // namespace tollgate::calls
