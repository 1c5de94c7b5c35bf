// Walks .patch_sites once at boot.
#include "cpu/patch.h"

#include "cpu/x86.h"
#include "lib/assert.h"

namespace tollgate {
namespace {

struct PatchSite {
    u64 address;
    u8 length;
    u8 feature;
    u8 reserved[6];
};
static_assert(sizeof(PatchSite) == 16);

extern "C" const PatchSite __patch_sites_start[], __patch_sites_end[];

// A site counts as one executed instruction whatever its length: one long no-operation [SDM vol 2, NOP] or a jump over
// the rest.
void write_nops(u8* code, u8 length) {
    static constexpr u8 kNops[10][9] = {{},
                                        {0x90},
                                        {0x66, 0x90},
                                        {0x0f, 0x1f, 0x00},
                                        {0x0f, 0x1f, 0x40, 0x00},
                                        {0x0f, 0x1f, 0x44, 0x00, 0x00},
                                        {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
                                        {0x0f, 0x1f, 0x80, 0, 0, 0, 0},
                                        {0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0},
                                        {0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}};
    if (length <= 9) {
        for (u8 i = 0; i < length; ++i)
            code[i] = kNops[length][i];
        return;
    }
    ASSERT(length < 130);
    code[0] = 0xeb;
    code[1] = static_cast<u8>(length - 2);
    for (u8 i = 2; i < length; ++i)
        code[i] = 0xcc;
}

} // namespace

unsigned patch_apply(PatchSet enabled) {
    unsigned sites = 0;
    for (const PatchSite* site = __patch_sites_start; site != __patch_sites_end; ++site, ++sites) {
        if (!(enabled >> site->feature & 1))
            write_nops(reinterpret_cast<u8*>(site->address), site->length);
    }
    x86::cpuid(0); // serialises [SDM vol 3, 8.1.3]
    return sites;
}

} // namespace tollgate
