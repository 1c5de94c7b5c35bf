// What the kernel may do with an entry. User code can change every field at any time: each is read exactly once, into a
// snapshot that it cannot reach, and nothing read back from a page is ever acted on [threats F1-F5].
#pragma once

#include "api/flexsc.h"
#include "lib/atomic.h"
#include "lib/mutants.h"
#include "syscall/dispatch.h"

namespace tollgate::flexsc {

using api::FlexscEntry;
using api::FlexscStatus;

inline u8 load_status(const FlexscEntry& entry) { return __atomic_load_n(&entry.status, __ATOMIC_ACQUIRE); }
template <class T>
T read_once(const T& field) {
    return __atomic_load_n(&field, __ATOMIC_RELAXED);
}

inline bool wants_execution(u8 status) {
    if (mutant(Mutant::FlexscStatus))
        return status != static_cast<u8>(FlexscStatus::Free);
    return status == static_cast<u8>(FlexscStatus::Submitted);
}

/// The first entry to execute in [entry, end), or end. Most of a page is free when batches are small, so that this is
/// what they pay for: eight entries a turn, one comparison each. The loads are plain ones between compiler barriers,
/// which x86 orders like acquire.
inline FlexscEntry* next_submitted(FlexscEntry* entry, FlexscEntry* end) {
    compiler_barrier();
    while (end - entry >= 8) {
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i)
            if (wants_execution(entry[i].status)) {
                compiler_barrier();
                return entry + i;
            }
        entry += 8;
    }
    while (entry != end && !wants_execution(entry->status))
        ++entry;
    compiler_barrier();
    return entry;
}

/// Takes the call out of a Submitted entry and executes it.
[[gnu::always_inline]] inline i64 call_entry(FlexscEntry& entry, Caller& caller) {
    entry.status = static_cast<u8>(FlexscStatus::Busy);
    compiler_barrier();
    const u32 number = read_once(entry.number);
    u64 arguments[6];
#pragma GCC unroll 6
    for (unsigned i = 0; i < 6; ++i)
        arguments[i] = read_once(entry.args[i]);
    if (read_once(entry.argument_count) > 6) [[unlikely]]
        return -static_cast<i64>(Errno::Inval);
    const SyscallTable& table = mutant(Mutant::FlexscRoutes) ? trap_table : page_table;
    if (mutant(Mutant::FlexscDoubleRead))
        return syscall_dispatch(caller, read_once(entry.number), entry.args, table);
    return syscall_dispatch(caller, number, arguments, table);
}

/// Release: whoever sees Done sees the result.
inline void complete_entry(FlexscEntry& entry, i64 result) {
    __atomic_store_n(&entry.result, result, __ATOMIC_RELAXED);
    __atomic_store_n(&entry.status, static_cast<u8>(FlexscStatus::Done), __ATOMIC_RELEASE);
}

} // namespace tollgate::flexsc
