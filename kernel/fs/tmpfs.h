// Regular files in memory: tmpfs. A file's bytes are one block; the block of a file from the boot archive is the
// archive's own memory, until the first write makes a copy.
#pragma once

#include "fs/directory.h"
#include "lib/byte_reader.h"

namespace tollgate::fs {

/// The bytes of a file, up to its capacity. A frozen block is never written again, so that spans into it stay as they
/// are: the archive's, and what the program loader reads.
class Block : public RefCounted {
public:
    /// A heap block; NoMem. Its bytes are undefined.
    static Result<Ref<Block>> allocate(u64 capacity);
    /// Frozen, around memory that somebody else keeps.
    static Result<Ref<Block>> around(Bytes bytes);
    ~Block();

    const std::byte* data() const { return data_; }
    std::byte* writable() const { return owned_; }
    u64 capacity() const { return capacity_; }

    bool frozen = false; ///< guarded by the file's lock

private:
    template <class T, class... Args>
    friend Result<Ref<T>> tollgate::make_ref(Args&&...);
    Block(const std::byte* data, std::byte* owned, u64 capacity) : data_(data), owned_(owned), capacity_(capacity) {}

    const std::byte* const data_;
    std::byte* const owned_;
    const u64 capacity_;
};

class RegularNode final : public Node {
public:
    /// The largest file; EFBIG beyond.
    static constexpr u64 kMaxSize = u64{64} << 20;
    /// Offset that stands for the end of the file.
    static constexpr u64 kAppend = ~u64{0};

    explicit RegularNode(u32 permissions) : Node(kTmpfs, kModeRegular | permissions) {}

    /// Gives a new file its content, before it is in the tree.
    Result<void> set_archive_content(Bytes bytes);

    Result<Ref<File>> open(const Caller*, u32 flags) override;
    u64 size() const override;

    Result<u64> read(IoBuffer& buffer, u64 offset);
    Result<u64> write(IoBuffer& buffer, u64 offset);
    Result<void> truncate(u64 size) override;
    /// The block with everything in it, frozen, and the file's size; null if it is empty.
    Ref<Block> freeze(u64& size);

private:
    Result<void> store(const std::byte* bytes, u64 size, u64 offset);
    Result<void> make_room(u64 needed);

    mutable Spinlock lock_{LockRank::File};
    Ref<Block> block_ GUARDED_BY(lock_); // null: no bytes
    u64 size_ GUARDED_BY(lock_) = 0;
    u64 version_ GUARDED_BY(lock_) = 0; // counts changes of bytes or size
};

} // namespace tollgate::fs
