// The checks of user ranges that all of AddressSpace shares.
#pragma once

#include "lib/mutants.h"
#include "mem/area_map.h"

namespace tollgate {

inline u64 user_top() { return mutant(Mutant::SysretTop) ? u64{1} << 47 : kUserTop; }

/// Whether an area may lie there.
inline bool good_range(u64 start, u64 length) {
    return is_aligned(start, kPageSize) && length != 0 && length <= user_top() && start >= kMinUserAddress &&
           start <= user_top() - length;
}

/// The end of a range that a call names: its length is rounded up to pages. Errors: Inval if it is not aligned,
/// `beyond` if it leaves the user half.
inline Result<u64> end_of_range(u64 start, u64 length, Errno beyond) {
    if (!is_aligned(start, kPageSize))
        return fail(Errno::Inval);
    const auto rounded = checked_align_up(length, kPageSize);
    if (!rounded || *rounded > user_top() || start > user_top() - *rounded)
        return fail(beyond);
    return start + *rounded;
}

} // namespace tollgate
