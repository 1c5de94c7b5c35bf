// The checks of permission.h.
#include "fs/permission.h"

#include "task/process.h"

namespace tollgate::fs {
namespace {

struct Identity {
    u32 user, group;
};

Identity effective(const Caller&) { return {0, 0}; }
Identity real(const Caller&) { return {0, 0}; }
bool in_group(const Caller&, Identity who, u32 group) { return who.group == group; }

bool allowed(const Caller& caller, Identity who, const Node& node, u32 wanted) {
    const u32 mode = node.mode();
    if (who.user == 0) {
        const bool anybody_executes = mode & 0111;
        return !(wanted & kMayExecute) || anybody_executes || (mode & kModeTypeMask) == kModeDirectory;
    }
    u32 granted = mode & 7;
    if (who.user == node.user())
        granted = mode >> 6 & 7;
    else if (in_group(caller, who, node.group()))
        granted = mode >> 3 & 7;
    return (granted & wanted) == wanted;
}

} // namespace

bool is_root(const Caller* caller) { return !caller || effective(*caller).user == 0; }

bool may(const Caller* caller, const Node& node, u32 wanted) {
    return !caller || allowed(*caller, effective(*caller), node, wanted);
}

bool may_really(const Caller& caller, const Node& node, u32 wanted) {
    return allowed(caller, real(caller), node, wanted);
}

bool owns(const Caller* caller, const Node& node) { return is_root(caller) || effective(*caller).user == node.user(); }

void give_to_caller(const Caller& caller, const Node& directory, Node& node) {
    const Identity who = effective(caller);
    const bool inherits = directory.mode() & kModeSetGroup;
    node.set_owner(who.user, inherits ? directory.group() : who.group);
    if (inherits && node.type() == kModeDirectory)
        node.set_permissions(node.mode() | kModeSetGroup);
}

Result<void> may_remove(const Caller* caller, const Node& directory, const Node& node) {
    if (!may(caller, directory, kMayWrite | kMayExecute))
        return fail(Errno::Access);
    if ((directory.mode() & kModeSticky) && !owns(caller, directory) && !owns(caller, node))
        return fail(Errno::Perm);
    return {};
}

} // namespace tollgate::fs
