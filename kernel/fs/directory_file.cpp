// Open directories: getdents64(2). An entry's position never changes while it stays, so that a reader sees each entry
// that is there all the time exactly once, whatever comes and goes.
#include "fs/directory.h"

#include "lib/bits.h"
#include "lib/memory.h"

namespace tollgate::fs {
namespace {

/// Bytes before the name in struct linux_dirent64, and what a record is rounded up to [man 2 getdents].
constexpr u64 kRecordHead = 19, kRecordAlignment = 8;
constexpr u64 kLargestRecord = align_up(kRecordHead + kMaxName + 1, kRecordAlignment);
/// Positions from here on are of generated entries.
constexpr u64 kGenerated = u64{1} << 48;

/// Records on their way to the user's buffer.
class Records {
public:
    explicit Records(u64 room) : room_(room < sizeof bytes_ ? room : sizeof bytes_) {}
    u64 size() const { return size_; }
    const char* data() const { return bytes_; }
    /// False if it does not fit.
    bool add(u64 inode, u64 next, u32 type, StringView name) {
        const u64 size = align_up(kRecordHead + name.size() + 1, kRecordAlignment);
        if (size > room_ - size_)
            return false;
        char* const record = bytes_ + size_;
        const u16 short_size = static_cast<u16>(size);
        memset(record + size - 8, 0, 8); // the terminator and what is between the records [threats L7]
        memcpy(record, &inode, 8);
        memcpy(record + 8, &next, 8);
        memcpy(record + 16, &short_size, 2);
        record[18] = static_cast<char>(type >> 12); // DT_* is the type part of the mode
        memcpy(record + kRecordHead, name.data(), name.size());
        size_ += size;
        return true;
    }

private:
    const u64 room_;
    u64 size_ = 0;
    char bytes_[3 * kLargestRecord];
};

} // namespace

class DirectoryFile final : public File {
public:
    explicit DirectoryFile(Directory& directory) : directory_(directory) {}

    Result<u64> read(IoBuffer&, u64, u32) override { return fail(Errno::IsDir); }
    bool seekable() const override { return true; }
    Result<FileStatus> status() const override { return directory_->status(); }
    Node* node() const override { return directory_.get(); }
    void descriptor_closed(const void* table) override { directory_->locks()->release(table); }
    void description_closed(const void* description) override { directory_->locks()->release(description); }
    Result<u64> read_directory(const Caller* caller, IoBuffer& buffer, u64& position) override;

private:
    bool removed() EXCLUDES(tree_lock) {
        Guard guard{tree_lock};
        return TreeAccess::removed(*directory_);
    }
    /// Whether all entries of the table from `position` on have been added.
    bool add_table_entries(Records& records, u64& position) EXCLUDES(tree_lock);
    /// Whether the end has been reached.
    Result<bool> add_generated(const Caller* caller, Records& records, u64& position);

    const Ref<Directory> directory_;
    // Where the last call stopped, good while no entry has been removed since:
    Entry* remembered_ GUARDED_BY(tree_lock) = nullptr;
    u64 remembered_removals_ GUARDED_BY(tree_lock) = 0;
};

bool DirectoryFile::add_table_entries(Records& records, u64& position) {
    Guard guard{tree_lock};
    Directory& directory = *directory_;
    if (position == 0) {
        if (!records.add(directory.inode(), 1, kModeDirectory, "."))
            return false;
        position = 1;
    }
    if (position == 1) {
        if (!records.add(TreeAccess::parent(directory).inode(), 2, kModeDirectory, ".."))
            return false;
        position = 2;
    }
    Entry* entry = directory.entries_.front();
    if (remembered_ && remembered_removals_ == directory.removals_ && remembered_->position <= position)
        entry = remembered_;
    while (entry && entry->position < position)
        entry = directory.entries_.next(*entry);
    for (; entry; entry = directory.entries_.next(*entry)) {
        remembered_ = entry;
        remembered_removals_ = directory.removals_;
        if (!records.add(entry->node->inode(), entry->position + 1, entry->node->type(), entry->name()))
            return false;
        position = entry->position + 1;
    }
    return true;
}

Result<bool> DirectoryFile::add_generated(const Caller* caller, Records& records, u64& position) {
    if (!directory_->generates())
        return true;
    if (position < kGenerated)
        position = kGenerated;
    for (;;) {
        Directory::Listing listing;
        const auto next = directory_->list_entry(caller, position - kGenerated, listing);
        if (!next) {
            if (next.error() == Errno::NoEnt)
                return true;
            return fail(next.error());
        }
        if (!records.add(listing.inode, *next + kGenerated, listing.type, listing.name.view()))
            return false;
        position = *next + kGenerated;
    }
}

Result<u64> DirectoryFile::read_directory(const Caller* caller, IoBuffer& buffer, u64& position) {
    u64 done = 0, at = position;
    if (removed())
        return fail(Errno::NoEnt);
    for (;;) {
        Records records(buffer.size());
        bool end = at < kGenerated ? add_table_entries(records, at) : true;
        if (end)
            end = TRY(add_generated(caller, records, at));
        if (records.size() == 0) {
            if (!end && done == 0)
                return fail(Errno::Inval); // not even one record fits
            break;
        }
        if (const auto put = buffer.put(records.data(), records.size()); !put) {
            if (done == 0)
                return fail(put.error());
            break;
        }
        done += records.size();
        position = at;
        if (end)
            break;
    }
    directory_->accessed();
    return done;
}

Result<Ref<File>> Directory::open(const Caller*, u32) { return Ref<File>(TRY(make_ref<DirectoryFile>(*this))); }

} // namespace tollgate::fs
