// Regular files in memory: tmpfs, and the files of memfd_create(2) and O_TMPFILE, which have no name.
#pragma once

#include "fs/directory.h"
#include "fs/file_locks.h"
#include "fs/file_pages.h"
#include "lib/mutants.h"
#include "sched/mutex.h"

namespace tollgate::fs {

// [linux/fcntl.h] what file sealing forbids for good
inline constexpr u32 kSealSeal = 1, kSealShrink = 2, kSealGrow = 4, kSealWrite = 8, kSealFutureWrite = 16;

class RegularNode final : public Node {
public:
    /// The largest file; EFBIG beyond.
    static constexpr u64 kMaxSize = u64{1} << 46;

    explicit RegularNode(u32 permissions, const FileSystem& file_system = kTmpfs)
        : Node(file_system, kModeRegular | permissions) {}
    ~RegularNode() override;

    /// Gives a new file its content, before it is in the tree. The bytes must stay.
    Result<void> set_archive_content(Bytes bytes);

    Result<Ref<File>> open(const Caller*, u32 flags) override;
    u64 size() const override;
    u64 pages() const override;
    Result<void> truncate(u64 size) override;
    RegularNode* as_regular() override { return this; }
    FileLocks* locks() override { return &locks_; }

    Result<u64> read(IoBuffer& to, u64 offset);
    /// Appends at the end instead if `append`: one step for all writers. Moves `offset` to where it has written.
    Result<u64> write(IoBuffer& from, u64& offset, bool append);
    /// fallocate(2).
    Result<void> allocate(u32 mode, u64 offset, u64 length);
    /// The content, made if the file has none yet. Errno::NoMem.
    Result<FilePages*> content();
    /// The content, or null.
    FilePages* content_now() const { return content_.load(kAcquire); }

    u32 seals() const { return seals_.load(kRelaxed); }
    /// What every change of the file asks.
    u32 seals_in_force() const { return mutant(Mutant::Seals) ? 0 : seals(); }
    /// Errors: Perm (sealed against more seals), Busy (kSealWrite, and a shared mapping may write), NoMem.
    Result<void> add_seals(u32 seals);
    /// Writers and programs keep each other out: Errno::TxtBsy. Each pairs with its end.
    Result<void> begin_writing();
    void end_writing() { writers_.fetch_sub(1, kRelease); }
    Result<void> begin_executing();
    void end_executing() { writers_.fetch_add(1, kRelease); }
    /// For memfd_create(2) with MFD_ALLOW_SEALING; every other file is sealed against seals.
    void allow_seals() { seals_.store(0, kRelaxed); }

private:
    Result<void> resize(u64 size);

    Atomic<FilePages*> content_{nullptr}; // set once; one reference is the node's
    Mutex write_lock_;                    // writers and truncation, one at a time
    Atomic<u32> seals_{kSealSeal};
    Atomic<i32> writers_{0}; // open files that may write; or less than 0: that many programs
    FileLocks locks_;
};

} // namespace tollgate::fs
