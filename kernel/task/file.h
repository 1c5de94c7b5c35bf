// An open file and the table of them that a process has. Kinds of file derive from File in fs/ and gate/.
#pragma once

#include "lib/ref.h"
#include "mem/memory_object.h"
#include "mem/user_copy.h"
#include "sched/mutex.h"
#include "sched/wait_queue.h"
#include "sync/spinlock.h"

namespace tollgate {

struct Caller;
namespace fs {
class Node;
}

/// Linux' struct stat for x86-64 [man 2 stat; asm/stat.h].
struct FileStatus {
    u64 device, inode, links;
    u32 mode, user, group, pad;
    u64 special_device;
    i64 size, block_size, blocks;
    u64 access_time, access_nanoseconds, modify_time, modify_nanoseconds, change_time, change_nanoseconds;
    i64 unused[3];
};
static_assert(sizeof(FileStatus) == 144);

// [man 7 inode] types in FileStatus::mode
inline constexpr u32 kModeDirectory = 0040000, kModeCharacter = 0020000, kModeRegular = 0100000, kModeLink = 0120000;

/// [asm-generic/fcntl.h] open flags
inline constexpr u32 kOpenReadOnly = 0, kOpenWriteOnly = 1, kOpenReadWrite = 2, kOpenAccessMask = 3, kOpenCreate = 0100;
inline constexpr u32 kOpenExclusive = 0200, kOpenTruncate = 01000, kOpenAppend = 02000, kOpenDirectory = 0200000;
inline constexpr u32 kOpenNoTty = 0400, kOpenNonBlock = 04000, kOpenNoFollow = 0400000;
inline constexpr u32 kOpenCloseOnExec = 02000000, kOpenLargeFile = 0100000, kOpenNoAccessTime = 01000000;
inline constexpr u32 kOpenPath = 010000000, kOpenTemporary = 020000000 | kOpenDirectory;

/// [asm-generic/poll.h] readiness, as poll(2) and epoll(7) name it
inline constexpr u32 kPollIn = 0x1, kPollPriority = 0x2, kPollOut = 0x4, kPollError = 0x8, kPollHangUp = 0x10,
                     kPollInvalid = 0x20, kPollReadHangUp = 0x2000;

class OpenFile;

/// Files that have calls of their own say so.
enum class FileKind : u8 { Other, Pipe, Event, Epoll, Socket, Signal, Timer, Memory };

/// While it lives nobody can write to a file, because a process executes it.
class ProgramHold : public RefCounted {
public:
    virtual ~ProgramHold() = default;
};

/// One open file description. Shared by descriptors; methods may be called from several cores at once.
class File : public RefCounted {
public:
    virtual ~File() = default;
    /// Bytes read, 0 at the end. `offset` is where to read; `flags` are the open file's kOpen*, of which kOpenNonBlock
    /// and kOpenAppend matter. May sleep. Errno::Again where it would sleep and must not.
    virtual Result<u64> read(IoBuffer&, u64 /*offset*/, u32 /*flags*/) { return fail(Errno::Inval); }
    virtual Result<u64> write(IoBuffer&, u64 /*offset*/, u32 /*flags*/) { return fail(Errno::Inval); }
    /// What would not block now: a set of kPoll*.
    virtual u32 ready() { return kPollIn | kPollOut; }
    /// What is woken whenever ready() may have changed; null if it never does.
    virtual WaitQueue* ready_queue() { return nullptr; }
    /// ftruncate(2). Errno::Inval for what has no size.
    virtual Result<void> truncate(u64 /*size*/) { return fail(Errno::Inval); }
    /// Whether position() matters (regular files) or not (devices).
    virtual bool seekable() const { return false; }
    virtual Result<FileStatus> status() const = 0;
    virtual Result<u64> control(Caller&, u32 /*request*/, u64 /*argument*/) { return fail(Errno::NoTty); }
    /// The fcntl(2) commands that only some kinds of file know (pipe sizes, seals).
    virtual Result<u64> command(u32 /*command*/, u64 /*argument*/) { return fail(Errno::Inval); }
    virtual FileKind kind() const { return FileKind::Other; }
    /// Whether a write that fails with Errno::Pipe also raises SIGPIPE.
    virtual bool signals_broken_pipe() const { return true; }
    /// An open file that this file watches (OpenFile::Watcher) is going: it must be off its list on return.
    virtual void forget(OpenFile&) {}
    /// Kernel-side view of a regular file's content, for the loader. Errno::NoExec if it has none.
    virtual Result<std::span<const std::byte>> content() const { return fail(Errno::NoExec); }
    /// The file's pages, for mmap(2) and the loader. Errno::NoDev if they cannot be mapped.
    virtual Result<Ref<MemoryObject>> memory() { return fail(Errno::NoDev); }
    /// A process is about to execute the file. Errno::TxtBsy if somebody has it open for writing.
    virtual Result<Ref<ProgramHold>> hold_as_program() { return Ref<ProgramHold>(); }
    /// Directory entries for getdents64; moves the position on. Errno::NotDir.
    virtual Result<u64> read_directory(const Caller*, IoBuffer&, u64& /*position*/) { return fail(Errno::NotDir); }
    /// A descriptor of this table, or the last one of this open file, has been closed: its locks go. Only compared.
    virtual void descriptor_closed(const void* /*table*/) {}
    virtual void description_closed(const void* /*open_file*/) {}
    /// Its place in the file tree, for openat() and its kind; null for files without a name.
    virtual fs::Node* node() const { return nullptr; }
};

/// An open file with its position and flags: what dup() shares.
class OpenFile : public RefCounted {
public:
    OpenFile(Ref<File> file_, u32 flags) : file(std::move(file_)), seekable(file->seekable()), flags_(flags) {}
    ~OpenFile() {
        if (watched_.load(kRelaxed))
            leave_watchers();
        file->description_closed(this);
    }
    const Ref<File> file;
    const bool seekable; ///< of the file
    Atomic<u64> position{0};
    Mutex position_lock; ///< held while a read or write uses and moves the position of a seekable file
    u32 flags() const { return flags_.load(kRelaxed); } ///< kOpen*
    /// For F_SETFL; the access mode must stay.
    void set_flags(u32 flags) { flags_.store(flags, kRelaxed); }
    bool readable() const { return (flags() & kOpenAccessMask) != kOpenWriteOnly; }
    bool writable() const { return (flags() & kOpenAccessMask) != kOpenReadOnly; }

