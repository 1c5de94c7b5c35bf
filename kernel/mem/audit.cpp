// The rules of docs/invariants.md about page tables (M1), checked by walking them: what user code may reach, W^X, and
// that the kernel's constants are constant in every mapping, the direct map's included.
#include "debug/log.h"
#include "mem/page_table.h"

namespace tollgate::paging {
namespace {

extern "C" const u8 __image_start[], __text_end[], __data_start[], __entry_text_start[], __entry_text_end[];

bool within(u64 address, const u8* start, const u8* end) {
    return address >= reinterpret_cast<u64>(start) && address < reinterpret_cast<u64>(end);
}

struct Walk {
    bool user_table;
    unsigned violations = 0;

    void complain(u64 address, const char* rule) {
        if (++violations <= 8)
            log("page-table audit: {:#018x} in the {} table: {}", address, user_table ? "user" : "kernel", rule);
    }

    void leaf(u64 address, u64 size, bool user, bool write, bool execute, u64 entry) {
        const bool lower = address < (u64{1} << 47);
        if (write && execute)
            complain(address, "writable and executable");
        if (user && !lower)
            complain(address, "user code can reach the kernel half");
        if (!user && lower)
            complain(address, "a kernel page in the user half");
        if (lower)
            return;
        const bool fastcall = address >= kFastcallSpace && address < kFastcallSpaceEnd;
        if (execute && !fastcall && !within(address, __image_start, __text_end))
            complain(address, "executable outside the kernel's text");
        const u64 linked = (entry & kPteAddress) + kKernelBase;
        for (u64 page = linked; write && page < linked + size; page += kPageSize) {
            if (!within(page, __image_start, __data_start))
                continue;
            complain(address, "the kernel's text or constants are writable here");
            break;
        }
        if (!user_table)
            return;
        const bool area = address >= kEntryAreas && address < kEntryAreas + (u64{1} << 39);
        if (!fastcall && !area && !within(address, __entry_text_start, __entry_text_end))
            complain(address, "not for the user table");
    }

    void table(PhysAddr frame, u64 base, unsigned level, bool user, bool write, bool execute) {
        const u64* entries = direct<const u64>(frame);
        for (u64 i = 0; i < 512; ++i) {
            const u64 entry = entries[i];
            if (!(entry & kPtePresent))
                continue;
            u64 address = base + (i << (12 + 9 * level));
            if (level == 3 && i >= 256)
                address |= u64{0xffff} << 48;
            const bool u = user && (entry & kPteUser), w = write && (entry & kPteWrite),
                       x = execute && !(entry & kPteNoExecute);
            if (level == 0 || (entry & kPteLarge))
                leaf(address, u64{1} << (12 + 9 * level), u, w, x, entry);
            else
                table(PhysAddr{entry & kPteAddress}, address, level - 1, u, w, x);
        }
    }
};

} // namespace

unsigned audit(const SpaceTables& tables) {
    Walk kernel{false};
    kernel.table(tables.kernel_root, 0, 3, true, true, true);
    if (tables.user_root == tables.kernel_root)
        return kernel.violations;
    Walk user{true};
    user.table(tables.user_root, 0, 3, true, true, true);
    return kernel.violations + user.violations;
}

} // namespace tollgate::paging
