// Making, removing and moving names. What a call found while it walked may have changed when it takes the tree's lock
// to act: it looks again there, and the lock makes the act one step for everybody else. What is removed is dropped
// after it.
#include "fs/names.h"

#include "fs/context.h"
#include "fs/permission.h"
#include "fs/vfs.h"
#include "task/process.h"

namespace tollgate::fs {
namespace {

Result<void> may_change(const Caller* caller, const Directory& directory) {
    if (directory.growth() == Growth::Fixed && caller)
        return fail(Errno::Perm);
    if (!may(caller, directory, kMayWrite | kMayExecute))
        return fail(Errno::Access);
    return {};
}

/// Walks to a name that is to be removed or moved.
Result<void> walk_to_name(const Caller* caller, Node* start, StringView path, Walked& to) {
    return walk({caller, start, path, LastLink::Keep, LastName::MayMiss}, to);
}

/// Entries to be destroyed after the lock.
class Doomed {
public:
    Doomed() = default;
    Doomed(const Doomed&) = delete;
    Doomed& operator=(const Doomed&) = delete;
    ~Doomed() {
        if (entry)
            TreeAccess::destroy(entry);
    }
    Entry* entry = nullptr;
    Ref<Node> node;
};

enum class Removal : u8 { File, Directory };

Result<void> remove(const Caller* caller, const Walked& walked, Removal what) {
    Directory& directory = *walked.parent;
    if (!walked.node)
        return fail(Errno::NoEnt);
    TRY(may_change(caller, directory));
    const u32 hash = NameHash::of(walked.name);
    Doomed doomed;
    {
        Guard guard{tree_lock};
        Entry* const entry = TreeAccess::find(directory, walked.name, hash);
        if (!entry)
            return fail(directory.generates() ? Errno::Perm : Errno::NoEnt);
        Directory* const child = entry->node->as_directory();
        TRY(may_remove(caller, directory, *entry->node));
        if (what == Removal::File && child)
            return fail(Errno::IsDir);
        if (what == Removal::File && walked.slash)
            return fail(Errno::NotDir);
        if (what == Removal::Directory) {
            if (!child)
                return fail(Errno::NotDir);
            if (!TreeAccess::empty(*child))
                return fail(Errno::NotEmpty);
            if (child->growth() == Growth::Fixed || child->file_system().device != directory.file_system().device)
                return fail(Errno::Busy);
        }
        entry->node->stamp(Stamp::Change);
        TreeAccess::remove(*entry);
        doomed.entry = entry;
    }
    directory.stamp(Stamp::Contents);
    return {};
}

} // namespace

Result<void> add_to(const Caller* caller, Directory& directory, StringView name, Ref<Node> node) {
    if (directory.growth() == Growth::Fixed && caller)
        return fail(Errno::Access);
    TRY(may_change(caller, directory));
    if (caller) {
        if (caller->fs && node->type() != kModeLink)
            node->set_permissions(node->mode() & ~caller->fs->umask.load(kRelaxed));
        give_to_caller(*caller, directory, *node);
    }
    TRY(directory.add(name, std::move(node)));
    directory.stamp(Stamp::Contents);
    return {};
}

Result<void> add_node(const Caller* caller, Node* start, StringView path, Ref<Node> node) {
    Walked walked;
    TRY(walk_to_name(caller, start, path, walked));
    if (walked.node)
        return fail(Errno::Exist);
    if (walked.slash && node->type() != kModeDirectory)
        return fail(Errno::NoEnt);
    return add_to(caller, *walked.parent, walked.name, std::move(node));
}

Result<void> link(const Caller* caller, Ref<Node> node, Node* start, StringView path) {
    Walked walked;
    TRY(walk_to_name(caller, start, path, walked));
    if (walked.node)
        return fail(Errno::Exist);
    if (walked.slash)
        return fail(Errno::NoEnt);
    if (node->file_system().device != walked.parent->file_system().device)
        return fail(Errno::XDev);
    if (node->type() == kModeDirectory)
        return fail(Errno::Perm);
    TRY(may_change(caller, *walked.parent));
    TRY(walked.parent->add(walked.name, node));
    node->stamp(Stamp::Change);
    walked.parent->stamp(Stamp::Contents);
    return {};
}

Result<void> unlink(const Caller* caller, Node* start, StringView path) {
    Walked walked;
    TRY(walk_to_name(caller, start, path, walked));
    if (walked.last != Walked::Last::Name)
        return fail(Errno::IsDir);
    return remove(caller, walked, Removal::File);
}

Result<void> remove_directory(const Caller* caller, Node* start, StringView path) {
    Walked walked;
    TRY(walk_to_name(caller, start, path, walked));
    switch (walked.last) {
    case Walked::Last::Dot:
        return fail(Errno::Inval);
    case Walked::Last::DotDot:
        return fail(Errno::NotEmpty);
    case Walked::Last::Root:
        return fail(Errno::Busy);
    case Walked::Last::Name:
        break;
    }
    return remove(caller, walked, Removal::Directory);
}

namespace {

/// Whether `directory` is `inner` or above it: a directory cannot move into itself.
bool holds(const Node& directory, Directory& inner) REQUIRES(tree_lock) {
    for (Directory* at = &inner;; at = &TreeAccess::parent(*at)) {
        if (at == &directory)
            return true;
        if (at == &TreeAccess::parent(*at))
            return false;
    }
}

/// What rename does under the lock, after both walks.
class Move {
public:
    Move(const Caller* caller, const Walked& from, const Walked& to, u32 flags)
        : caller_(caller), from_(from), to_(to), flags_(flags) {}