    /// For a file that watches open files without keeping them open (epoll): its place in the open file's list. When
    /// the open file goes, owner->forget() takes it off.
    struct Watcher {
        File* owner = nullptr;
        ListLink<Watcher> link;
    };
    void add_watcher(Watcher& watcher);
    void remove_watcher(Watcher& watcher);
    /// One of those that `owner` has here, or null.
    Watcher* watcher_of(const File& owner);

private:
    void leave_watchers();

    Atomic<u32> flags_;
    Atomic<bool> watched_{false}; // some day it had a watcher
    Spinlock watchers_lock_{LockRank::File};
    List<Watcher, &Watcher::link> watchers_ GUARDED_BY(watchers_lock_);
};

/// An open file for the length of a call. Not counted if nobody else could close it meanwhile.
class BorrowedFile {
public:
    BorrowedFile(OpenFile& file, bool counted) : file_(&file), counted_(counted) {}
    BorrowedFile(BorrowedFile&& other) : file_(std::exchange(other.file_, nullptr)), counted_(other.counted_) {}
    BorrowedFile& operator=(BorrowedFile&&) = delete;
    ~BorrowedFile() {
        if (file_ && counted_) [[unlikely]]
            Ref<OpenFile>::adopt(file_).reset();
    }
    OpenFile* operator->() const { return file_; }
    OpenFile& operator*() const { return *file_; }
    /// A reference to keep.
    Ref<OpenFile> share() const { return Ref<OpenFile>(*file_); }

private:
    OpenFile* file_;
    const bool counted_;
};

/// Descriptors of a process, shared by its threads. The table grows as far as the process's limit lets it.
class FileTable : public RefCounted {
public:
    static constexpr unsigned kMaxSize = 1u << 16;
    FileTable() = default;
    ~FileTable();

