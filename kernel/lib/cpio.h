// Reads a cpio archive of the "newc" kind, the initial archive that carries all programs. Source: Linux'
// Documentation/driver-api/early-userspace/buffer-format.rst. Nothing is copied: names and data point into the archive.
#pragma once

#include "lib/byte_reader.h"
#include "lib/string_view.h"

#include <optional>

namespace tollgate {

struct CpioEntry {
    StringView name; ///< Relative, without leading "./" or "/"; never empty, no ".." in it.
    u32 mode = 0;    ///< As in Linux' struct stat: type and permission bits.
    u32 inode = 0;
    u32 links = 0; ///< Of several names for one inode, only the last carries the data.
    u32 user = 0;
    u32 group = 0;
    u32 modified = 0; ///< Seconds since 1970.
    u32 device_major = 0;
    u32 device_minor = 0;
    Bytes data; ///< The file's contents, or a symbolic link's target.
};

class CpioReader {
public:
    explicit CpioReader(Bytes archive) : reader_(archive) {}

    /// The next entry, or nothing after the trailer. Errors: a header that is not one, sizes past the end, a name that
    /// is not terminated or leaves the root, a wrong checksum, no trailer. After an error every further call fails too.
    Parsed<std::optional<CpioEntry>> next();

private:
    Parsed<std::optional<CpioEntry>> read_entry();

    ByteReader reader_;
    bool done_ = false;
    std::optional<ParseError> failed_;
};

} // namespace tollgate
