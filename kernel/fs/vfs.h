// The file tree as system calls see it: paths in, nodes and open files out. The current directory of every process is
// the root.
#pragma once

#include "fs/node.h"
#include "lib/byte_reader.h"
#include "lib/parse_error.h"

namespace tollgate::fs {

/// Builds the tree: the archive's files at the root, /dev, /proc and /sys. The archive's memory must stay, since files
/// refer to it. Fails with what is wrong with the archive and where, or "out of memory". Called once, before the first
/// process.
Parsed<void> initialise(Bytes archive, StringView command_line);

/// What to do about a symbolic link at the end of a path.
enum class LastLink : u8 { Follow, Keep };

/// The node at `path`, from the root if it is absolute or `start` is null, else from `start`. `caller` is who asks,
/// null for the kernel. Errors: NoEnt, NotDir, NameTooLong, Loop.
Result<Ref<Node>> lookup(const Caller* caller, Node* start, StringView path, LastLink last_link = LastLink::Follow);

/// open(2) with the flags kOpen*; `mode` is for a file that it creates. Errors as of open(2).
Result<Ref<OpenFile>> open(const Caller* caller, Node* start, StringView path, u32 flags, u32 mode = 0644);

/// Adds a character device /dev/`name`. `open_device` gets the flags of each open(2).
using DeviceOpener = Result<Ref<File>> (*)(u32 flags);
Result<void> add_device(StringView name, DeviceOpener open_device, u32 major = 10, u32 minor = 0);
/// fstat(2) of a character device without a node at hand.
FileStatus device_status(u32 major, u32 minor);

/// Adds a read-only file at an absolute path whose text is generated at each open; missing directories are made.
Result<void> add_text_file(StringView path, void (*generate)(Sink&));

/// Where /dev/debugcon writes to (QEMU's port 0xe9); nowhere until it is set. Called once at boot.
void set_debug_console(void (*write)(StringView));

/// Steps of initialise(), each in a file of its own.
Parsed<void> unpack_archive(Directory& root, Bytes archive);
Result<void> add_devices(Directory& dev);
Result<void> add_proc_files(Directory& proc, StringView command_line);
/// A new, empty regular file that is not in the tree yet.
Result<Ref<Node>> make_regular_file(StringView name, u32 mode);

} // namespace tollgate::fs
