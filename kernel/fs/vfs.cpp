// Lookup and open. A path is walked name by name; a link is walked in turn, to a bounded depth.
#include "fs/vfs.h"

namespace tollgate::fs {
namespace {

constinit Directory* root = nullptr; // global: every process has the same tree; set by initialise()
constexpr unsigned kMaxLinks = 5;
constexpr u32 kPermissions = 0777;

Result<Ref<Node>> walk(const Caller* caller, Node& start, StringView path, LastLink last_link, unsigned depth) {
    if (path.empty())
        return fail(Errno::NoEnt);
    Ref<Node> node(is_absolute(path) ? *root : start);
    PathNames names(path);
    while (const auto name = TRY(names.next())) {
        Directory* const directory = node->as_directory();
        if (!directory)
            return fail(Errno::NotDir);
        Ref<Node> next = *name == ".." ? Ref<Node>(directory->parent()) : directory->find(*name);
        if (!next)
            return fail(Errno::NoEnt);
        const bool last = names.rest().empty();
        if (next->is_link() && !(last && last_link == LastLink::Keep)) {
            if (depth == kMaxLinks)
                return fail(Errno::Loop);
            FixedString<kMaxName> target;
            TRY(next->read_link(caller, target));
            next = TRY(walk(caller, *directory, target, LastLink::Follow, depth + 1));
        }
        node = std::move(next);
    }
    if (path.ends_with("/") && !node->as_directory())
        return fail(Errno::NotDir);
    return node;
}

/// The node to be opened by an open(2) with O_CREAT, made if it is missing.
Result<Ref<Node>> find_or_create(const Caller* caller, Node& start, StringView path, u32 flags, u32 mode) {
    auto found = lookup(caller, &start, path, flags & kOpenExclusive ? LastLink::Keep : LastLink::Follow);
    if (found && (flags & kOpenExclusive))
        return fail(Errno::Exist);
    if (found || found.error() != Errno::NoEnt)
        return found;

    const SplitPath split = split_path(path);
    if (split.name.empty())
        return fail(Errno::NoEnt);
    if (split.directory)
        return fail(Errno::IsDir);
    const Ref<Node> parent = split.parent.empty() ? Ref<Node>(start) : TRY(lookup(caller, &start, split.parent));
    Directory* const directory = parent->as_directory();
    if (!directory)
        return fail(Errno::NotDir);
    if (directory->growth() != Growth::Files)
        return fail(Errno::Access);
    if (directory->find(split.name))
        return fail(Errno::NoEnt); // a link that leads nowhere
    const Ref<Node> created = TRY(make_regular_file(split.name, mode & kPermissions));
    if (const auto added = directory->add(created); !added) {
        // Somebody else was faster: theirs it is, unless ours had to be new.
        if (flags & kOpenExclusive)
            return fail(Errno::Exist);
        return lookup(caller, &start, path);
    }
    return created;
}

} // namespace

Result<Ref<Node>> lookup(const Caller* caller, Node* start, StringView path, LastLink last_link) {
    return walk(caller, start ? *start : *root, path, last_link, 0);
}

Result<Ref<OpenFile>> open(const Caller* caller, Node* start, StringView path, u32 flags, u32 mode) {
    Node& from = start ? *start : *root;
    const bool create = flags & kOpenCreate;
    if (create && (flags & kOpenDirectory))
        return fail(Errno::Inval);
    const LastLink last_link = flags & kOpenNoFollow ? LastLink::Keep : LastLink::Follow;
    const Ref<Node> node = create ? TRY(find_or_create(caller, from, path, flags, mode)) : TRY(lookup(caller, &from, path, last_link));
    if ((flags & kOpenDirectory) && !node->as_directory())
        return fail(Errno::NotDir);
    if (create && node->as_directory())
        return fail(Errno::IsDir);
    Ref<File> file = TRY(node->open(flags));
    return make_ref<OpenFile>(std::move(file), flags);
}

Parsed<void> initialise(Bytes archive, StringView command_line) {
    const auto build = [&]() -> Result<void> {
        Ref<Directory> top = TRY(make_ref<Directory>(StringView(), Growth::Files));
        top->become_root();
        root = top.leak();
        TRY(root->find_or_make("tmp", Growth::Files));
        TRY(add_devices(*TRY(root->find_or_make("dev", Growth::Fixed))));
        TRY(add_proc_files(*TRY(root->find_or_make("proc", Growth::Fixed)), command_line));
        return {};
    };
    if (!build())
        return parse_error("file tree: out of memory", 0);
    return unpack_archive(*root, archive);
}

} // namespace tollgate::fs
