// ELF validation, called by execve() on files that any user may have written. Each rule has its own reason text, and
// its own test in elf_test.cpp.
#include "lib/elf.h"

namespace tollgate {

namespace {

// [gABI 4, "ELF Header"]
struct FileHeader {
    u8 magic[4];
    u8 file_class;
    u8 data;
    u8 ident_version;
    u8 abi;
    u8 abi_version;
    u8 padding[7];
    u16 type;
    u16 machine;
    u32 version;
    u64 entry;
    u64 program_headers;
    u64 section_headers;
    u32 flags;
    u16 header_size;
    u16 program_header_size;
    u16 program_header_count;
    u16 section_header_size;
    u16 section_header_count;
    u16 section_names;
};
static_assert(sizeof(FileHeader) == 64);

// [gABI 5, "Program Header"]
struct ProgramHeader {
    u32 type;
    u32 flags;
    u64 offset;
    u64 address;
    u64 physical;
    u64 file_size;
    u64 memory_size;
    u64 alignment;
};
static_assert(sizeof(ProgramHeader) == kElfProgramHeaderSize);

constexpr u8 kClass64 = 2;
constexpr u8 kLittleEndian = 1;
constexpr u8 kCurrentVersion = 1;
constexpr u8 kAbiSystemV = 0;
constexpr u8 kAbiLinux = 3;
constexpr u16 kTypeExecutable = 2;
constexpr u16 kTypeShared = 3;
constexpr u16 kMachineX86_64 = 62;

constexpr u32 kLoad = 1;
constexpr u32 kInterpreter = 3;
constexpr u32 kTls = 7;
constexpr u32 kGnuStack = 0x6474e551;

constexpr u32 kExecute = 1;
constexpr u32 kWrite = 2;
constexpr u32 kRead = 4;

constexpr u64 kMaxInterpreter = 4096; // PATH_MAX
constexpr u64 kMaxAlignment = 1 << 30;

Parsed<FileHeader> read_header(Bytes head) {
    const auto header = TRY(read_object<FileHeader>(head, 0, "elf: file shorter than its header"));
    if (header.magic[0] != 0x7f || header.magic[1] != 'E' || header.magic[2] != 'L' || header.magic[3] != 'F')
        return parse_error("elf: wrong magic number", 0);
    if (header.file_class != kClass64 || header.data != kLittleEndian)
        return parse_error("elf: not a little-endian 64-bit file", 4);
    if (header.ident_version != kCurrentVersion || header.version != kCurrentVersion)
        return parse_error("elf: unknown version", 6);
    if (header.abi != kAbiSystemV && header.abi != kAbiLinux)
        return parse_error("elf: for another operating system", 7);
    if (header.type != kTypeExecutable && header.type != kTypeShared)
        return parse_error("elf: not an executable", offsetof(FileHeader, type));
    if (header.machine != kMachineX86_64)
        return parse_error("elf: not for x86-64", offsetof(FileHeader, machine));
    if (header.program_header_size != sizeof(ProgramHeader))
        return parse_error("elf: program headers of a strange size", offsetof(FileHeader, program_header_size));
    // 0xffff (PN_XNUM) means that the count is elsewhere: that many are refused as well, like everything out of reach.
    if (header.program_header_count == 0 || header.program_header_count == 0xffff)
        return parse_error("elf: no or too many program headers", offsetof(FileHeader, program_header_count));
    return header;
}

// Takes program headers one by one and builds the image.
class Builder {
public:
    Builder(ElfImage& image, u64 file_size) : image_(image), file_size_(file_size) {}

    Parsed<void> header(const ProgramHeader& header, u64 at) {
        switch (header.type) {
        case kLoad:
            return load(header, at);
        case kInterpreter:
            return interpreter(header, at);
        case kTls:
            return tls(header, at);
        case kGnuStack:
            image_.executable_stack = (header.flags & kExecute) != 0;
            return {};
        default:
            return {};
        }
    }

