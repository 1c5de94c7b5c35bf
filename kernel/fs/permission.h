// Who may do what to a node, by its mode and owner [man 7 path_resolution]. Root passes; the kernel itself, a null
// caller, too.
#pragma once

#include "fs/node.h"

namespace tollgate::fs {

inline constexpr u32 kMayExecute = 1, kMayWrite = 2, kMayRead = 4; // access(2)

/// Whether all rights of `wanted` are given to a caller. Root may read and write everything, search every directory,
/// and execute what anybody may execute.
bool may(const Caller* caller, const Node& node, u32 wanted);
/// The same for the caller's real identity, as access(2) asks.
bool may_really(const Caller& caller, const Node& node, u32 wanted);
/// Whether the caller is the node's owner, or root.
bool owns(const Caller* caller, const Node& node);
bool is_root(const Caller* caller);
/// Makes the caller the owner of a node that it has created in `directory`, whose group a set-group-id bit hands on.
void give_to_caller(const Caller& caller, const Node& directory, Node& node);
/// Whether the caller may remove or rename `node` out of `directory`: write and search, and with the sticky bit the
/// ownership of either. Errors: Access, Perm.
Result<void> may_remove(const Caller* caller, const Node& directory, const Node& node);

} // namespace tollgate::fs
