// Unpacks the boot archive into the tree. Nothing is copied: files refer to the archive's memory.
#include "fs/tmpfs.h"
#include "fs/vfs.h"
#include "lib/cpio.h"

namespace tollgate::fs {
namespace {

/// The directory that `path` (an archive name) lies in; missing ones are made.
Result<Ref<Directory>> directory_for(Directory& root, StringView path) {
    Ref<Directory> directory(root);
    PathNames names(path);
    while (const auto name = TRY(names.next()))
        directory = TRY(directory->find_or_make(*name, Growth::Free));
    return directory;
}

void set_attributes(Node& node, const CpioEntry& entry) {
    node.set_permissions(entry.mode & kModePermissions);
    node.set_owner(entry.user, entry.group);
    const u64 modified = u64{entry.modified} * 1'000'000'000;
    node.set_times(modified, modified);
}

Result<void> unpack(Directory& root, const CpioEntry& entry) {
    const SplitPath split = split_path(entry.name);
    const u32 type = entry.mode & kModeTypeMask;
    if (type == kModeDirectory) {
        const Ref<Directory> made = TRY(directory_for(root, entry.name));
        if (made->file_system().device == kTmpfs.device) // /proc in an archive does not change the kernel's own
            set_attributes(*made, entry);
        return {};
    }
    if (split.name.empty() || split.name.size() > kMaxName)
        return fail(Errno::Inval);
    const Ref<Directory> directory = TRY(directory_for(root, split.parent));
    if (type == kModeRegular) {
        auto node = TRY(make_ref<RegularNode>(entry.mode & kModePermissions));
        TRY(node->set_archive_content(entry.data));
        set_attributes(*node, entry);
        return directory->add(split.name, std::move(node));
    }
    if (type == kModeLink) {
        if (entry.data.empty() || entry.data.size() >= kMaxPath)
            return fail(Errno::Inval);
        auto node = TRY(make_ref<Link>(TRY(LinkText::make(StringView::from_bytes(entry.data)))));
        node->set_owner(entry.user, entry.group);
        return directory->add(split.name, std::move(node));
    }
    return {}; // devices and pipes: /dev is the kernel's
}

} // namespace

Parsed<void> unpack_archive(Directory& root, Bytes archive) {
    if (archive.empty())
        return {};
    CpioReader reader(archive);
    while (const auto entry = TRY(reader.next())) {
        const auto unpacked = unpack(root, *entry);
        if (unpacked)
            continue;
        const u64 offset = static_cast<u64>(reinterpret_cast<const std::byte*>(entry->name.data()) - archive.data());
        switch (unpacked.error()) {
        case Errno::NoMem:
            return parse_error("archive: out of memory", offset);
        case Errno::Exist:
            return parse_error("archive: a name stands twice", offset);
        case Errno::NotDir:
            return parse_error("archive: a file stands where a directory is needed", offset);
        default:
            return parse_error("archive: a name or link that cannot be", offset);
        }
    }
    return {};
}

} // namespace tollgate::fs
