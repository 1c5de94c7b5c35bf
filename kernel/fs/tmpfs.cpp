// Regular files: open files on a node, and what writers do one at a time.
#include "fs/tmpfs.h"

#include "fs/vfs.h"
#include "lib/memory.h"
#include "lib/mutants.h"

namespace tollgate::fs {
namespace {

/// A file's bytes in one piece.
struct Copy {
    std::byte* bytes = nullptr;
    u64 size = 0;
    Copy() = default;
    Copy(Copy&& other) : bytes(std::exchange(other.bytes, nullptr)), size(other.size) {}
    Copy& operator=(Copy&& other) {
        std::swap(bytes, other.bytes);
        std::swap(size, other.size);
        return *this;
    }
    ~Copy() { delete[] bytes; }
};

class RegularHold final : public ProgramHold {
public:
    /// begin_executing() has been called.
    explicit RegularHold(RegularNode& node) : node_(node) {}
    ~RegularHold() override { node_->end_executing(); }

private:
    const Ref<RegularNode> node_;
};

/// An open regular file.
class RegularFile final : public File {
public:
    /// `writes`: begin_writing() has been called.
    RegularFile(RegularNode& node, bool writes) : node_(node), writes_(writes) {}
    ~RegularFile() override {
        if (writes_)
            node_->end_writing();
    }

