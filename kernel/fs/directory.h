// Directories: a hash table of names, in the order in which they came. One lock, tree_lock, guards all of the tree's
// structure: every directory's entries, every node's count of names, and every parent. It is held for a whole path walk
// (fs/walk.cpp), never across a user copy, and no node is dropped under it.
//
// A directory of generated entries (/proc, /proc/PID) derives from Directory and overrides make_entry() and
// list_entry(): names that the table does not have are asked of it, without any lock held.
#pragma once

#include "fs/file_locks.h"
#include "fs/node.h"
#include "lib/fixed_string.h"
#include "lib/list.h"

namespace tollgate::fs {

/// One name in a directory.
struct Entry {
    ListLink<Entry> link; // in order of position
    Entry* next_in_bucket = nullptr;
    Directory* holder = nullptr;
    Ref<Node> node;
    u64 position = 0; ///< getdents64's d_off of the entry before it; never reused
    u32 hash = 0;
    u32 size = 0;
    char* text() { return reinterpret_cast<char*>(this + 1); }
    StringView name() const { return {reinterpret_cast<const char*>(this + 1), size}; }
};

/// The tree's only lock.
extern constinit Spinlock tree_lock;

/// Whether user programs may create and remove names in a directory.
enum class Growth : u8 { Fixed, Free };

class Directory : public Node {
public:
    explicit Directory(const FileSystem& file_system = kTmpfs, u32 permissions = 0755, Growth growth = Growth::Free,
                       u64 inode = 0);
    ~Directory() override;

    Result<Ref<File>> open(const Caller*, u32 flags) override;
    u64 size() const override;
    u64 pages() const override { return 0; }
    Directory* as_directory() override { return this; }
    FileLocks* locks() override { return &locks_; }
    Growth growth() const { return growth_; }

    /// The entry called `name` in the table, or null.
    Ref<Node> find(StringView name) EXCLUDES(tree_lock);
    /// Adds a name. Errors: Exist, NoEnt (this directory has been removed), MLink, NoMem.
    Result<void> add(StringView name, Ref<Node> node) EXCLUDES(tree_lock);
    /// The sub-directory called `name`, made if it is missing, of this one's file system. Errors: NotDir, NoMem.
    Result<Ref<Directory>> find_or_make(StringView name, Growth growth) EXCLUDES(tree_lock);
    /// Makes this the root of the tree: its own parent, with one name.
    void become_root();
    /// The directory above, the root's is itself.
    Ref<Directory> parent() EXCLUDES(tree_lock);

    /// One entry as getdents64(2) shows it.
    struct Listing {
        FixedString<kMaxName> name;
        u64 inode = 0;
        u32 type = 0; ///< as in Node::type()
    };

    /// Whether there are generated entries at all.
    virtual bool generates() const { return false; }
    /// The node for a name that is not in the table; NoEnt. Called without locks; made directories get their parent
    /// afterwards.
    virtual Result<Ref<Node>> make_entry(const Caller* /*caller*/, StringView /*name*/) { return fail(Errno::NoEnt); }
    /// The first generated entry at or after `position` (0 at first), and the position after it; NoEnt at the end. `to`
    /// is empty when called. Called without locks.
    virtual Result<u64> list_entry(const Caller* /*caller*/, u64 /*position*/, Listing& /*to*/) {
        return fail(Errno::NoEnt);
    }

private:
    friend struct TreeAccess;
    friend class DirectoryFile;
    const Growth growth_;
    bool removed_ GUARDED_BY(tree_lock) = false;
    u32 bucket_count_ GUARDED_BY(tree_lock) = kFewBuckets;
    u64 entry_count_ GUARDED_BY(tree_lock) = 0;
    u64 next_position_ GUARDED_BY(tree_lock) = kFirstPosition;
    u64 removals_ GUARDED_BY(tree_lock) = 0; // a remembered entry is good while this stands still
    static constexpr u32 kFewBuckets = 8;
    static constexpr u64 kFirstPosition = 2; // after "." and ".."
    Entry** buckets_ GUARDED_BY(tree_lock);
    Entry* few_buckets_[kFewBuckets] GUARDED_BY(tree_lock) = {};
    List<Entry, &Entry::link> entries_ GUARDED_BY(tree_lock);
    Ref<Directory> parent_ GUARDED_BY(tree_lock); // null for the root
    Entry* made_entry_ = nullptr;                 // its name, if it was generated
    FileLocks locks_;
};

/// Hash of a name, made while a path is cut into names.
class NameHash {
public:
    constexpr void add(char c) { value_ = (value_ ^ static_cast<u8>(c)) * 0x01000193u; } // FNV-1a
    constexpr u32 value() const { return value_ ^ value_ >> 15; }
    static constexpr u32 of(StringView name) {
        NameHash hash;
        for (const char c : name)
            hash.add(c);
        return hash.value();
    }

private:
    u32 value_ = 0x811c9dc5u;
};

/// What fs/ does to the tree under its lock. References that come out are to be dropped after the lock.
struct TreeAccess {
    static Entry* find(Directory& directory, StringView name, u32 hash) REQUIRES(tree_lock);
    static Directory& parent(Directory& directory) REQUIRES(tree_lock) {
        return directory.parent_ ? *directory.parent_ : directory;
    }
    static bool removed(const Directory& directory) REQUIRES(tree_lock) { return directory.removed_; }
    static bool empty(const Directory& directory) REQUIRES(tree_lock) { return directory.entry_count_ == 0; }
    /// A device of that number in this directory, or null.
    static Node* find_device(Directory& directory, u64 number) REQUIRES(tree_lock);
    static Entry* own_entry(const Node& node) REQUIRES(tree_lock) { return node.entry_; }
    /// An entry that is in no directory yet; NoMem.
    static Result<Entry*> make(StringView name, Ref<Node> node);
    static void destroy(Entry* entry);
    /// Puts an entry into a directory whose name is free.
    static void insert(Directory& directory, Entry& entry) REQUIRES(tree_lock);
    /// Takes it out; the entry, with its node, is the caller's to destroy after the lock.
    static void remove(Entry& entry) REQUIRES(tree_lock);
    /// Lets an entry lead to another node; the old one is returned.
    static Ref<Node> exchange(Entry& entry, Ref<Node> node) REQUIRES(tree_lock);
    /// Lets two entries exchange their nodes.
    static void swap(Entry& left, Entry& right) REQUIRES(tree_lock);
    /// Gives a generated directory its parent and name.
    static Result<void> attach(Directory& made, Directory& parent, StringView name);

private:
    static void grow(Directory& directory) REQUIRES(tree_lock);
    static void count_name(Entry& entry) REQUIRES(tree_lock);
    static void uncount_name(Entry& entry) REQUIRES(tree_lock);
};

} // namespace tollgate::fs
