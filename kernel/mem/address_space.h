// A process's address space: its areas (what may be mapped), its page tables (what is), and the CPUs that have it
// loaded. With pti=on it has two top-level tables; the user one holds the user half, the entry areas, the entry text
// and the fastcall space.
#pragma once

#include "lib/unique_ptr.h"
#include "mem/area_map.h"
#include "mem/memory_object.h"
#include "mem/page_table.h"

namespace tollgate {

struct MapRequest {
    u64 hint = 0;
    u64 length = 0; ///< bytes; rounded up to pages
    Access access = Access::ReadWrite;
    AreaKind kind = AreaKind::Anonymous;
    Placement placement = Placement::Anywhere;
    Sharing sharing = Sharing::Private; ///< Shared needs an object
    Ref<MemoryObject> object{};         ///< null: zeros
    u64 offset = 0;                     ///< in the object, a multiple of the page size
    /// What mprotect may raise a shared mapping to: Access::Read if the file is not open for writing.
    Access limit = Access::ReadWrite;
    u64 below = ~u64{0}; ///< Anywhere: the end may not lie above (MAP_32BIT)
};

/// For /proc/PID/maps.
struct AreaInfo {
    u64 start, end, offset;
    Access access;
    AreaKind kind;
    Sharing sharing;
    ObjectIdentity object; ///< zeros and an empty name for anonymous memory
};

/// What a page fault comes to.
enum class FaultOutcome : u8 {
    Resolved,    ///< the access is possible now
    NoArea,      ///< SIGSEGV, SEGV_MAPERR
    NoAccess,    ///< SIGSEGV, SEGV_ACCERR
    BusError,    ///< SIGBUS, BUS_ADRERR: beyond the end of the object
    OutOfMemory, ///< no frame for it: the process cannot go on
};

/// What a futex in shared memory is known by: the same in every space. `object` is empty if the address is private.
struct SharedKey {
    Ref<MemoryObject> object;
    u64 offset;
};

class AddressSpace : public RefCounted {
public:
    /// An empty user half. Errno::NoMem.
    static Result<Ref<AddressSpace>> create();
    ~AddressSpace();

    /// A copy for a child process: private pages are copied at the first write of either side, shared ones stay shared.
    /// Pinned areas and the fastcall space are not inherited.
    /// Errno::NoMem.
    Result<Ref<AddressSpace>> fork() EXCLUDES(lock_);

    /// mmap(2): adds an area, whose pages come at the first touch; the address. Errors: Inval (alignment, over a pinned
    /// area), NoMem (range, no gap, limit), Exist, Perm (would write a sealed file).
    using Placement = tollgate::Placement;
    Result<u64> map(const MapRequest& request) EXCLUDES(lock_);
    /// The same for private zeros.
    Result<u64> map_anonymous(u64 hint, u64 length, Access access, AreaKind kind, Placement placement) EXCLUDES(lock_);
    /// mremap(2) with its flags; `target` counts with MREMAP_FIXED.
    Result<u64> remap(u64 address, u64 old_length, u64 new_length, u64 flags, u64 target) EXCLUDES(lock_);
    /// madvise(2). Errors: Inval, NoMem (part is not mapped).
    Result<void> advise(u64 address, u64 length, int advice) EXCLUDES(lock_);
    /// mincore(2) for pages.size() pages: 1 for each that is in memory. Errno::NoMem if part is not mapped.
    Result<void> residency(u64 address, std::span<u8> pages) EXCLUDES(lock_);
    /// Errno::NoMem if a page in the range is not mapped: msync, mlock.
    Result<void> check_mapped(u64 address, u64 length) EXCLUDES(lock_);
    /// Brings in every page of the range that may be accessed (MAP_POPULATE, mlock). Errno::NoMem.
    Result<void> populate(u64 address, u64 length) EXCLUDES(lock_);
    /// The area at or above the address, for /proc/PID/maps. Errno::NoEnt behind the last.
    Result<AreaInfo> area_after(u64 address) EXCLUDES(lock_);
    /// The key of a futex word.
    SharedKey shared_key(u64 address) EXCLUDES(lock_);
    /// The first mmap goes below this; set by the loader (ASLR).
    void set_map_top(u64 address) EXCLUDES(lock_);
    /// RLIMIT_AS and RLIMIT_DATA in bytes; a child inherits them.
    void set_limits(u64 address_space, u64 data) EXCLUDES(lock_);

    /// Maps these frames as a pinned area (or Vdso) at an address of the kernel's choice. The frames stay the caller's
    /// as well.
    Result<u64> map_pinned(std::span<const Frame> frames, Access access, AreaKind kind = AreaKind::Pinned)
        EXCLUDES(lock_);
    /// Takes a pinned area away again.
    void unmap_pinned(u64 address, u64 length) EXCLUDES(lock_);
    /// munmap(2): Inval if unaligned, beyond kUserTop, or over a pinned area; Access if it is a fastcall's data.
    Result<void> unmap(u64 address, u64 length) EXCLUDES(lock_);
    /// mprotect(2): NoMem if part is not mapped; Inval, Access (pinned).
    Result<void> protect(u64 address, u64 length, Access access) EXCLUDES(lock_);
    /// brk(2): the new break, or the old one if it cannot be had.
    u64 set_break(u64 address) EXCLUDES(lock_);
    /// Where the heap begins; set by the loader.
    void set_break_start(u64 address) EXCLUDES(lock_);

    /// Resolves a page fault at a user address. May be called from the fault handler only.
    enum class FaultAccess : u8 { Read, Write, Execute };
    FaultOutcome handle_fault(u64 address, FaultAccess access) EXCLUDES(lock_);