    Result<u64> read(IoBuffer& to, u64 offset, u32) override { return node_->read(to, offset); }
    Result<u64> write(IoBuffer& from, u64 offset, u32 flags) override {
        return node_->write(from, offset, flags & kOpenAppend);
    }
    bool seekable() const override { return true; }
    Result<FileStatus> status() const override {
        Result<FileStatus> status{FileStatus{}};
        node_->fill(*status); // in place: a copy costs more than the making
        return status;
    }
    Result<void> truncate(u64 size) override { return node_->truncate(size); }
    Node* node() const override { return node_.get(); }
    Result<std::span<const std::byte>> content() const override;
    Result<Ref<MemoryObject>> memory() override;
    Result<Ref<ProgramHold>> hold_as_program() override;
    void descriptor_closed(const void* table) override { node_->locks()->release(table); }
    void description_closed(const void* description) override { node_->locks()->release(description); }

private:
    const Ref<RegularNode> node_;
    const bool writes_;
    mutable Spinlock lock_{LockRank::File};
    mutable Copy copy_ GUARDED_BY(lock_); // for content(): what the file held when first asked
};

/// The loader's view. A file that nobody has changed since boot lies in the archive in one piece.
Result<std::span<const std::byte>> RegularFile::content() const {
    const FilePages* const pages = node_->content_now();
    if (!pages)
        return std::span<const std::byte>();
    if (const Bytes archived = pages->whole_in_archive(); !archived.empty())
        return archived;
    Copy fresh;
    fresh.size = pages->size();
    fresh.bytes = new (std::nothrow_t{}) std::byte[fresh.size + 1];
    if (!fresh.bytes)
        return fail(Errno::NoMem);
    IoBuffer buffer = IoBuffer::of_kernel(fresh.bytes, fresh.size);
    fresh.size = TRY(pages->read(buffer, 0));
    Guard guard{lock_};
    if (!copy_.bytes)
        std::swap(copy_, fresh);
    return std::span<const std::byte>(copy_.bytes, copy_.size);
}

Result<Ref<MemoryObject>> RegularFile::memory() {
    FilePages* const pages = TRY(node_->content());
    char path[256];
    if (const auto name = path_of(nullptr, *node_, path))
        pages->set_name(*name);
    return Ref<MemoryObject>(Ref<FilePages>(*pages));
}

Result<Ref<ProgramHold>> RegularFile::hold_as_program() {
    TRY(node_->begin_executing());
    auto hold = make_ref<RegularHold>(*node_);
    if (!hold) {
        node_->end_executing();
        return fail(hold.error());
    }
    return Ref<ProgramHold>(std::move(*hold));
}

} // namespace

RegularNode::~RegularNode() {
    if (FilePages* const content = content_.load(kRelaxed))
        Ref<FilePages>::adopt(content).reset();
}

Result<FilePages*> RegularNode::content() {
    if (FilePages* const content = content_now())
        return content;
    Ref<FilePages> made = TRY(make_ref<FilePages>(u64{file_system().device}, inode()));
    FilePages* expected = nullptr;
    // Release: whoever finds the pointer finds the object complete.
    if (content_.compare_exchange_strong(expected, made.get(), kAcqRel, kAcquire))
        return made.leak();
    return expected;
}

Result<void> RegularNode::set_archive_content(Bytes bytes) {
    if (!bytes.empty())
        TRY(content())
    ->use_archive(bytes);
    return {};
}

Result<Ref<File>> RegularNode::open(const Caller*, u32 flags) {
    const bool writes = (flags & kOpenAccessMask) != kOpenReadOnly;
    if (writes)
        TRY(begin_writing());
    auto file = make_ref<RegularFile>(*this, writes);
    if (!file) {
        if (writes)
            end_writing();
        return fail(file.error());
    }
    return Ref<File>(std::move(*file));
}

Result<void> RegularNode::begin_writing() {
    i32 writers = writers_.load(kRelaxed);
    do {
        if (writers < 0 && !mutant(Mutant::TextBusy))
            return fail(Errno::TxtBsy);
    } while (!writers_.compare_exchange_weak(writers, writers + 1, kAcquire, kRelaxed));
    return {};
}

Result<void> RegularNode::begin_executing() {
    i32 writers = writers_.load(kRelaxed);
    do {
        if (writers > 0 && !mutant(Mutant::TextBusy))
            return fail(Errno::TxtBsy);
    } while (!writers_.compare_exchange_weak(writers, writers - 1, kAcquire, kRelaxed));
    return {};
}

u64 RegularNode::size() const {
    const FilePages* const content = content_now();
    return content ? content->size() : 0;
}

u64 RegularNode::pages() const {
    const FilePages* const content = content_now();
    return content ? content->page_count() : 0;
}

Result<u64> RegularNode::read(IoBuffer& to, u64 offset) {
    accessed();
    const FilePages* const content = content_now();
    return content ? content->read(to, offset) : 0;
}

Result<u64> RegularNode::write(IoBuffer& from, u64& offset, bool append) {
    if (from.size() == 0)
        return 0;
    FilePages* const content = TRY(this->content());
    MutexGuard guard{write_lock_};
    if (append)
        offset = content->size();
    if (offset >= kMaxSize)
        return fail(Errno::FBig);
    const u32 seals = seals_in_force();
    if (seals & (kSealWrite | kSealFutureWrite))
        return fail(Errno::Perm);
    if ((seals & kSealGrow) && offset + from.size() > content->size())
        return fail(Errno::Perm);
    IoBuffer part = from.first(kMaxSize - offset);
    const u64 done = TRY(content->write(part, offset));
    from.skip(done);
    // A write takes the set-id bits away from everybody but root; here from everybody, as nobody counts on keeping
    // them.
    if (mode() & (kModeSetUser | kModeSetGroup)) [[unlikely]]
        set_permissions(mode() & ~(kModeSetUser | (mode() & 010 ? kModeSetGroup : 0)));
    stamp(Stamp::Contents);
    return done;
}

Result<void> RegularNode::truncate(u64 size) {
    if (size > kMaxSize)
        return fail(Errno::FBig);
    TRY(begin_writing());
    const Result<void> done = resize(size);
    end_writing();
    return done;
}

Result<void> RegularNode::resize(u64 size) {
    FilePages* const content = TRY(this->content());
    MutexGuard guard{write_lock_};
    const u64 before = content->size();
    const u32 seals = seals_in_force();
    if ((size < before && (seals & kSealShrink)) || (size > before && (seals & kSealGrow)))
        return fail(Errno::Perm);
    content->resize(size);
    stamp(Stamp::Contents);
    return {};
}

Result<void> RegularNode::allocate(u32 mode, u64 offset, u64 length) {
    constexpr u32 kKeepSize = 1, kPunchHole = 2, kZeroRange = 16; // [linux/falloc.h]
    if ((mode & ~(kKeepSize | kPunchHole | kZeroRange)) || (mode & kPunchHole && mode != (kPunchHole | kKeepSize)))
        return fail(Errno::NotSup);
    if (offset > kMaxSize || length > kMaxSize - offset)
        return fail(Errno::FBig);
    FilePages* const content = TRY(this->content());
    MutexGuard guard{write_lock_};
    const bool grows = !(mode & kKeepSize) && offset + length > content->size();
    const u32 seals = seals_in_force();
    if ((seals & (kSealWrite | kSealFutureWrite)) || (grows && (seals & kSealGrow)))
        return fail(Errno::Perm);
    if (mode & (kPunchHole | kZeroRange))
        TRY(content->punch(offset, length));
    if (!(mode & kPunchHole))
        TRY(content->fill(offset, length));
    if (grows)
        content->resize(offset + length);
    stamp(Stamp::Contents);
    return {};
}

Result<void> RegularNode::add_seals(u32 seals) {
    MutexGuard guard{write_lock_}; // one at a time, and between two writes
    const u32 old = this->seals();
    if (old & kSealSeal)
        return fail(Errno::Perm);
    if (seals & ~old & kSealWrite)
        TRY(TRY(content())->forbid_writable_mappings());
    seals_.store(old | seals, kRelease);
    return {};
}

Result<Ref<Node>> make_regular_file(u32 permissions) {
    return Ref<Node>(TRY(make_ref<RegularNode>(permissions & kModePermissions)));
}

} // namespace tollgate::fs
