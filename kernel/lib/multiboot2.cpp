// Walks the tags of a Multiboot2 boot information. Called once at boot, on memory that the loader wrote; still, every
// length in it is checked, since a wrong map corrupts memory long after the boot.
#include "lib/multiboot2.h"

namespace tollgate {

namespace {

// [Multiboot2 2.0, 3.6.2]
struct InfoHeader {
    u32 total_size;
    u32 reserved;
};
static_assert(sizeof(InfoHeader) == 8);

struct TagHeader {
    u32 type;
    u32 size; ///< With this header, without the padding to 8 bytes.
};
static_assert(sizeof(TagHeader) == 8);

constexpr u64 kTagAlignment = 8;

enum class Tag : u32 {
    End = 0,         // [3.6.2]
    CommandLine = 1, // [3.6.5]
    Module = 3,      // [3.6.6]
    MemoryMap = 6,   // [3.6.8]
    AcpiOld = 14,    // [3.6.15]
    AcpiNew = 15,    // [3.6.16]
};

struct MapHeader {
    u32 entry_size;
    u32 entry_version;
};
struct MapEntry {
    u64 base;
    u64 length;
    u32 type;
    u32 reserved;
};
static_assert(sizeof(MapEntry) == 24);

struct ModuleHeader {
    u32 start;
    u32 end;
};

/// The state of one walk; offsets are from the start of the boot information.
class Walk {
public:
    Walk(PhysAddr mbi_base, BootInfo& out) : mbi_base_(mbi_base), out_(out) {}

    Parsed<void> tag(Tag type, Bytes body, u64 offset) {
        switch (type) {
        case Tag::CommandLine:
            return command_line(body, offset);
        case Tag::Module:
            return module(body, offset);
        case Tag::MemoryMap:
            return memory_map(body, offset);
        case Tag::AcpiOld:
            return acpi(body, offset, kOldRsdpSize);
        case Tag::AcpiNew:
            return acpi(body, offset, kNewRsdpSize);
        default:
            return {};
        }
    }

    Parsed<void> finish() {
        if (!have_map_)
            return parse_error("multiboot2: no memory map tag", 0);
        return out_.memory.normalise();
    }

private:
    static constexpr u64 kOldRsdpSize = 20; // [ACPI 6.5, 5.2.5.3]
    static constexpr u64 kNewRsdpSize = 36;

    Parsed<void> command_line(Bytes body, u64 offset) {
        const StringView text = StringView::from_bytes(body);
        const auto end = text.find('\0');
        if (!end)
            return parse_error("multiboot2: command line without a terminator", offset);
        out_.command_line.clear();
        out_.command_line.write(text.substr(0, *end));
        return {};
    }

    Parsed<void> module(Bytes body, u64 offset) {
        const auto header = TRY(read_object<ModuleHeader>(body, 0, "multiboot2: module tag too short"));
        if (header.end < header.start)
            return parse_error("multiboot2: module ends before it starts", offset);
        if (out_.initial_archive)
            ++out_.ignored_modules;
        else
            out_.initial_archive = PhysRange{PhysAddr(header.start), header.end - header.start};
        return {};
    }

    Parsed<void> memory_map(Bytes body, u64 offset) {
        if (have_map_)
            return parse_error("multiboot2: two memory map tags", offset);
        have_map_ = true;
        ByteReader reader(body);
        const auto header = TRY(reader.take<MapHeader>("multiboot2: memory map tag too short"));
        if (header.entry_size < sizeof(MapEntry) || header.entry_size % 8 != 0)
            return parse_error("multiboot2: memory map entries of a strange size", offset);
        while (!reader.at_end()) {
            const u64 at = reader.position();
            const auto entry = TRY(reader.take<MapEntry>("multiboot2: memory map entry cut off"));
            TRY(reader.skip(header.entry_size - sizeof(MapEntry), "multiboot2: memory map entry cut off"));
            const auto added = out_.memory.add({PhysAddr(entry.base), entry.length, memory_kind_from_e820(entry.type)});
            if (!added)
                return parse_error(added.error().what, offset + at);
        }
        return {};
    }

    // Both tags may be there; the new one wins, whatever the order.
    Parsed<void> acpi(Bytes body, u64 offset, u64 size) {
        if (body.size() < size)
            return parse_error("multiboot2: ACPI tag too short", offset);
        if (!out_.rsdp || size == kNewRsdpSize)
            out_.rsdp = mbi_base_ + offset;
        return {};
    }

    PhysAddr mbi_base_;
    BootInfo& out_;
    bool have_map_ = false;
};

} // namespace

Parsed<u64> multiboot2_size(Bytes header) {
    constexpr u64 kSmallest = sizeof(InfoHeader) + sizeof(TagHeader);
    constexpr u64 kLargest = 1 << 20;
    const auto info = TRY(read_object<InfoHeader>(header, 0, "multiboot2: no room for the header"));
    if (info.total_size < kSmallest || info.total_size > kLargest)
        return parse_error("multiboot2: implausible total size", 0);
    return info.total_size;
}

Parsed<void> parse_multiboot2(Bytes mbi, PhysAddr mbi_base, BootInfo& out) {
    const u64 total_size = TRY(multiboot2_size(mbi));
    ByteReader reader(TRY(read_span(mbi, 0, total_size, "multiboot2: total size beyond the memory given")));
    TRY(reader.skip(sizeof(InfoHeader), "multiboot2: no room for the header"));
    out = BootInfo{};
    out.protocol = "multiboot2";
    Walk walk(mbi_base, out);
    for (;;) {
        TRY(reader.align(kTagAlignment, "multiboot2: no end tag"));
        const u64 start = reader.position();
        const auto tag = TRY(reader.take<TagHeader>("multiboot2: no end tag"));
        if (tag.size < sizeof(TagHeader))
            return parse_error("multiboot2: tag smaller than its header", start);
        const u64 offset = reader.position();
        const Bytes body = TRY(reader.take_bytes(tag.size - sizeof(TagHeader), "multiboot2: tag reaches past the end"));
        if (static_cast<Tag>(tag.type) == Tag::End)
            return walk.finish();
        TRY(walk.tag(static_cast<Tag>(tag.type), body, offset));
    }
}

} // namespace tollgate
