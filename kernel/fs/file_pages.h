// The content of a regular file: frames by number, with holes, shared by read(2), write(2) and every mapping. What the
// boot archive holds is read from the archive's own memory and copied page by page when somebody writes or maps it.
#pragma once

#include "lib/byte_reader.h"
#include "lib/unique_ptr.h"
#include "mem/memory_object.h"
#include "mem/user_copy.h"

namespace tollgate::fs {

class FilePages final : public MemoryObject {
public:
    FilePages(u64 device, u64 inode) : device_(device), inode_(inode) {}

    Result<Frame> page(u64 index) override;
    u64 size() const override { return size_.load(kRelaxed); }
    bool has_page(u64 index) const override;
    void identify(ObjectIdentity& to) const override;

    /// Before anybody else knows the file: its first content, which stays where it is.
    void use_archive(Bytes bytes);
    /// What /proc/PID/maps shows; the first call counts.
    void set_name(StringView name);

    /// Copies from `offset` on, up to the end; holes are zeros and stay holes. Bytes moved; Fault if none could be.
    Result<u64> read(IoBuffer& to, u64 offset) const;
    /// Copies to `offset`, growing the file. Bytes moved; Fault, NoSpc if none could be. Writers are kept apart by the
    /// caller.
    Result<u64> write(IoBuffer& from, u64 offset);
    /// ftruncate(2), in both directions; kept apart from writers by the caller. Without locks.
    void resize(u64 size);
    /// fallocate(2): makes the pages of a range. Errno::NoSpc.
    Result<void> fill(u64 offset, u64 length);
    /// Makes a hole: whole pages go, parts become zeros. Kept apart from writers by the caller.
    Result<void> punch(u64 offset, u64 length);
    /// lseek(2) SEEK_DATA and SEEK_HOLE: the first such offset from `offset` on, within the size.
    u64 next_data(u64 offset) const;
    u64 next_hole(u64 offset) const;
    u64 page_count() const { return page_count_.load(kRelaxed); }
    /// All of it, if it still lies in the archive untouched; else nothing.
    Bytes whole_in_archive() const;

private:
    Result<Frame> page_locked(u64 index) REQUIRES(lock_);
    Result<Frame> page_to_write(u64 index);
    bool in_archive_locked(u64 index) const REQUIRES(lock_) { return index < (archive_.size() + 4095) / 4096; }
    void clear_part(u64 index, u64 from, u64 to);

    const u64 device_, inode_;
    mutable Spinlock lock_{LockRank::MemoryObject};
    PageTree pages_ GUARDED_BY(lock_);
    Bytes archive_ GUARDED_BY(lock_); // shows through where pages_ has nothing
    Atomic<u64> size_{0};             // changed under lock_
    Atomic<u64> page_count_{0};       // likewise, for st_blocks
    void count_pages_locked() REQUIRES(lock_) {
        const u64 archived = (archive_.size() + kPageSize - 1) / kPageSize;
        page_count_.store(pages_.size() > archived ? pages_.size() : archived, kRelaxed);
    }
    struct Name {
        FixedString<255> text;
    };
    Owned<Name> name_ GUARDED_BY(lock_);
};

} // namespace tollgate::fs
