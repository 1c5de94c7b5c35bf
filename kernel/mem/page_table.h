// Four-level page tables [SDM vol 3, 4.5]: the kernel's half, shared by all address spaces, and what an address space
// owns. Functions that change entries leave flushing to their caller, who knows which CPUs are concerned.
#pragma once

#include "lib/result.h"
#include "mem/access.h"
#include "mem/frames.h"

#include <span>

namespace tollgate {

// [SDM vol 3, table 4-19]
inline constexpr u64 kPtePresent = 1, kPteWrite = 2, kPteUser = 4, kPteNoCacheWriteThrough = 0x18, kPteAccessed = 0x20,
                     kPteDirty = 0x40;
inline constexpr u64 kPteLarge = 0x80, kPteGlobal = 0x100, kPteNoExecute = u64{1} << 63;
inline constexpr u64 kPteAddress = 0x000ffffffffff000;

/// The roots of one address space. With pti=off both are the same table.
struct SpaceTables {
    PhysAddr kernel_root, user_root;
};

namespace paging {

/// Builds the kernel's tables: direct map (no-execute; the image's text and constants read-only there too), image with
/// W^X, entry areas. Then loads them. `pti` decides about global pages and second roots for good.
void initialise(bool pti, PhysAddr ram_top);
bool pti();

/// Loads the kernel's own root (for idle and kernel threads, and on application processors).
void load_kernel_root();
PhysAddr kernel_root();

/// Maps one 4-KiB page in the shared kernel half. Errno::NoMem; Errno::Exist if something is there.
Result<void> map_kernel(u64 address, PhysAddr frame, Access access, Caching caching = Caching::WriteBack);
/// Takes it away and returns what was mapped (null if nothing); flushes all CPUs.
PhysAddr unmap_kernel(u64 address);
/// The same for adjacent pages, by one flush.
void unmap_kernel(u64 address, std::span<PhysAddr> frames);

/// Whose pages of the fastcall space are: the kernel's, but in a mutant.
Privilege fastcall_privilege();
/// A page of the part of the fastcall space below kFastcallHeap.
struct FixedPage {
    u64 address;
    PhysAddr frame;
    Access access;
};
/// A directory for the fastcall space, with these pages in it, of each of which it takes a reference. Errno::NoMem.
Result<PhysAddr> make_fastcall_directory(std::span<const FixedPage> pages);
/// The one that every space has until it registers a function; boot, before the first create_space().
void set_empty_fastcall_directory(PhysAddr directory);
/// Gives a space one of its own, once. The caller flushes.
void set_fastcall_directory(SpaceTables& tables, PhysAddr directory);

/// New roots for an address space: user half empty, kernel half shared, the empty fastcall space.
Result<SpaceTables> create_space();
/// Frees the tables (and the user frames they still map, and the fastcall space's).
void destroy_space(SpaceTables& tables);
/// The entry for a page: created tables on the way if `create`. Errors: NoMem; Fault if absent.
Result<u64*> find_entry(SpaceTables& tables, u64 address, bool create);
/// Changes an entry of a space's tables: its table counts what is used.
void set_entry(u64* entry, u64 value);

/// The used part of a last-level table: every entry of a range that is not zero lies in some slice.
struct Slice {
    u64* entries;
    u64 page; ///< of the first entry
    unsigned count;
};
/// The first slice from `page` on; `page` becomes where the next one may begin. False, and page = end, if there is none
/// before `end`. Steps over absent tables whole: an area may be terabytes long. Entries may be changed in place, but
/// not to or from zero.
bool next_slice(const SpaceTables& tables, u64& page, u64 end, Slice& slice);

/// What take_range() has taken out of the tables, to be freed once every CPU has flushed it.
struct Taken {
    static constexpr unsigned kFrames = 64, kTables = 8;
    u64 frames[kFrames]; // physical addresses; left uninitialised
    u64 tables[kTables]; ///< that have become empty
    unsigned count = 0, table_count = 0;

    void free();
};
/// Clears the used entries from `page` on until `end` or until `taken` is full; `page` becomes where to go on. Tables
/// that are empty then go too. User half only.
void take_range(SpaceTables& tables, u64& page, u64 end, Taken& taken);
/// Gives a child space the pages of [start, end): both spaces point to the same frames. With Sharing::Private neither
/// may write them any more. The number of pages. Errno::NoMem.
Result<u64> share_range(SpaceTables& from, SpaceTables& to, u64 start, u64 end, Sharing sharing);
/// Moves the entries of [from, from + length) to `to`, where nothing is. Errno::NoMem, with nothing moved.
Result<void> move_range(SpaceTables& tables, u64 from, u64 to, u64 length);

u64 make_entry(PhysAddr frame, Access access, Privilege privilege);

/// Number of violations of the rules that docs/invariants.md lists (M1), each logged.
unsigned audit(const SpaceTables& tables);

} // namespace paging
} // namespace tollgate