    Result<void> run() {
        // Made first, since nothing may fail halfway.
        made_.entry = TRY(TreeAccess::make(to_.name, Ref<Node>()));
        Guard guard{tree_lock};
        return run_locked();
    }

private:
    Result<void> run_locked() REQUIRES(tree_lock) {
        Entry* const from = TreeAccess::find(*from_.parent, from_.name, NameHash::of(from_.name));
        Entry* const to = TreeAccess::find(*to_.parent, to_.name, made_.entry->hash);
        if (!from || TreeAccess::removed(*to_.parent))
            return fail(Errno::NoEnt);
        if (!to && (flags_ & kRenameExchange))
            return fail(Errno::NoEnt);
        if (to && (flags_ & kRenameNoReplace))
            return fail(Errno::Exist);
        TRY(check_directories(*from->node, to ? to->node.get() : nullptr));
        TRY(may_remove(caller_, *from_.parent, *from->node));
        if (to)
            TRY(may_remove(caller_, *to_.parent, *to->node));
        if (to && to->node == from->node)
            return {}; // two names of one file: nothing to do [man 2 rename]
        if (flags_ & kRenameExchange) {
            TreeAccess::swap(*from, *to);
            from->node->stamp(Stamp::Change);
            to->node->stamp(Stamp::Change);
            return {};
        }
        if (to)
            TRY(check_replaced(*from->node, *to->node));
        TreeAccess::remove(*from);
        old_.entry = from;
        if (to) {
            to->node->stamp(Stamp::Change);
            TreeAccess::remove(*to);
            replaced_.entry = to;
        }
        made_.entry->node = from->node;
        from->node->stamp(Stamp::Change);
        TreeAccess::insert(*to_.parent, *std::exchange(made_.entry, nullptr));
        return {};
    }

    Result<void> check_directories(const Node& from, const Node* to) REQUIRES(tree_lock) {
        const bool from_directory = from.type() == kModeDirectory;
        const bool to_directory = to && to->type() == kModeDirectory;
        if (from_directory && holds(from, *to_.parent))
            return fail(Errno::Inval);
        if (to_directory && holds(*to, *from_.parent))
            return fail(flags_ & kRenameExchange ? Errno::Inval : Errno::NotEmpty);
        if (from_.slash && !from_directory)
            return fail(Errno::NotDir);
        if (to_.slash && !from_directory && !(flags_ & kRenameExchange && to_directory))
            return fail(Errno::NotDir);
        return {};
    }

    Result<void> check_replaced(Node& from, Node& to) REQUIRES(tree_lock) {
        Directory* const replaced = to.as_directory();
        if (from.type() == kModeDirectory) {
            if (!replaced)
                return fail(Errno::NotDir);
            if (!TreeAccess::empty(*replaced))
                return fail(Errno::NotEmpty);
        } else if (replaced) {
            return fail(Errno::IsDir);
        }
        return {};
    }

    const Caller* const caller_;
    const Walked &from_, &to_;
    const u32 flags_;
    Doomed made_, old_, replaced_;
};

bool is_mount(const Walked& walked) {
    return walked.node && walked.node->file_system().device != walked.parent->file_system().device;
}

} // namespace

Result<void> rename(const Caller* caller, Node* from_start, StringView from, Node* to_start, StringView to, u32 flags) {
    if ((flags & ~(kRenameNoReplace | kRenameExchange)) || flags == (kRenameNoReplace | kRenameExchange))
        return fail(Errno::Inval);
    Walked old, fresh;
    TRY(walk_to_name(caller, from_start, from, old));
    TRY(walk_to_name(caller, to_start, to, fresh));
    if (old.last != Walked::Last::Name)
        return fail(Errno::Busy);
    if (fresh.last != Walked::Last::Name)
        return fail(flags & kRenameNoReplace ? Errno::Exist : Errno::Busy);
    if (!old.node)
        return fail(Errno::NoEnt);
    if (old.parent->file_system().device != fresh.parent->file_system().device)
        return fail(Errno::XDev);
    if (is_mount(old) || is_mount(fresh))
        return fail(Errno::Busy);
    TRY(may_change(caller, *old.parent));
    TRY(may_change(caller, *fresh.parent));
    TRY(Move(caller, old, fresh, flags).run());
    old.parent->stamp(Stamp::Contents);
    fresh.parent->stamp(Stamp::Contents);
    return {};
}

} // namespace tollgate::fs
