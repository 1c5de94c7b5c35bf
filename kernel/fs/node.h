// The nodes of the file tree: what a path leads to. A node stays for as long as the kernel runs, since nothing can be
// unlinked yet, so plain pointers to nodes are safe; references are counted all the same, for the day when it can.
#pragma once

#include "fs/path.h"
#include "lib/fixed_string.h"
#include "lib/list.h"
#include "sync/spinlock.h"
#include "task/file.h"

namespace tollgate::fs {

class Directory;

class Node : public RefCounted {
public:
    virtual ~Node() = default;

    /// A new open file. `flags` are kOpen*; creation and exclusiveness have been dealt with. Errors as of open(2).
    virtual Result<Ref<File>> open(u32 flags) = 0;
    virtual FileStatus status() const = 0;
    /// This node, if it is a directory.
    virtual Directory* as_directory() { return nullptr; }
    /// Whether read_link() works. `caller` may be null: the kernel itself.
    virtual bool is_link() const { return false; }
    virtual Result<void> read_link(const Caller* /*caller*/, Sink&) const { return fail(Errno::Inval); }

    StringView name() const { return name_.view(); }
    u64 inode() const { return inode_; }
    /// The directory that holds it; the root's is the root.
    Directory& parent() const { return *parent_; }

protected:
    explicit Node(StringView name);
    /// A status with what all nodes have in common.
    FileStatus basic_status(u32 mode, u64 size) const;

private:
    friend class Directory;
    const FixedString<kMaxName> name_;
    const u64 inode_;
    Directory* parent_ = nullptr; // set once, when it is added
    ListLink<Node> link_;
};

/// What may be created in a directory by user programs.
enum class Growth : u8 { Fixed, Files };

class Directory final : public Node {
public:
    Directory(StringView name, Growth growth) : Node(name), growth_(growth) {}

    Result<Ref<File>> open(u32 flags) override;
    FileStatus status() const override;
    Directory* as_directory() override { return this; }
    Growth growth() const { return growth_; }

    /// The entry called `name`, or null.
    Ref<Node> find(StringView name) const;
    /// Adds a node for good. Errno::Exist if the name is taken.
    Result<void> add(Ref<Node> node);
    /// The sub-directory called `name`, made if it is missing. Errno::NotDir, NoMem.
    Result<Directory*> find_or_make(StringView name, Growth growth);
    /// Makes this the root of the tree: its own parent.
    void become_root() { parent_ = this; }

    /// One record of getdents64(2). The position of an entry is the sum of the sizes of all records before it.
    struct Entry {
        u64 inode;
        u64 next; ///< position of the entry after it
        u16 size;
        u8 type;
        char name[kMaxName + 1];
    };
    /// The entry at a position. Errno::NoEnt at the end.
    Result<void> entry_at(u64 position, Entry& entry) const;

private:
    const Node* find_locked(StringView name) const REQUIRES(tree_lock_);

    const Growth growth_;
    static Spinlock tree_lock_;                                // one for the tree
    List<Node, &Node::link_> children_ GUARDED_BY(tree_lock_); // holds one reference each
};

/// A symbolic link whose target is fixed, or made for each caller (/proc/self/exe).
class Link final : public Node {
public:
    using Target = Result<void> (*)(const Caller*, Sink&);
    Link(StringView name, StringView target) : Node(name), text_(target) {}
    Link(StringView name, Target target) : Node(name), target_(target) {}

    Result<Ref<File>> open(u32) override { return fail(Errno::Loop); }
    FileStatus status() const override { return basic_status(kModeLink | 0777, text_.size()); }
    bool is_link() const override { return true; }
    Result<void> read_link(const Caller* caller, Sink& to) const override;

private:
    FixedString<kMaxName> text_;
    Target target_ = nullptr;
};

} // namespace tollgate::fs
