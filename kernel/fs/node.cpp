// The tree's structure: directories, their entries, and links. One lock guards all lists of children; it is held for a
// search or an insertion, never across a user copy.
#include "fs/node.h"

#include "lib/memory.h"

namespace tollgate::fs {
namespace {

constinit Atomic<u64> next_inode{1};

/// Bytes before the name in struct linux_dirent64, and what a record is rounded up to [man 2 getdents].
constexpr u64 kRecordHead = 19, kRecordAlignment = 8;

u16 record_size(StringView name) { return static_cast<u16>(align_up(kRecordHead + name.size() + 1, kRecordAlignment)); }

/// An open directory.
class DirectoryFile final : public File {
public:
    explicit DirectoryFile(Directory& directory) : directory_(directory) {}

    Result<u64> read(IoBuffer&, u64, u32) override { return fail(Errno::IsDir); }
    bool seekable() const override { return true; }
    Result<FileStatus> status() const override { return directory_->status(); }
    Node* node() const override { return directory_.get(); }
    Result<u64> read_directory(IoBuffer& buffer, u64 offset) override;

private:
    Ref<Directory> directory_;
};

Result<u64> DirectoryFile::read_directory(IoBuffer& buffer, u64 offset) {
    u64 done = 0;
    for (;;) {
        Directory::Entry entry;
        if (const auto found = directory_->entry_at(offset + done, entry); !found) {
            if (found.error() == Errno::NoEnt)
                return done;
            return fail(found.error());
        }
        if (entry.size > buffer.size()) {
            if (done == 0)
                return fail(Errno::Inval);
            return done;
        }
        char record[kRecordHead + kMaxName + 1 + kRecordAlignment] = {};
        memcpy(record, &entry.inode, 8);
        memcpy(record + 8, &entry.next, 8);
        memcpy(record + 16, &entry.size, 2);
        record[18] = static_cast<char>(entry.type);
        memcpy(record + kRecordHead, entry.name, strnlen(entry.name, kMaxName));
        TRY(buffer.put(record, entry.size));
        done += entry.size;
    }
}

} // namespace

constinit Spinlock Directory::tree_lock_{LockRank::File};

Node::Node(StringView name) : name_(name), inode_(next_inode.fetch_add(1, kRelaxed)) {}

FileStatus Node::basic_status(u32 mode, u64 size) const {
    FileStatus status{};
    status.device = 1;
    status.inode = inode_;
    status.links = 1;
    status.mode = mode;
    status.size = static_cast<i64>(size);
    status.block_size = 4096;
    status.blocks = static_cast<i64>((size + 511) / 512);
    return status;
}

Result<Ref<File>> Directory::open(u32 flags) {
    if ((flags & kOpenAccessMask) != kOpenReadOnly)
        return fail(Errno::IsDir);
    return Ref<File>(TRY(make_ref<DirectoryFile>(*this)));
}

FileStatus Directory::status() const { return basic_status(kModeDirectory | 0755, 0); }

const Node* Directory::find_locked(StringView name) const {
    for (const Node& child : children_)
        if (child.name() == name)
            return &child;
    return nullptr;
}

Ref<Node> Directory::find(StringView name) const {
    Guard guard{tree_lock_};
    // The tree is constant only in its names; what it leads to may be opened for writing.
    Node* const found = const_cast<Node*>(find_locked(name));
    return found ? Ref<Node>(*found) : Ref<Node>();
}

Result<void> Directory::add(Ref<Node> node) {
    Guard guard{tree_lock_};
    if (find_locked(node->name()))
        return fail(Errno::Exist);
    node->parent_ = this;
    children_.push_back(*node.leak());
    return {};
}

Result<Directory*> Directory::find_or_make(StringView name, Growth growth) {
    if (!find(name)) {
        const auto added = add(TRY(make_ref<Directory>(name, growth)));
        if (!added && added.error() != Errno::Exist)
            return fail(added.error());
    }
    if (Directory* const directory = find(name)->as_directory())
        return directory;
    return fail(Errno::NotDir);
}

Result<void> Directory::entry_at(u64 position, Entry& entry) const {
    const auto fill = [&](u64 at, const Node& node, StringView name) {
        if (at != position)
            return false;
        entry.inode = node.inode();
        entry.size = record_size(name);
        entry.next = at + entry.size;
        entry.type = static_cast<u8>(node.status().mode >> 12); // DT_* is the type part of the mode
        memcpy(entry.name, name.data(), name.size());
        entry.name[name.size()] = '\0';
        return true;
    };
    u64 at = 0;
    if (fill(at, *this, "."))
        return {};
    at += record_size(".");
    if (fill(at, parent(), ".."))
        return {};
    at += record_size("..");

    const Node* found = nullptr;
    {
        Guard guard{tree_lock_};
        for (const Node& child : children_) {
            if (at >= position) {
                found = at == position ? &child : nullptr;
                break;
            }
            at += record_size(child.name());
        }
    }
    if (found && fill(at, *found, found->name()))
        return {};
    return fail(Errno::NoEnt);
}

Result<void> Link::read_link(const Caller* caller, Sink& to) const {
    if (target_)
        return target_(caller, to);
    to.write(text_.view());
    return {};
}

} // namespace tollgate::fs
