// What the kernel may do with an entry. User code can change every field at any time: number, count and status are read
// by one load, each argument by one, and nothing read back from a page is ever acted on [threats F1-F5].
#pragma once

#include "api/flexsc_access.h"
#include "lib/atomic.h"
#include "lib/mutants.h"
#include "lib/types.h"

namespace tollgate::flexsc {

using api::FlexscAccess;
using api::FlexscEntry;
using api::FlexscStatus;

inline constexpr unsigned kMaxArguments = 6;

/// A reading of an entry's number, argument count and status, out of the user's reach.
struct Control {
    u64 word;

    u32 number() const { return static_cast<u32>(word); }
    u16 argument_count() const { return static_cast<u16>(word >> 32); }
    u8 status() const { return static_cast<u8>(word >> 48); }
    /// By one comparison what calls are as a rule: Submitted, at most six arguments, 0 in the reserved byte.
    bool is_plain_call() const {
        constexpr u32 kSubmitted = static_cast<u32>(FlexscStatus::Submitted) << 16;
        return static_cast<u32>(word >> 32) - kSubmitted <= kMaxArguments;
    }
};

inline bool wants_execution(u8 status) {
    if (mutant(Mutant::FlexscStatus))
        return status != static_cast<u8>(FlexscStatus::Free);
    return status == static_cast<u8>(FlexscStatus::Submitted);
}

/// Acquire: whoever sees Submitted sees the arguments.
template <class Access = FlexscAccess>
[[gnu::always_inline]] inline Control read_control(const FlexscEntry& entry) {
    return {Access::template load_control<__ATOMIC_ACQUIRE>(entry)};
}

inline bool refuses(Control control) {
    return control.argument_count() > kMaxArguments && !mutant(Mutant::FlexscIndex);
}

/// The first entry that may be one to execute in [entry, end), or end. Most of a page is free when batches are small,
/// so that this is what they pay for: eight entries a turn, one instruction each, as long as none is Submitted or Done
/// (bit 0 of the status). The loads are plain ones between compiler barriers, and only a hint: read_control() decides.
inline FlexscEntry* next_submitted(FlexscEntry* entry, FlexscEntry* end) {
    static_assert((static_cast<u8>(FlexscStatus::Submitted) & 1) != 0);
    static_assert((static_cast<u8>(FlexscStatus::Free) & 1) == 0 && (static_cast<u8>(FlexscStatus::Busy) & 1) == 0);
    constexpr int kTurn = 8;
    compiler_barrier();
    while (entry != end) {
        if (end - entry >= kTurn && !mutant(Mutant::FlexscStatus)) {
            u8 any = 0;
#pragma GCC unroll 8
            for (int i = 0; i < kTurn; ++i)
                any |= entry[i].status;
            if ((any & 1) == 0) {
                entry += kTurn;
                continue;
            }
        }
        FlexscEntry* const stop = end - entry < kTurn ? end : entry + kTurn;
        for (; entry != stop; ++entry)
            if (wants_execution(entry->status)) {
                compiler_barrier();
                return entry;
            }
    }
    compiler_barrier();
    return end;
}

/// Executes the call in a Submitted entry: execute(number, arguments) reads each argument once.
template <class Access = FlexscAccess, class Execute>
[[gnu::always_inline]] inline i64 call_entry(FlexscEntry& entry, Control control, Execute&& execute) {
    Access::template store_status<__ATOMIC_RELAXED>(entry, FlexscStatus::Busy);
    compiler_barrier();
    if (mutant(Mutant::FlexscDoubleRead)) {
        for (int i = 0; i < 8; ++i) // opens the window, also where virtual CPUs take turns
            __builtin_ia32_pause();
        control = {Access::template load_control<__ATOMIC_RELAXED>(entry)};
    }
    return execute(control.number(), entry.args);
}

/// Release: whoever sees Done sees the result.
template <class Access = FlexscAccess>
[[gnu::always_inline]] inline void complete_entry(FlexscEntry& entry, i64 result) {
    Access::store_result(entry, result);
    Access::template store_status<__ATOMIC_RELEASE>(entry, FlexscStatus::Done);
}

} // namespace tollgate::flexsc
