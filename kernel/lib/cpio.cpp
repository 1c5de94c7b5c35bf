// The newc iterator. Called once at boot to unpack the initial archive into tmpfs; the archive comes from outside, so
// every size in it is checked against what is left.
#include "lib/cpio.h"

namespace tollgate {

namespace {

// [buffer-format.rst] All fields are hexadecimal digits, 8 each, without a terminator.
struct Header {
    char magic[6];
    char inode[8];
    char mode[8];
    char user[8];
    char group[8];
    char links[8];
    char modified[8];
    char file_size[8];
    char major[8];
    char minor[8];
    char device_major[8];
    char device_minor[8];
    char name_size[8]; ///< With the NUL.
    char checksum[8];  ///< Sum of the data bytes, in archives of the magic 070702 only.
};
static_assert(sizeof(Header) == 110);

constexpr u64 kAlignment = 4;
constexpr u64 kMaxNameSize = 4096; // PATH_MAX
constexpr StringView kTrailer = "TRAILER!!!";

constexpr u32 kTypeMask = 0170000;
constexpr u32 kTypeRegular = 0100000;

Parsed<u32> field(const char (&digits)[8], u64 offset) {
    const auto value = parse_digits(StringView(digits, sizeof digits), 16);
    if (!value)
        return parse_error("cpio: header field is not hexadecimal", offset);
    return static_cast<u32>(*value);
}

StringView without_root(StringView name) {
    for (;;) {
        if (name.starts_with("/"))
            name = name.substr(1);
        else if (name.starts_with("./"))
            name = name.substr(2);
        else
            return name == "." ? StringView() : name;
    }
}

bool leaves_root(StringView name) {
    for (const StringView part : name.split('/'))
        if (part == "..")
            return true;
    return false;
}

/// A packer may pad a name with more NULs than one, so that the data behind it begins at a page.
bool all_zero(StringView text) {
    for (const char c : text)
        if (c != '\0')
            return false;
    return true;
}

u32 sum_of(Bytes data) {
    u32 sum = 0;
    for (const std::byte value : data)
        sum += std::to_integer<u32>(value);
    return sum;
}

} // namespace

Parsed<std::optional<CpioEntry>> CpioReader::next() {
    if (failed_)
        return parse_error(failed_->what, failed_->offset);
    while (!done_) {
        auto entry = read_entry();
        if (!entry)
            failed_ = entry.error();
        else if (!done_ && (*entry)->name.empty())
            continue; // the root directory itself
        return entry;
    }
    return std::optional<CpioEntry>();
}

Parsed<std::optional<CpioEntry>> CpioReader::read_entry() {
    TRY(reader_.align(kAlignment, "cpio: no trailer"));
    const u64 start = reader_.position();
    const auto header = TRY(reader_.take<Header>("cpio: no trailer"));
    const StringView magic(header.magic, sizeof header.magic);
    if (magic != "070701" && magic != "070702")
        return parse_error("cpio: not a newc header", start);

    const u32 name_size = TRY(field(header.name_size, start));
    const u32 file_size = TRY(field(header.file_size, start));
    if (name_size == 0 || name_size > kMaxNameSize)
        return parse_error("cpio: name of an impossible size", start);
    const StringView stored = StringView::from_bytes(TRY(reader_.take_bytes(name_size, "cpio: name past the end")));
    const auto name_end = stored.find('\0');
    if (!name_end || !all_zero(stored.substr(*name_end)))
        return parse_error("cpio: name not terminated where it should be", start);
    const StringView name = stored.substr(0, *name_end);
    if (name == kTrailer) {
        done_ = true;
        return std::optional<CpioEntry>();
    }
    if (leaves_root(name))
        return parse_error("cpio: name leaves the archive's root", start);

    TRY(reader_.align(kAlignment, "cpio: padding past the end"));
    CpioEntry entry;
    entry.name = without_root(name);
    entry.data = TRY(reader_.take_bytes(file_size, "cpio: data past the end"));
    entry.mode = TRY(field(header.mode, start));
    entry.inode = TRY(field(header.inode, start));
    entry.links = TRY(field(header.links, start));
    entry.user = TRY(field(header.user, start));
    entry.group = TRY(field(header.group, start));
    entry.modified = TRY(field(header.modified, start));
    entry.device_major = TRY(field(header.device_major, start));
    entry.device_minor = TRY(field(header.device_minor, start));
    const bool summed = magic == "070702" && (entry.mode & kTypeMask) == kTypeRegular;
    if (summed && sum_of(entry.data) != TRY(field(header.checksum, start)))
        return parse_error("cpio: checksum of the data is wrong", start);
    return std::optional<CpioEntry>(entry);
}

} // namespace tollgate
