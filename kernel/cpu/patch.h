// Instructions that are there only if a feature or mitigation is on. Assembly and inline assembly mark them by
// PATCH(feature, code); once, before the text is sealed, patch_apply() overwrites the sites of everything that is off
// by no-operations. Included from assembly too.
#pragma once

// Half of this file is assembly:
// clang-format off

#define PATCH_PTI 1       /* the page-table switch on entry and exit */
#define PATCH_SMAP 2      /* stac, clac */
#define PATCH_MDS 3       /* verw on the way out */
#define PATCH_SPECTRE 4   /* lfence after a conditional swapgs, index clamp's barrier */
#define PATCH_CLEAR 5     /* clearing of registers that user code controls */
#define PATCH_NEVER 6     /* sites that are always patched out: the tests have one */
/* Guards, which only a kernel built with mutants can take away (option mutant=NAME) */
#define GUARD_SYSRET_RIP 32    /* a non-canonical or kernel RIP never reaches SYSRET */
#define GUARD_SYSRET_FLAGS 33  /* RFLAGS that SYSRET may not load go by the slow path */
#define GUARD_ENTRY_CLAC 34    /* AC is cleared on the way in through the IDT */
#define GUARD_CLD 35           /* DF is cleared on the way in through the IDT */
#define GUARD_FASTCALL_INDEX 36
#define GUARD_PARANOID_GS 37   /* what comes by an IST puts back the GS base that it found */
#define GUARD_VECTORS 52       /* a copy past the cache puts the caller's vector registers back */

#ifdef __ASSEMBLER__
#define PATCH(feature, ...)                                                                                                     \
    771: __VA_ARGS__;                                                                                                           \
    772: .pushsection .patch_sites, "a"; .quad 771b; .byte 772b - 771b, feature; .balign 8; .popsection
#else
#include "lib/types.h"
#define TOLLGATE_STRINGIFY2(x) #x
#define TOLLGATE_STRINGIFY(x) TOLLGATE_STRINGIFY2(x)
#define PATCH(feature, code)                                                                                                    \
    "771: " code "\n772: .pushsection .patch_sites, \"a?\"; .quad 771b; .byte 772b - 771b, " TOLLGATE_STRINGIFY(feature)          \
    "; .balign 8; .popsection\n"

namespace tollgate {

/// Which PATCH_* and GUARD_* sites keep their code: bit n for feature n.
using PatchSet = u64;

/// Overwrites every site whose bit is clear. The kernel's text must still be writable; only the boot processor may run.
/// Returns the number of sites.
unsigned patch_apply(PatchSet enabled);

}  // namespace tollgate
#endif
