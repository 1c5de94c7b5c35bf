// The nodes of the file tree: what a path leads to. A node is an inode: it has attributes and a count of its names, but
// no name; names are the entries of directories (fs/directory.h). A node lives for as long as a name or somebody's
// reference leads to it.
#pragma once

#include "cpu/x86.h"
#include "fs/path.h"
#include "sync/spinlock.h"
#include "task/file.h"

namespace tollgate::fs {

class Directory;
class Link;
class RegularNode;
class FileLocks;
struct Entry;

/// What the nodes of one file system have in common.
struct FileSystem {
    const char* type;        ///< as in /proc/mounts
    u64 magic;               ///< statfs(2) [linux/magic.h]
    u32 device;              ///< st_dev
    bool keeps_data = false; ///< has blocks to report; df(1) leaves out what has none
};
inline constexpr FileSystem kTmpfs{"tmpfs", 0x01021994, 1, true}, kDevfs{"devtmpfs", 0x01021994, 2, true};
inline constexpr FileSystem kProcfs{"proc", 0x9fa0, 3}, kSysfs{"sysfs", 0x62656572, 4}, kUnnamed{"anon", 0x09041934, 5};
inline constexpr FileSystem kDevpts{"devpts", 0x1cd1, 6};

// [man 7 inode] types and bits of a mode, beside those in task/file.h
inline constexpr u32 kModeTypeMask = 0170000, kModeFifo = 0010000, kModeSocket = 0140000, kModeBlock = 0060000;
inline constexpr u32 kModeSetUser = 04000, kModeSetGroup = 02000, kModeSticky = 01000;
inline constexpr u32 kModePermissions = 07777;

/// Which times an event sets.
enum class Stamp : u8 { Access = 1, Modify = 2, Change = 4, Contents = 6, All = 7 };

class Node : public RefCounted {
public:
    virtual ~Node() = default;

    /// A new open file. `flags` are kOpen*; creation, exclusiveness, truncation and permissions have been dealt with.
    /// `caller` is null for the kernel itself. May block (a FIFO); no lock is held.
    virtual Result<Ref<File>> open(const Caller* caller, u32 flags) = 0;
    /// Everything that stat(2) says; made from the attributes, size(), pages() and special_device().
    virtual void fill(FileStatus& status) const;
    FileStatus status() const {
        FileStatus status;
        fill(status);
        return status;
    }
    virtual u64 size() const { return 0; }
    /// Pages in use, for st_blocks.
    virtual u64 pages() const { return (size() + 4095) / 4096; }
    /// The device number of a device node, as Linux packs it for user space.
    virtual u64 special_device() const { return 0; }
    /// truncate(2). Errno::Inval for what has no size.
    virtual Result<void> truncate(u64 /*size*/) { return fail(Errno::Inval); }
    /// This node, if it is a directory or a symbolic link.
    virtual Directory* as_directory() { return nullptr; }
    virtual Link* as_link() { return nullptr; }
    /// This node, if its content is pages in memory (fs/tmpfs.h).
    virtual RegularNode* as_regular() { return nullptr; }
    /// Where its advisory locks are kept; null if it can have none.
    virtual FileLocks* locks() { return nullptr; }

    u64 inode() const { return inode_; }
    const FileSystem& file_system() const { return *file_system_; }
    u32 mode() const { return mode_.load(kRelaxed); }
    u32 type() const { return mode() & kModeTypeMask; }
    u32 user() const { return user_.load(kRelaxed); }
    u32 group() const { return group_.load(kRelaxed); }
    u32 links() const { return links_.load(kRelaxed); }

    /// chmod(2): permissions and set-id bits.
    void set_permissions(u32 permissions);
    void set_owner(u32 user, u32 group);
    /// Sets times to now, in ns since 1970.
    void stamp(Stamp which);
    /// A read: moves the access time as relatime does [man 8 mount]. Most reads only look whether they have to.
    void accessed() {
        const u64 access = access_time();
        if (access <= modify_time() || access <= change_time() || x86::rdtsc() >= access_renewal_.load(kRelaxed))
            [[unlikely]]
            renew_access();
    }
    void set_times(u64 access, u64 modify);
    u64 access_time() const { return access_time_.load(kRelaxed); }
    u64 modify_time() const { return modify_time_.load(kRelaxed); }
    u64 change_time() const { return change_time_.load(kRelaxed); }

protected:
    /// `mode` is type and permissions. `inode` 0 stands for a new number; give one to nodes that are made anew at each
    /// lookup, so that two looks at a file show the same.
    Node(const FileSystem& file_system, u32 mode, u64 inode = 0);

private:
    friend class Directory;
    friend struct TreeAccess;
    void renew_access();
    const FileSystem* const file_system_;
    const u64 inode_;
    Atomic<u32> mode_, user_{0}, group_{0};
    Atomic<u32> links_{0}; // names that lead here; changed under the tree's lock
    Atomic<u64> access_time_, modify_time_, change_time_;
    Atomic<u64> access_renewal_{~u64{0}}; // TSC at which the access time gets too old
    Entry* entry_ = nullptr;              // one of its names, for paths (getcwd, /proc); guarded by the tree's lock
};

/// The text of a symbolic link; outlives the link while a path walk is in it.
class LinkText : public RefCounted {
public:
    static Result<Ref<LinkText>> make(StringView text);
    ~LinkText() { delete[] text_; }
    StringView view() const { return {text_, size_}; }

private:
    template <class T, class... Args>
    friend Result<Ref<T>> tollgate::make_ref(Args&&...);
    LinkText(char* text, u64 size) : text_(text), size_(size) {}
    char* const text_;
    const u64 size_;
};

/// A symbolic link. Derived classes (procfs) make their target when asked: as text, or as the very node it leads to.
class Link : public Node {
public:
    explicit Link(Ref<LinkText> text, const FileSystem& file_system = kTmpfs)
        : Node(file_system, kModeLink | 0777), text_(std::move(text)) {}

    Result<Ref<File>> open(const Caller*, u32) override { return fail(Errno::Loop); }
    u64 size() const override { return text_ ? text_->view().size() : 0; }
    Link* as_link() override { return this; }

    /// readlink(2). Called without locks.
    virtual Result<Ref<LinkText>> text(const Caller* /*caller*/) { return text_; }
    /// Whether target() gives the node, so that the text is for show only (/proc/PID/fd/N, /proc/PID/exe).
    virtual bool is_magic() const { return false; }
    virtual Result<Ref<Node>> target(const Caller* /*caller*/) { return fail(Errno::NoEnt); }
    /// The text, if it never changes: then no call without locks is needed.
    const Ref<LinkText>& fixed_text() const { return text_; }

protected:
    /// For derived classes, whose text is made when asked.
    Link(const FileSystem& file_system, u32 permissions, u64 inode)
        : Node(file_system, kModeLink | permissions, inode) {}

private:
    const Ref<LinkText> text_;
};

} // namespace tollgate::fs