    /// For a call of one of the table's users. Errno::BadF.
    Result<BorrowedFile> borrow(int descriptor) {
        if (shared_.load(kRelaxed)) [[unlikely]]
            return borrow_counted(descriptor);
        OpenFile* const file = file_at(descriptor);
        if (!file) [[unlikely]]
            return fail(Errno::BadF);
        return BorrowedFile(*file, false);
    }
    /// The same without a Result around it, for the shortest calls: null if it must be counted, or is not open.
    OpenFile* borrow_alone(int descriptor) const { return shared_.load(kRelaxed) ? nullptr : file_at(descriptor); }
    /// Errno::BadF. For anybody, from any CPU.
    Result<Ref<OpenFile>> get(int descriptor);
    /// The lowest free descriptor from `first` on. Errors: MFile; Inval if `first` is over the limit.
    Result<int> add(Ref<OpenFile> file, bool close_on_exec, int first = 0);
    Result<void> close(int descriptor);
    /// dup2(2): closes `to` if open. Errno::BadF.
    Result<int> duplicate_to(int from, int to, bool close_on_exec);
    /// fcntl(2) F_GETFD and F_SETFD. Errno::BadF.
    Result<bool> closes_on_exec(int descriptor);
    Result<void> set_close_on_exec(int descriptor, bool close_on_exec);
    void close_on_exec();
    /// close_range(2), both ends included: closes, or marks for exec.
    void close_range(unsigned first, unsigned last, bool only_mark);
    /// A copy with the same descriptors, for fork-like calls.
    Result<Ref<FileTable>> clone();
    /// The first open descriptor from `first` on, for /proc/PID/fd; -1 if there is none.
    int next_open(int first);

    /// One more thread, or syscall page, acts on this table: from the second on, files must be counted while in use.
    /// Called by a user that is alone, or for one that does not act yet.
    void add_user() {
        if (users_.exchange(1, kRelaxed) != 0)
            shared_.store(true, kRelaxed);
    }
    /// RLIMIT_NOFILE.
    void set_limit(u64 limit) { limit_.store(limit < kMaxSize ? static_cast<u32>(limit) : kMaxSize, kRelaxed); }

private:
    struct Slot {
        OpenFile* file = nullptr; // one count
        bool close_on_exec = false;
    };
    static constexpr u32 kSmallest = 64, kDefaultLimit = 1024;

    /// Called by the only user, or under the lock. The index cannot be speculated over the end [threats S11].
    OpenFile* file_at(int descriptor) const NO_THREAD_SAFETY_ANALYSIS {
        u64 index = static_cast<u32>(descriptor), mask;
        asm("cmpq %2, %0\n\tsbbq %1, %1\n\tandq %1, %0" : "+r"(index), "=&r"(mask) : "r"(u64{capacity_}) : "cc");
        return mask == 0 ? nullptr : slots_[index].file;
    }
    Slot* slot_locked(int descriptor) REQUIRES(lock_);
    Result<BorrowedFile> borrow_counted(int descriptor);
    Result<void> grow(u32 needed);
    OpenFile* take_locked(u32 index) REQUIRES(lock_);
    void dropped(OpenFile* file);
    u32 next_used_locked(u32 from) const REQUIRES(lock_);

    Atomic<bool> shared_{false}; // more than one user, ever
    Atomic<u32> users_{0}, limit_{kDefaultLimit};
    mutable Spinlock lock_{LockRank::FileTable};
    u32 capacity_ GUARDED_BY(lock_) = 0; // a multiple of 64
    Slot* slots_ GUARDED_BY(lock_) = nullptr;
    u64* used_ GUARDED_BY(lock_) = nullptr; // one bit a slot
    u32 lowest_free_ GUARDED_BY(lock_) = 0; // none is free below
};

} // namespace tollgate
