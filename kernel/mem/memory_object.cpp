// Objects know the areas that map them, so that truncation can take pages back. Spaces are visited one at a time, each
// with a reference of its own and without the object's lock, since a space's lock comes first.
#include "mem/memory_object.h"

#include "lib/memory.h"
#include "lib/mutants.h"
#include "mem/address_space.h"

namespace tollgate {

MemoryObject::~MemoryObject() { ASSERT(mappings_.empty()); }

void MemoryObject::add_mapping(Area& area) {
    Guard guard{mappings_lock_};
    mappings_.push_back(area);
    writable_mappings_ += area.may_write_object();
}

void MemoryObject::remove_mapping(Area& area) {
    Guard guard{mappings_lock_};
    mappings_.remove(area);
    writable_mappings_ -= area.may_write_object();
}

Result<void> MemoryObject::begin_writable_mapping() {
    Guard guard{mappings_lock_};
    if (writing_forbidden_)
        return fail(Errno::Perm);
    ++writable_mappings_;
    return {};
}

void MemoryObject::end_writable_mapping() {
    Guard guard{mappings_lock_};
    --writable_mappings_;
}

Result<void> MemoryObject::forbid_writable_mappings() {
    Guard guard{mappings_lock_};
    if (writable_mappings_ != 0 && !mutant(Mutant::SealMapped))
        return fail(Errno::Busy);
    writing_forbidden_ = true;
    return {};
}

void MemoryObject::drop_mappings(u64 first_page, u64 page_count) {
    for (u64 visited = 0;;) {
        Ref<AddressSpace> next;
        {
            Guard guard{mappings_lock_};
            AddressSpace* lowest = nullptr;
            for (Area& area : mappings_)
                if (area.space->id() > visited && (lowest == nullptr || area.space->id() < lowest->id()))
                    lowest = area.space;
            if (lowest == nullptr)
                return;
            visited = lowest->id();
            next = Ref<AddressSpace>::try_from(*lowest); // else it is being destroyed, and drops its pages itself
        }
        if (next)
            next->drop_object_pages(*this, first_page, page_count);
    }
}

Result<Frame> PagedObject::page(u64 index) {
    Guard guard{lock_};
    if (index >= align_up(size_.load(kRelaxed), kPageSize) / kPageSize)
        return fail(Errno::Fault);
    if (const PhysAddr frame = pages_.find(index); !frame.is_null())
        return Frame::from(frame);
    Frame fresh = TRY(Frame::allocate());
    TRY(pages_.insert(index, fresh.share()));
    return fresh;
}

Frame PagedObject::find(u64 index) const {
    Guard guard{lock_};
    const PhysAddr frame = pages_.find(index);
    return frame.is_null() ? Frame{} : Frame::from(frame);
}

bool PagedObject::has_page(u64 index) const {
    Guard guard{lock_};
    return !pages_.find(index).is_null();
}

u64 PagedObject::page_count() const {
    Guard guard{lock_};
    return pages_.size();
}

void PagedObject::resize(u64 size) {
    const u64 old = size_.exchange(size, kRelaxed);
    if (size >= old)
        return;
    const u64 first = align_up(size, kPageSize) / kPageSize;
    {
        Guard guard{lock_};
        pages_.remove_from(first);
        const PhysAddr last = size % kPageSize == 0 ? PhysAddr{} : pages_.find(size / kPageSize);
        if (!last.is_null())
            memset(direct<u8>(last) + size % kPageSize, 0, kPageSize - size % kPageSize);
    }
    drop_mappings(first, align_up(old, kPageSize) / kPageSize - first);
}

Result<Ref<MemoryObject>> make_anonymous_object(u64 size) {
    return Ref<MemoryObject>(TRY(make_ref<PagedObject>(size)));
}

} // namespace tollgate
