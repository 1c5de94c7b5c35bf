// A process's address space: its areas (what may be mapped), its page tables (what is), and the CPUs that have it
// loaded. With pti=on it has two top-level tables; the user one holds the user half, the entry areas, the entry text
// and the fastcall space.
#pragma once

#include "lib/list.h"
#include "lib/ref.h"
#include "mem/access.h"
#include "mem/frames.h"
#include "mem/page_table.h"
#include "sync/spinlock.h"

namespace tollgate {

/// Why an area is there; decides what user calls may do to it.
enum class AreaKind : u8 {
    Anonymous,
    Stack,
    Heap,   ///< brk
    Image,  ///< copied from an ELF file
    Pinned, ///< the kernel's own gift (FlexSC pages, fastcall data): munmap, mprotect and MAP_FIXED over it are refused
};

struct Area {
    u64 start, end;
    Access access;
    AreaKind kind;
    ListLink<Area> link;
};

class AddressSpace : public RefCounted {
public:
    /// An empty user half. Errno::NoMem.
    static Result<Ref<AddressSpace>> create();
    ~AddressSpace();

    /// Adds an anonymous area of zeros; pages come at the first touch. `hint` is used if free (or, with
    /// Placement::Fixed, whatever was there is unmapped first). Returns the address. Errors: Inval (range, alignment,
    /// over a pinned area), NoMem (no gap, limit).
    enum class Placement : u8 { Anywhere, Fixed, FixedNoReplace };
    Result<u64> map_anonymous(u64 hint, u64 length, Access access, AreaKind kind, Placement placement) EXCLUDES(lock_);
    /// Maps these frames as a pinned area at an address of the kernel's choice. The frames stay the caller's as well.
    Result<u64> map_pinned(std::span<const Frame> frames, Access access) EXCLUDES(lock_);
    /// Takes a pinned area away again.
    void unmap_pinned(u64 address, u64 length) EXCLUDES(lock_);
    /// munmap(2): Inval if unaligned, beyond kUserTop, or over a pinned area.
    Result<void> unmap(u64 address, u64 length) EXCLUDES(lock_);
    /// mprotect(2): NoMem if part is not mapped; Inval, Access (pinned).
    Result<void> protect(u64 address, u64 length, Access access) EXCLUDES(lock_);
    /// brk(2): the new break, or the old one if it cannot be had.
    u64 set_break(u64 address) EXCLUDES(lock_);
    /// Where the heap begins; set by the loader.
    void set_break_start(u64 address) EXCLUDES(lock_);

    /// Resolves a page fault at a user address: true if the access is now possible. May be called from the fault
    /// handler only.
    enum class FaultAccess : u8 { Read, Write, Execute };
    bool handle_fault(u64 address, FaultAccess access) EXCLUDES(lock_);

    /// Writes into the space without its being loaded (the loader). Populates pages. Errno::Fault, NoMem.
    Result<void> write_bytes(u64 address, const void* from, u64 size) EXCLUDES(lock_);

    /// Maps a page of the fastcall space (supervisor); see gate/fastcall. The space owns the frame's reference from now
    /// on.
    Result<void> map_fastcall_page(u64 address, Frame frame, Access access) EXCLUDES(lock_);
    void unmap_fastcall_page(u64 address) EXCLUDES(lock_);

    /// For tests: problems found by walking the tables (M1).
    unsigned audit() EXCLUDES(lock_);
    /// Whether user code could execute / write at the address, by the tables.
    bool user_executable(u64 address) EXCLUDES(lock_);
    u64 mapped_bytes() const { return mapped_bytes_; }

    /// Makes this CPU use the space. Interrupts are off. Called by the scheduler only.
    void load();
    static void load_kernel_only();

    u64 kernel_root() const { return tables_.kernel_root.value(); }

    /// The fastcall gate's state of this space; freed through the hook of set_space_destroyed_hook().
    void* fastcall_state = nullptr;
    static void set_destroyed_hook(void (*hook)(AddressSpace&));

private:
    friend Result<Ref<AddressSpace>> make_ref<AddressSpace>();
    AddressSpace();
    Area* find_locked(u64 address) REQUIRES(lock_);
    Result<u64> find_gap_locked(u64 hint, u64 length) REQUIRES(lock_);
    Result<void> insert_locked(u64 start, u64 end, Access access, AreaKind kind) REQUIRES(lock_);
    Result<void> split_locked(u64 address) REQUIRES(lock_);
    Result<void> unmap_locked(u64 start, u64 end) REQUIRES(lock_);
    bool overlaps_pinned_locked(u64 start, u64 end) REQUIRES(lock_);
    Result<void> populate_locked(u64 page, Area& area) REQUIRES(lock_);
    void flush(u64 start, u64 end);
    /// For changing entries; the roots themselves stay as they are.
    SpaceTables& tables_locked() REQUIRES(lock_) { return tables_; }

    Spinlock lock_{LockRank::AddressSpace};
    List<Area, &Area::link> areas_ GUARDED_BY(lock_); // sorted, disjoint
    SpaceTables tables_;                              // entries are changed under lock_
    Atomic<u64> cpus_{0};                             // bit n: CPU n has it loaded
    const u64 id_;
    u64 break_start_ GUARDED_BY(lock_) = 0, break_ GUARDED_BY(lock_) = 0;
    u64 mapped_bytes_ = 0;
};

} // namespace tollgate
