// Making, removing and moving names. What a call found while it walked may have changed when it takes the tree's lock
// to act: it looks again there, and the lock makes the act one step for everybody else.
#include "fs/names.h"

#include "fs/context.h"
#include "fs/permission.h"
#include "fs/vfs.h"
#include "task/process.h"

namespace tollgate::fs {

Result<void> add_to(const Caller* caller, Directory& directory, StringView name, Ref<Node> node) {
    if (directory.growth() == Growth::Fixed && caller)
        return fail(Errno::Access);
    if (!may(caller, directory, kMayWrite | kMayExecute))
        return fail(Errno::Access);
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
    TRY(walk({caller, start, path, LastLink::Keep, LastName::MayMiss}, walked));
    if (walked.node)
        return fail(Errno::Exist);
    if (walked.slash && node->type() != kModeDirectory)
        return fail(Errno::NoEnt);
    return add_to(caller, *walked.parent, walked.name, std::move(node));
}

} // namespace tollgate::fs
