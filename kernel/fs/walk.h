// Walking a path: from text to the node it names, or to the directory and name at which something is to be created,
// removed or renamed. Every call with a path comes here.
#pragma once

#include "fs/directory.h"

namespace tollgate::fs {

/// What to do about a symbolic link at the end of a path.
enum class LastLink : u8 { Follow, Keep };
/// Whether the last name must exist, or is looked for only: for calls that change the directory it stands in. Those do
/// not follow a link for a mere slash behind it.
enum class LastName : u8 { MustExist, MayMiss };

// [linux/openat2.h] how openat2(2) restricts a walk
inline constexpr u32 kResolveNoCrossing = 1, kResolveNoMagicLinks = 2, kResolveNoSymlinks = 4, kResolveBeneath = 8,
                     kResolveInRoot = 16, kResolveCached = 32;

struct WalkRequest {
    const Caller* caller; ///< who asks: null for the kernel, which may everything
    Node* start;          ///< where a relative path starts; null: the caller's current directory
    StringView path;      ///< its memory must stay for as long as the Walked is used
    LastLink last_link = LastLink::Follow;
    LastName last_name = LastName::MustExist;
    u32 resolve = 0; ///< kResolve*
};

/// Where a path has led.
struct Walked {
    /// How the last part of the path looks: a name in `parent`, or no name of its own.
    enum class Last : u8 { Name, Dot, DotDot, Root };
    Ref<Node> node;        ///< empty only with LastName::MayMiss
    Ref<Directory> parent; ///< where the name is or would be; only with LastName::MayMiss and Last::Name
    StringView name;       ///< the last name
    Ref<LinkText> text;    ///< keeps `name` alive if it comes from a link
    Last last = Last::Root;
    bool slash = false; ///< a slash follows the last name: only a directory will do
};

/// Errors: NoEnt (also for an empty path), NotDir, NameTooLong, Loop, Access, NoMem; XDev and Again as of openat2(2).
/// A node that is no directory but must exist and has a slash behind it is NotDir already here.
Result<void> walk(const WalkRequest& request, Walked& to) EXCLUDES(tree_lock);

/// The node at a path.
Result<Ref<Node>> lookup(const Caller* caller, Node* start, StringView path, LastLink last_link = LastLink::Follow);

/// The absolute path of a node under the caller's root, to be put in front of anything: "/a/b". Errors: NoEnt for a
/// node that no name leads to, NameTooLong.
Result<StringView> path_of(const Caller* caller, Node& node, std::span<char> buffer);

} // namespace tollgate::fs
