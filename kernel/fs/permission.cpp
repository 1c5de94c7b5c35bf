// The checks of permission.h.
#include "fs/permission.h"

#include "lib/mutants.h"
#include "task/process.h"

namespace tollgate::fs {
namespace {

/// The right-most three bits that apply to who asks.
u32 granted(const Node& node, u32 user, bool in_group) {
    const u32 mode = node.mode();
    if (user == node.user())
        return mode >> 6 & 7;
    return (in_group ? mode >> 3 : mode) & 7;
}

bool allowed_to_root(const Node& node, u32 wanted) {
    return !(wanted & kMayExecute) || (node.mode() & 0111) || node.type() == kModeDirectory;
}

u32 file_user(const Caller& caller) { return caller.process->credentials.user.file.load(kRelaxed); }

} // namespace

bool is_root(const Caller* caller) { return !caller || file_user(*caller) == 0; }

bool may(const Caller* caller, const Node& node, u32 wanted) {
    if (is_root(caller))
        return allowed_to_root(node, wanted);
    if (mutant(Mutant::Permission))
        return true;
    const bool in_group = caller->process->credentials.in_group(node.group());
    return (granted(node, file_user(*caller), in_group) & wanted) == wanted;
}

bool may_really(const Caller& caller, const Node& node, u32 wanted) {
    const Credentials& credentials = caller.process->credentials;
    const u32 user = credentials.user.real.load(kRelaxed);
    if (user == 0)
        return allowed_to_root(node, wanted);
    const bool in_group = credentials.group.real.load(kRelaxed) == node.group() || credentials.in_group(node.group());
    return (granted(node, user, in_group) & wanted) == wanted;
}

bool owns(const Caller* caller, const Node& node) { return is_root(caller) || file_user(*caller) == node.user(); }

void give_to_caller(const Caller& caller, const Node& directory, Node& node) {
    const bool inherits = directory.mode() & kModeSetGroup;
    const u32 group = caller.process->credentials.group.file.load(kRelaxed);
    node.set_owner(file_user(caller), inherits ? directory.group() : group);
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