    /// Writes into the space without its being loaded (the loader). Populates pages. Errno::Fault, NoMem.
    Result<void> write_bytes(u64 address, const void* from, u64 size) EXCLUDES(lock_);

    /// The fastcall space (supervisor pages; see gate/fastcall) in place of the empty one that all spaces share, with
    /// these pages in it. `state` becomes fastcall_state. Errors: NoMem; Exist, if there is a state already.
    Result<void> begin_fastcall_space(std::span<const paging::FixedPage> pages, void* state) EXCLUDES(lock_);
    /// Maps a page into it; the space owns the frame's reference from now on.
    Result<void> map_fastcall_page(u64 address, Frame frame, Access access) EXCLUDES(lock_);
    /// Maps a page of device registers, uncached; must be unmapped before the space goes.
    Result<void> map_fastcall_device(u64 address, PhysAddr registers) EXCLUDES(lock_);
    /// Takes out the pages of [start, end), by one flush; kMostFastcallPages at most.
    void unmap_fastcall_pages(u64 start, u64 end) EXCLUDES(lock_);
    static constexpr unsigned kMostFastcallPages = 64;

    /// For tests: problems found by walking the tables (M1).
    unsigned audit() EXCLUDES(lock_);
    /// Whether user code could execute / write at the address, by the tables.
    bool user_executable(u64 address) EXCLUDES(lock_);
    u64 mapped_bytes() const { return mapped_bytes_.load(kRelaxed); }
    u64 resident_bytes() const { return resident_pages_.load(kRelaxed) * kPageSize; }

    /// Makes this CPU use the space. Interrupts are off. Called by the scheduler only.
    void load();
    static void load_kernel_only();

    u64 id() const { return id_; } ///< never used twice
    /// For MemoryObject::drop_mappings().
    void drop_object_pages(const MemoryObject& object, u64 first_page, u64 page_count) EXCLUDES(lock_);

    u64 kernel_root() const { return tables_.kernel_root.value(); }

    /// The fastcall gate's state of this space, null until a function is registered; freed through this hook, before
    /// the tables go.
    Atomic<void*> fastcall_state{nullptr};
    static void set_destroyed_hook(void (*hook)(AddressSpace&));

private:
    friend Result<Ref<AddressSpace>> make_ref<AddressSpace>();
    AddressSpace();

    /// Areas that have been taken out under the lock, and go, with their objects, once it is free again.
    class DeadAreas {
    public:
        ~DeadAreas();
        void add(Area& area) { list_.push_back(area); }

    private:
        List<Area, &Area::object_link> list_;
    };

    // address_space.cpp
    Result<u64> place_locked(const MapRequest& request, u64 length, DeadAreas& dead) REQUIRES(lock_);
    void insert_locked(Owned<Area> area, DeadAreas& dead) REQUIRES(lock_);
    Result<Area*> split_locked(Area& area, u64 address) REQUIRES(lock_);
    Result<Area*> isolate_locked(Area& first, u64 start, u64 end) REQUIRES(lock_);
    void join_locked(Area& first, u64 end, DeadAreas& dead) REQUIRES(lock_);
    Result<void> unmap_locked(u64 start, u64 end, DeadAreas& dead) REQUIRES(lock_);
    Result<void> unmap_from_locked(Area* area, u64 start, u64 end, DeadAreas& dead) REQUIRES(lock_);
    void clear_pages_locked(u64 start, u64 end) REQUIRES(lock_);
    bool reserved_locked(const Area* first, u64 end) const REQUIRES(lock_);
    bool mapped_locked(u64 start, u64 end) const REQUIRES(lock_);
    Result<void> check_limits_locked(u64 more, bool data) const REQUIRES(lock_);
    void account_locked(const Area& area, i64 bytes) REQUIRES(lock_);
    void flush(u64 start, u64 end);
    // address_space_fault.cpp
    enum class Page : u8 { Any, Own };
    FaultOutcome page_in_locked(Area& area, u64 page, Page which) REQUIRES(lock_);
    FaultOutcome own_page_locked(Area& area, u64 page, u64* entry) REQUIRES(lock_);
    // address_space_change.cpp
    void set_rights_locked(Area& area) REQUIRES(lock_);
    Result<u64> move_locked(Area& area, u64 old_length, const MapRequest& request, bool keep, DeadAreas& dead)
        REQUIRES(lock_);
    // address_space_fork.cpp
    Result<void> copy_to(AddressSpace& child);
    Result<void> copy_areas_to(AddressSpace& child);
    /// For changing entries; the roots themselves stay as they are.
    SpaceTables& tables_locked() REQUIRES(lock_) { return tables_; }

    Spinlock lock_{LockRank::AddressSpace};
    AreaMap areas_ GUARDED_BY(lock_);
    SpaceTables tables_;  // entries are changed under lock_
    Atomic<u64> cpus_{0}; // bit n: CPU n has it loaded
    const u64 id_;
    u64 break_start_ GUARDED_BY(lock_) = 0, break_ GUARDED_BY(lock_) = 0;
    u64 map_top_ GUARDED_BY(lock_);
    u64 limit_ GUARDED_BY(lock_) = ~u64{0}, data_limit_ GUARDED_BY(lock_) = ~u64{0};
    u64 data_bytes_ GUARDED_BY(lock_) = 0; // private and writable
    // Changed under lock_, read without.
    Atomic<u64> mapped_bytes_{0}, resident_pages_{0};
};

} // namespace tollgate
