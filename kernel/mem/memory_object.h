// Memory that several address spaces can map: the pages of a file, or shared anonymous memory. Areas find their pages
// in it at the first touch; when it shrinks it takes the pages out of every space again.
//
// An address space calls page() with its lock held: an object's own lock has LockRank::MemoryObject, and page() neither
// sleeps nor touches user memory.
#pragma once

#include "lib/fixed_string.h"
#include "mem/area.h"
#include "mem/page_tree.h"
#include "sync/spinlock.h"

namespace tollgate {

/// What /proc/PID/maps says about an object.
struct ObjectIdentity {
    u64 device = 0, inode = 0;
    FixedString<255> name;
};

class MemoryObject : public RefCounted {
public:
    virtual ~MemoryObject();
    /// One reference to the frame of the page with this number, which is made (zeros) if the object has none yet.
    /// Errors: NoMem; Fault beyond the end, which becomes SIGBUS.
    virtual Result<Frame> page(u64 index) = 0;
    /// Bytes. What lies behind them in the last page is zeros.
    virtual u64 size() const = 0;
    /// Whether the page is there already, for mincore(2).
    virtual bool has_page(u64 /*index*/) const { return true; }
    virtual void identify(ObjectIdentity&) const {}

    /// Takes these pages out of every space that maps them, private copies included: for truncation, after the size has
    /// been set and the object has let go of the frames. Call it without locks.
    void drop_mappings(u64 first_page, u64 page_count);

    /// From here to end_writable_mapping() there is to be an area that may write, which is then in the list.
    /// Errno::Perm after forbid_writable_mappings().
    Result<void> begin_writable_mapping() EXCLUDES(mappings_lock_);
    void end_writable_mapping() EXCLUDES(mappings_lock_);
    /// Lets no area write from now on. Errno::Busy if one may.
    Result<void> forbid_writable_mappings() EXCLUDES(mappings_lock_);

    /// For AreaMap.
    void add_mapping(Area& area) EXCLUDES(mappings_lock_);
    void remove_mapping(Area& area) EXCLUDES(mappings_lock_);

private:
    Spinlock mappings_lock_{LockRank::MemoryObject};
    List<Area, &Area::object_link> mappings_ GUARDED_BY(mappings_lock_);
    u64 writable_mappings_ GUARDED_BY(mappings_lock_) = 0; ///< of the list, and those that are being made
    bool writing_forbidden_ GUARDED_BY(mappings_lock_) = false;
};

/// Pages of RAM that come at the first touch: shared anonymous memory, and the content of a file in memory.
class PagedObject : public MemoryObject {
public:
    explicit PagedObject(u64 size) : size_(size) {}

    Result<Frame> page(u64 index) override;
    u64 size() const override { return size_.load(kRelaxed); }
    bool has_page(u64 index) const override;
    /// The frame if it is there, else an empty one: a reader takes zeros for it, and no memory is spent.
    Frame find(u64 index) const;
    /// When it shrinks, what lies beyond is gone, in every space too, and the rest of the last page becomes zeros.
    /// Concurrent calls must be kept apart by the caller, and no lock of rank AddressSpace or above be held.
    void resize(u64 size);
    u64 page_count() const; ///< pages that are there

private:
    mutable Spinlock lock_{LockRank::MemoryObject};
    PageTree pages_ GUARDED_BY(lock_);
    Atomic<u64> size_;
};

/// Shared anonymous memory. Errno::NoMem.
Result<Ref<MemoryObject>> make_anonymous_object(u64 size);

} // namespace tollgate
