// Looks up .fixups: a handful of entries, searched only after a fault in the kernel.
#include "cpu/user_copy.h"

namespace tollgate {
namespace {
struct Fixup {
    u64 instruction, target;
};
extern "C" const Fixup __fixups_start[], __fixups_end[];
} // namespace

u64 find_fixup(u64 rip) {
    for (const Fixup* f = __fixups_start; f != __fixups_end; ++f)
        if (f->instruction == rip)
            return f->target;
    return 0;
}

} // namespace tollgate
