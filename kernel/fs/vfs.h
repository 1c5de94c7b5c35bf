// The file tree as system calls see it: paths in, nodes and open files out.
#pragma once

#include "fs/walk.h"
#include "lib/byte_reader.h"
#include "lib/parse_error.h"
#include "task/fs_context.h"

namespace tollgate::fs {

/// Builds the tree: the archive's files at the root, /dev, /proc and /sys. The archive's memory must stay, since files
/// refer to it. Fails with what is wrong with the archive and where, or "out of memory". Called once, before the first
/// process.
Parsed<void> initialise(Bytes archive, StringView command_line);

/// The root of the whole tree, whatever chroot(2) says.
Directory& base_root();
Ref<Directory> root_directory();
/// The context of the first process: the root and the usual mask. Handed to task/ as a hook.
Result<Ref<FsContext>> make_first_context();

/// open(2) with the flags kOpen*; `mode` is for a file that it creates. Errors as of open(2).
Result<Ref<OpenFile>> open(const Caller* caller, Node* start, StringView path, u32 flags, u32 mode = 0644,
                           u32 resolve = 0);
/// Opens a node as if a path had led there: permissions, then Node::open(), then O_TRUNC.
Result<Ref<OpenFile>> open_node(const Caller* caller, Node& node, u32 flags);

/// Gives a new node a name, its owner and the caller's file creation mask; for mkdir, mknod, symlink and sockets.
/// Errors: Exist, NoEnt, Access, RoFs (a directory of the kernel's), NoMem.
Result<void> add_node(const Caller* caller, Node* start, StringView path, Ref<Node> node);
/// link(2), with the node at hand.
Result<void> link(const Caller* caller, Ref<Node> node, Node* start, StringView path);
/// unlink(2) and rmdir(2).
Result<void> unlink(const Caller* caller, Node* start, StringView path);
Result<void> remove_directory(const Caller* caller, Node* start, StringView path);
/// renameat2(2); flags are kRename*.
inline constexpr u32 kRenameNoReplace = 1, kRenameExchange = 2;
Result<void> rename(const Caller* caller, Node* from_start, StringView from, Node* to_start, StringView to, u32 flags);

/// Adds a character device /dev/`name`. `open_device` gets the flags of each open(2); the caller is null for the
/// kernel.
using DeviceOpener = Result<Ref<File>> (*)(const Caller* caller, u32 flags);
Result<void> add_device(StringView name, DeviceOpener open_device, u32 major = 10, u32 minor = 0);
/// The node of /dev with that number, or null.
Ref<Node> find_device(u32 major, u32 minor);
/// fstat(2) of a character device without a node at hand.
FileStatus device_status(u32 major, u32 minor);

/// A range beyond user space that a process has all the same, for /proc/PID/maps.
struct KernelArea {
    u64 start, end;
    Access access;
    Sharing sharing;
    const char* name;
};
using EachKernelArea = void (*)(void* context, const KernelArea&);
/// Who knows them: calls `each` for every one in ascending order. Set once, at boot.
void set_kernel_areas(void (*list)(AddressSpace&, EachKernelArea each, void* context));

/// Adds a read-only file at an absolute path whose text is generated at each open; missing directories are made.
Result<void> add_text_file(StringView path, void (*generate)(Sink&));

/// Where /dev/debugcon, debugcon1 and debugcon2 write to (QEMU's ports 0xe9 to 0xeb); nowhere until it is set. Called
/// once at boot.
void set_debug_console(void (*write)(unsigned which, StringView));

/// Steps of initialise(), each in a file of its own.
Parsed<void> unpack_archive(Directory& root, Bytes archive);
Result<void> add_devices(Directory& dev);
/// /proc with its directories of processes, and then its other files and /sys, once both are in the tree.
Result<Ref<Directory>> make_proc_directory();
Result<void> add_proc_files(Directory& proc, StringView command_line);
/// A new, empty regular file without a name.
Result<Ref<Node>> make_regular_file(u32 permissions);

} // namespace tollgate::fs
