// Copies go through frames, one at a time: a frame is counted while bytes move, so that truncation meanwhile takes it
// out of the file and not out of under the copy.
#include "fs/file_pages.h"

#include "lib/memory.h"

namespace tollgate::fs {
namespace {

u64 part_of_page(u64 offset, u64 size) {
    const u64 room = kPageSize - offset % kPageSize;
    return size < room ? size : room;
}

/// Files may fill memory up to a sixteenth: the rest is for those who delete them.
bool has_room() { return frames::free_count() > frames::total_count() / 16; }

} // namespace

[[gnu::always_inline]] inline Result<Frame> FilePages::page_locked(u64 index) {
    if (const PhysAddr found = pages_.find(index); !found.is_null())
        return Frame::from(found);
    if (!has_room())
        return fail(Errno::NoMem);
    Frame frame = TRY(Frame::allocate());
    if (in_archive_locked(index)) {
        const Bytes rest = archive_.subspan(index * kPageSize);
        memcpy(frame.data(), rest.data(), rest.size() < kPageSize ? rest.size() : kPageSize);
    }
    TRY(pages_.insert(index, frame.share()));
    count_pages_locked();
    return frame;
}

Result<Frame> FilePages::page(u64 index) {
    Guard guard{lock_};
    if (index >= (size() + kPageSize - 1) / kPageSize)
        return fail(Errno::Fault);
    return page_locked(index);
}

Result<Frame> FilePages::page_to_write(u64 index) {
    Guard guard{lock_};
    return page_locked(index);
}

bool FilePages::has_page(u64 index) const {
    Guard guard{lock_};
    return !pages_.find(index).is_null() || in_archive_locked(index);
}

void FilePages::identify(ObjectIdentity& to) const {
    to.device = device_;
    to.inode = inode_;
    Guard guard{lock_};
    if (name_)
        to.name = name_->text;
}

void FilePages::set_name(StringView name) {
    auto made = make_owned<Name>();
    if (!made)
        return; // a map without a name is still right
    (*made)->text.write(name);
    Guard guard{lock_};
    if (!name_)
        std::swap(name_, *made);
}

void FilePages::use_archive(Bytes bytes) {
    Guard guard{lock_};
    archive_ = bytes;
    count_pages_locked();
    size_.store(bytes.size(), kRelaxed);
}

Result<u64> FilePages::read(IoBuffer& to, u64 offset) const {
    u64 done = 0;
    while (to.size() > 0) {
        Frame frame;
        Bytes archived;
        u64 end = 0;
        {
            Guard guard{lock_};
            end = size_.load(kRelaxed);
            if (const PhysAddr found = pages_.find(offset / kPageSize); !found.is_null())
                frame = Frame::from(found);
            else if (offset < archive_.size())
                archived = archive_.subspan(offset);
        }
        if (offset >= end)
            break;
        u64 part = part_of_page(offset, to.size() < end - offset ? to.size() : end - offset);
        Result<void> moved;
        if (frame) {
            moved = to.put(frame.data() + offset % kPageSize, part);
        } else if (!archived.empty()) {
            part = part < archived.size() ? part : archived.size();
            moved = to.put(archived.data(), part);
        } else {
            moved = to.clear(part);
        }
        if (!moved) {
            if (done == 0)
                return fail(moved.error());
            break;
        }
        offset += part;
        done += part;
    }
    return done;
}

Result<u64> FilePages::write(IoBuffer& from, u64 offset) {
    u64 done = 0;
    while (from.size() > 0) {
        const u64 part = part_of_page(offset, from.size());
        const Result<Frame> frame = page_to_write(offset / kPageSize);
        const Result<void> moved =
            frame ? from.take(frame->data() + offset % kPageSize, part)
                  : Result<void>(fail(frame.error() == Errno::NoMem ? Errno::NoSpc : frame.error()));
        if (!moved) {
            if (done == 0)
                return fail(moved.error());
            break;
        }
        offset += part;
        done += part;
        if (offset > size()) {
            Guard guard{lock_};
            size_.store(offset, kRelaxed);
        }
    }
    return done;
}

void FilePages::clear_part(u64 index, u64 from, u64 to) {
    Frame frame;
    {
        Guard guard{lock_};
        if (const PhysAddr found = pages_.find(index); !found.is_null())
            frame = Frame::from(found);
    }
    if (frame)
        memset(frame.data() + from, 0, to - from);
}

void FilePages::resize(u64 size) {
    const u64 first = (size + kPageSize - 1) / kPageSize;
    bool shrinks = false;
    {
        Guard guard{lock_};
        shrinks = size < size_.load(kRelaxed);
        size_.store(size, kRelaxed);
        if (shrinks) {
            if (size < archive_.size())
                archive_ = archive_.first(size);
            pages_.remove_from(first);
            count_pages_locked();
        }
    }
    if (!shrinks)
        return;
    if (size % kPageSize != 0)
        clear_part(size / kPageSize, size % kPageSize, kPageSize);
    drop_mappings(first, ~u64{0} - first);
}

Result<void> FilePages::fill(u64 offset, u64 length) {
    const u64 last = (offset + length - 1) / kPageSize;
    if (length / kPageSize > frames::free_count())
        return fail(Errno::NoSpc);
    for (u64 index = offset / kPageSize; index <= last; ++index)
        if (!page_to_write(index))
            return fail(Errno::NoSpc);
    return {};
}

/// Holes are made of zeros: pages that are mapped or come from the archive could not be told from data otherwise.
Result<void> FilePages::punch(u64 offset, u64 length) {
    const u64 end = offset + length < size() ? offset + length : size();
    while (offset < end) {
        const u64 part = part_of_page(offset, end - offset);
        const u64 index = offset / kPageSize;
        if (has_page(index)) {
            if (!page_to_write(index))
                return fail(Errno::NoSpc);
            clear_part(index, offset % kPageSize, offset % kPageSize + part);
        }
        offset += part;
    }
    return {};
}

/// Looked for page by page; a larger file is all data, which SEEK_DATA and SEEK_HOLE may say of any file.
static constexpr u64 kMaxSearched = u64{64} << 20;

u64 FilePages::next_data(u64 offset) const {
    const u64 end = size();
    while (end <= kMaxSearched && offset < end && !has_page(offset / kPageSize))
        offset = (offset / kPageSize + 1) * kPageSize;
    return offset < end ? offset : end;
}

u64 FilePages::next_hole(u64 offset) const {
    const u64 end = size();
    if (end > kMaxSearched)
        return end;
    while (offset < end && has_page(offset / kPageSize))
        offset = (offset / kPageSize + 1) * kPageSize;
    return offset < end ? offset : end;
}

Bytes FilePages::whole_in_archive() const {
    Guard guard{lock_};
    return pages_.size() == 0 && archive_.size() == size() ? archive_ : Bytes();
}

} // namespace tollgate::fs