    Parsed<void> finish(const FileHeader& header) {
        if (image_.segment_count_ == 0)
            return parse_error("elf: nothing to load", 0);
        const u64 table = header.program_headers;
        const u64 table_size = u64{header.program_header_count} * sizeof(ProgramHeader);
        bool entry_found = false;
        for (const ElfSegment& segment : image_.segments()) {
            entry_found |= segment.executable && header.entry >= segment.address && header.entry < segment.end();
            if (table >= segment.file_offset && range_fits(table - segment.file_offset, table_size, segment.file_size))
                image_.program_headers = segment.address + (table - segment.file_offset);
        }
        if (!entry_found)
            return parse_error("elf: entry outside of the executable segments", offsetof(FileHeader, entry));
        if (image_.tls && !inside_a_segment(image_.tls->address, image_.tls->file_size))
            return parse_error("elf: thread-local data outside of the segments", 0);
        image_.entry = header.entry;
        image_.program_header_count = header.program_header_count;
        return {};
    }

private:
    Parsed<void> load(const ProgramHeader& header, u64 at) {
        if (header.file_size > header.memory_size)
            return parse_error("elf: segment larger in the file than in memory", at);
        if (!range_fits(header.offset, header.file_size, file_size_))
            return parse_error("elf: segment past the end of the file", at);
        if (!range_fits(header.address, header.memory_size, kUserTop))
            return parse_error("elf: segment outside of user space", at);
        if (!is_aligned(header.address - header.offset, kPageSize))
            return parse_error("elf: segment's address and offset do not agree", at);
        if (header.alignment > 1) {
            if (!is_power_of_two(header.alignment) || header.alignment > kMaxAlignment)
                return parse_error("elf: segment with an impossible alignment", at);
            if (!is_aligned(header.address - header.offset, header.alignment))
                return parse_error("elf: segment not aligned as it says", at);
        }
        if ((header.flags & (kWrite | kExecute)) == (kWrite | kExecute))
            return parse_error("elf: segment both writable and executable", at);
        if (header.memory_size == 0)
            return {};
        if (!image_.position_independent && header.address < kPageSize)
            return parse_error("elf: segment in the null page", at);
        if (image_.segment_count_ == ElfImage::kMaxSegments)
            return parse_error("elf: too many segments", at);
        return append(header, at);
    }

    // gABI 5 asks for rising addresses; only then does one comparison find every overlap.
    Parsed<void> append(const ProgramHeader& header, u64 at) {
        ElfSegment segment;
        segment.address = header.address;
        segment.file_offset = header.offset;
        segment.file_size = header.file_size;
        segment.memory_size = header.memory_size;
        segment.readable = (header.flags & kRead) != 0;
        segment.writable = (header.flags & kWrite) != 0;
        segment.executable = (header.flags & kExecute) != 0;
        if (image_.segment_count_ > 0 && segment.page_start() < image_.highest_page_end())
            return parse_error("elf: segments overlap, share a page or are out of order", at);
        if (header.alignment > image_.alignment)
            image_.alignment = header.alignment;
        image_.segments_[image_.segment_count_++] = segment;
        return {};
    }

    Parsed<void> interpreter(const ProgramHeader& header, u64 at) {
        if (image_.interpreter)
            return parse_error("elf: two interpreters", at);
        if (header.file_size < 2 || header.file_size > kMaxInterpreter)
            return parse_error("elf: interpreter path of an impossible size", at);
        if (!range_fits(header.offset, header.file_size, file_size_))
            return parse_error("elf: interpreter path past the end of the file", at);
        image_.interpreter = ElfInterpreter{header.offset, header.file_size};
        return {};
    }

    Parsed<void> tls(const ProgramHeader& header, u64 at) {
        if (image_.tls)
            return parse_error("elf: two thread-local segments", at);
        const u64 alignment = header.alignment == 0 ? 1 : header.alignment;
        if (header.file_size > header.memory_size || !range_fits(header.offset, header.file_size, file_size_) ||
            !range_fits(header.address, header.memory_size, kUserTop) || !is_power_of_two(alignment) ||
            alignment > kMaxAlignment)
            return parse_error("elf: impossible thread-local segment", at);
        image_.tls = ElfTls{header.address, header.offset, header.file_size, header.memory_size, alignment};
        return {};
    }

    bool inside_a_segment(u64 address, u64 length) const {
        for (const ElfSegment& segment : image_.segments())
            if (address >= segment.address && range_fits(address - segment.address, length, segment.memory_size))
                return true;
        return length == 0;
    }

    ElfImage& image_;
    u64 file_size_;
};

} // namespace

Parsed<ElfImage> parse_elf(Bytes head, u64 file_size) {
    const auto header = TRY(read_header(head));
    ElfImage image;
    image.position_independent = header.type == kTypeShared;
    Builder builder(image, file_size);
    const u64 table_size = u64{header.program_header_count} * sizeof(ProgramHeader);
    ByteReader table(
        TRY(read_span(head, header.program_headers, table_size, "elf: program headers past the file's first bytes")));
    while (!table.at_end()) {
        const u64 at = header.program_headers + table.position();
        TRY(builder.header(TRY(table.take<ProgramHeader>("elf: program header cut off")), at));
    }
    TRY(builder.finish(header));
    return image;
}

} // namespace tollgate
