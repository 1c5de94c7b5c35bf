// Opening files and making the tree.
#include "fs/vfs.h"

#include "fs/context.h"
#include "fs/names.h"
#include "fs/permission.h"
#include "task/process.h"

namespace tollgate::fs {
namespace {

constinit Directory* root = nullptr; // global: the one tree; set by initialise(), never freed

/// What fcntl(F_GETFL) does not show again.
constexpr u32 kOnlyForOpening = kOpenCreate | kOpenExclusive | kOpenNoTty | kOpenTruncate | kOpenCloseOnExec;

u32 rights_for(u32 flags) {
    constexpr u32 kRights[] = {kMayRead, kMayWrite, kMayRead | kMayWrite, kMayRead | kMayWrite};
    return kRights[flags & kOpenAccessMask] | (flags & kOpenTruncate ? kMayWrite : 0);
}

/// The node to be opened by an open(2) with O_CREAT, made if it is missing: then `created` says so.
Result<Ref<Node>> find_or_create(const WalkRequest& request, u32 flags, u32 mode, bool& created) {
    for (;;) {
        Walked walked;
        TRY(walk(request, walked));
        if (walked.node) {
            if (flags & kOpenExclusive)
                return fail(Errno::Exist);
            if (walked.slash)
                return fail(Errno::IsDir);
            if (walked.node->type() == kModeDirectory)
                return fail(Errno::IsDir);
            return std::move(walked.node);
        }
        if (walked.slash)
            return fail(Errno::IsDir);
        Ref<Node> node = TRY(make_regular_file(mode & kModePermissions));
        const auto added = add_to(request.caller, *walked.parent, walked.name, node);
        if (added) {
            created = true;
            return node;
        }
        if (added.error() != Errno::Exist)
            return fail(added.error());
        // Somebody else was faster: theirs it is, unless ours had to be new; the next walk tells.
    }
}

} // namespace

Directory& base_root() { return *root; }
Ref<Directory> root_directory() { return Ref<Directory>(*root); }

Result<Ref<OpenFile>> open_node(const Caller* caller, Node& node, u32 flags) {
    const bool directory = node.type() == kModeDirectory;
    if ((flags & kOpenDirectory) && !directory)
        return fail(Errno::NotDir);
    if (node.type() == kModeLink)
        return fail(Errno::Loop);
    const u32 rights = rights_for(flags);
    if (directory && (rights & kMayWrite))
        return fail(Errno::IsDir);
    if (!may(caller, node, rights))
        return fail(Errno::Access);
    if ((flags & kOpenNoAccessTime) && !owns(caller, node))
        return fail(Errno::Perm);
    Ref<File> file = TRY(node.open(caller, flags));
    if ((flags & kOpenTruncate) && node.type() == kModeRegular)
        TRY(node.truncate(0));
    return make_ref<OpenFile>(std::move(file), (flags & ~kOnlyForOpening) | kOpenLargeFile);
}

namespace {

/// O_PATH: a place in the tree, and nothing that can be done with its content.
class PathFile final : public File {
public:
    explicit PathFile(Ref<Node> node) : node_(std::move(node)) {}
    Result<u64> read(IoBuffer&, u64, u32) override { return fail(Errno::BadF); }
    Result<u64> write(IoBuffer&, u64, u32) override { return fail(Errno::BadF); }
    Result<u64> control(Caller&, u32, u64) override { return fail(Errno::BadF); }
    Result<void> truncate(u64) override { return fail(Errno::BadF); }
    Result<u64> read_directory(const Caller*, IoBuffer&, u64&) override { return fail(Errno::BadF); }
    Result<Ref<MemoryObject>> memory() override { return fail(Errno::BadF); }
    Result<FileStatus> status() const override { return node_->status(); }
    Node* node() const override { return node_.get(); }

private:
    const Ref<Node> node_;
};

Result<Ref<OpenFile>> open_path(const WalkRequest& request, u32 flags) {
    Walked walked;
    TRY(walk(request, walked));
    if ((flags & kOpenDirectory) && walked.node->type() != kModeDirectory)
        return fail(Errno::NotDir);
    Ref<File> file = TRY(make_ref<PathFile>(std::move(walked.node)));
    return make_ref<OpenFile>(std::move(file), flags & (kOpenPath | kOpenDirectory | kOpenNoFollow));
}

/// O_TMPFILE: a file without a name in the file system of a directory.
Result<Ref<OpenFile>> open_temporary(const WalkRequest& request, u32 flags, u32 mode) {
    if ((flags & kOpenAccessMask) == kOpenReadOnly)
        return fail(Errno::Inval);
    Walked walked;
    TRY(walk(request, walked));
    Directory* const directory = walked.node->as_directory();
    if (!directory)
        return fail(Errno::NotDir);
    if (directory->growth() == Growth::Fixed)
        return fail(Errno::NotSup);
    if (!may(request.caller, *directory, kMayWrite | kMayExecute))
        return fail(Errno::Access);
    const Ref<Node> node = TRY(make_regular_file(mode & kModePermissions));
    if (request.caller) {
        node->set_permissions(node->mode() & ~request.caller->fs->umask.load(kRelaxed));
        give_to_caller(*request.caller, *directory, *node);
    }
    Ref<File> file = TRY(node->open(request.caller, flags));
    return make_ref<OpenFile>(std::move(file), (flags & ~kOnlyForOpening) | kOpenLargeFile);
}

} // namespace

Result<Ref<OpenFile>> open(const Caller* caller, Node* start, StringView path, u32 flags, u32 mode, u32 resolve) {
    const bool keep_link = flags & (flags & kOpenCreate ? kOpenNoFollow | kOpenExclusive : kOpenNoFollow);
    WalkRequest request{.caller = caller, .start = start, .path = path, .resolve = resolve};
    request.last_link = keep_link ? LastLink::Keep : LastLink::Follow;
    if (flags & kOpenPath)
        return open_path(request, flags);
    if ((flags & kOpenTemporary) == kOpenTemporary)
        return open_temporary(request, flags, mode);
    if (flags & kOpenCreate) {
        if (flags & kOpenDirectory)
            return fail(Errno::Inval);
        request.last_name = LastName::MayMiss;
        bool created = false;
        const Ref<Node> node = TRY(find_or_create(request, flags, mode, created));
        if (!created)
            return open_node(caller, *node, flags);
        // Who has created a file may do with it what it asked for, whatever the mode says.
        Ref<File> file = TRY(node->open(caller, flags));
        return make_ref<OpenFile>(std::move(file), (flags & ~kOnlyForOpening) | kOpenLargeFile);
    }
    Walked walked;
    TRY(walk(request, walked));
    return open_node(caller, *walked.node, flags);
}

Parsed<void> initialise(Bytes archive, StringView command_line) {
    const auto build = [&]() -> Result<void> {
        Ref<Directory> top = TRY(make_ref<Directory>());
        top->become_root();
        root = top.leak();
        TRY(root->find_or_make("tmp", Growth::Free))
        ->set_permissions(01777);
        Ref<Directory> dev = TRY(make_ref<Directory>(kDevfs));
        Ref<Directory> proc = TRY(make_proc_directory());
        Ref<Directory> sys = TRY(make_ref<Directory>(kSysfs, 0555u, Growth::Fixed));
        TRY(root->add("dev", dev));
        TRY(root->add("proc", proc));
        TRY(root->add("sys", std::move(sys)));
        TRY(add_devices(*dev));
        TRY(add_proc_files(*proc, command_line));
        return {};
    };
    if (!build())
        return parse_error("file tree: out of memory", 0);
    return unpack_archive(*root, archive);
}

} // namespace tollgate::fs
