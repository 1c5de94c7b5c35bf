// tmpfs: reading, writing and growing regular files, and unpacking the boot archive into the tree. The lock is never
// held across a user copy: readers hold a reference to the block instead, and writers bring their bytes in by small
// pieces.
#include "fs/tmpfs.h"

#include "fs/vfs.h"
#include "lib/cpio.h"
#include "lib/memory.h"

namespace tollgate::fs {
namespace {

constexpr u64 kPiece = 512;
constexpr u64 kMinimumBlock = 512;

/// An open regular file.
class RegularFile final : public File {
public:
    explicit RegularFile(RegularNode& node) : node_(node) {}

    Result<u64> read(IoBuffer& buffer, u64 offset, u32) override { return node_->read(buffer, offset); }
    Result<u64> write(IoBuffer& buffer, u64 offset, u32 flags) override {
        return node_->write(buffer, flags & kOpenAppend ? RegularNode::kAppend : offset);
    }
    bool seekable() const override { return true; }
    Result<FileStatus> status() const override { return node_->status(); }
    Node* node() const override { return node_.get(); }
    Result<std::span<const std::byte>> content() const override;

private:
    Ref<RegularNode> node_;
    mutable Spinlock lock_{LockRank::FileTable}; // below the node's
    mutable Ref<Block> pinned_ GUARDED_BY(lock_);
    mutable u64 pinned_size_ GUARDED_BY(lock_) = 0;
};

/// What the file held when this was first called for this open file: the spans stay valid for as long as it is open.
Result<std::span<const std::byte>> RegularFile::content() const {
    Guard guard{lock_};
    if (!pinned_)
        pinned_ = node_->freeze(pinned_size_);
    if (!pinned_)
        return std::span<const std::byte>();
    return std::span<const std::byte>(pinned_->data(), pinned_size_);
}

} // namespace

Result<Ref<Block>> Block::allocate(u64 capacity) {
    auto* const bytes = new (std::nothrow_t{}) std::byte[capacity];
    if (!bytes)
        return fail(Errno::NoMem);
    auto block = make_ref<Block>(bytes, bytes, capacity);
    if (!block)
        delete[] bytes;
    return block;
}

Result<Ref<Block>> Block::around(Bytes bytes) {
    auto block = TRY(make_ref<Block>(bytes.data(), nullptr, bytes.size()));
    block->frozen = true;
    return block;
}

Block::~Block() { delete[] owned_; }

Result<void> RegularNode::set_archive_content(Bytes bytes) {
    if (bytes.empty())
        return {};
    auto block = TRY(Block::around(bytes));
    Guard guard{lock_};
    block_ = std::move(block);
    size_ = bytes.size();
    return {};
}

Result<Ref<File>> RegularNode::open(const Caller*, u32) {
    auto file = TRY(make_ref<RegularFile>(*this));
    return Ref<File>(std::move(file));
}

u64 RegularNode::size() const {
    Guard guard{lock_};
    return size_;
}

Result<u64> RegularNode::read(IoBuffer& buffer, u64 offset) {
    Ref<Block> block;
    u64 size = 0;
    {
        Guard guard{lock_};
        if (offset >= size_)
            return 0;
        block = block_;
        size = size_ - offset;
    }
    if (size > buffer.size())
        size = buffer.size();
    TRY(buffer.put(block->data() + offset, size));
    return size;
}

Result<u64> RegularNode::write(IoBuffer& buffer, u64 offset) {
    u64 done = 0;
    while (buffer.size() > 0) {
        std::byte piece[kPiece];
        const u64 size = buffer.size() < kPiece ? buffer.size() : kPiece;
        auto stored = buffer.take(piece, size);
        if (stored)
            stored = store(piece, size, offset == kAppend ? kAppend : offset + done);
        if (!stored) {
            if (done > 0)
                return done;
            return fail(stored.error());
        }
        done += size;
    }
    return done;
}

Result<void> RegularNode::store(const std::byte* bytes, u64 size, u64 offset) {
    for (;;) {
        u64 end = 0;
        {
            Guard guard{lock_};
            const u64 start = offset == kAppend ? size_ : offset;
            if (!range_fits(start, size, kMaxSize))
                return fail(Errno::FBig);
            end = start + size;
            if (block_ && !block_->frozen && end <= block_->capacity()) {
                if (start > size_)
                    memset(block_->writable() + size_, 0, start - size_);
                memcpy(block_->writable() + start, bytes, size);
                if (end > size_)
                    size_ = end;
                ++version_;
                return {};
            }
        }
        TRY(make_room(end));
    }
}

/// Replaces the block by one that can be written up to `needed`. It may be frozen or too small again when this returns:
/// callers look.
Result<void> RegularNode::make_room(u64 needed) {
    Ref<Block> old;
    u64 size = 0, version = 0;
    {
        Guard guard{lock_};
        old = block_;
        size = size_;
        version = version_;
    }
    u64 capacity = old && old->capacity() > kMinimumBlock / 2 ? old->capacity() * 2 : kMinimumBlock;
    if (capacity > kMaxSize)
        capacity = kMaxSize;
    if (capacity < needed)
        capacity = needed;
    auto bigger = TRY(Block::allocate(capacity));
    if (size > 0)
        memcpy(bigger->writable(), old->data(), size);
    Guard guard{lock_};
    // A write in the meantime went to the old block only: then the copy is worth nothing, and the caller comes again.
    if (version_ == version)
        std::swap(block_, bigger);
    return {};
}

Result<void> RegularNode::truncate(u64) {
    Ref<Block> old;
    Guard guard{lock_};
    std::swap(block_, old);
    size_ = 0;
    ++version_;
    return {};
}

Ref<Block> RegularNode::freeze(u64& size) {
    Guard guard{lock_};
    size = size_;
    if (block_)
        block_->frozen = true;
    return block_;
}

Result<Ref<Node>> make_regular_file(u32 permissions) { return Ref<Node>(TRY(make_ref<RegularNode>(permissions))); }

namespace {

/// The directory that `path` (an archive name) lies in; missing ones are made.
Result<Ref<Directory>> directory_for(Directory& root, StringView path) {
    Ref<Directory> directory(root);
    PathNames names(path);
    while (const auto name = TRY(names.next()))
        directory = TRY(directory->find_or_make(*name, Growth::Free));
    return directory;
}

Result<void> unpack(Directory& root, const CpioEntry& entry) {
    const SplitPath split = split_path(entry.name);
    if ((entry.mode & kModeTypeMask) == kModeDirectory) {
        const Ref<Directory> made = TRY(directory_for(root, entry.name));
        made->set_permissions(entry.mode & kModePermissions);
        made->set_owner(entry.user, entry.group);
        return {};
    }
    if (split.name.empty() || split.name.size() > kMaxName)
        return fail(Errno::Inval);
    const Ref<Directory> directory = TRY(directory_for(root, split.parent));
    switch (entry.mode & kModeTypeMask) {
    case kModeRegular: {
        auto node = TRY(make_ref<RegularNode>(entry.mode & kModePermissions));
        TRY(node->set_archive_content(entry.data));
        node->set_owner(entry.user, entry.group);
        const u64 modified = u64{entry.modified} * 1'000'000'000;
        node->set_times(modified, modified);
        return directory->add(split.name, std::move(node));
    }
    case kModeLink:
        if (entry.data.empty() || entry.data.size() >= kMaxPath)
            return fail(Errno::Inval);
        return directory->add(split.name, TRY(make_ref<Link>(TRY(LinkText::make(StringView::from_bytes(entry.data))))));
    default:
        return {}; // devices and pipes: /dev is the kernel's
    }
}

} // namespace

Parsed<void> unpack_archive(Directory& root, Bytes archive) {
    if (archive.empty())
        return {};
    CpioReader reader(archive);
    while (const auto entry = TRY(reader.next())) {
        const auto unpacked = unpack(root, *entry);
        if (unpacked)
            continue;
        const u64 offset = static_cast<u64>(reinterpret_cast<const std::byte*>(entry->name.data()) - archive.data());
        switch (unpacked.error()) {
        case Errno::NoMem:
            return parse_error("archive: out of memory", offset);
        case Errno::Exist:
            return parse_error("archive: a name stands twice", offset);
        case Errno::NotDir:
            return parse_error("archive: a file stands where a directory is needed", offset);
        default:
            return parse_error("archive: a name or link that cannot be", offset);
        }
    }
    return {};
}

} // namespace tollgate::fs
