// Follows the pointers of a PVH start information. Everything it points at is physical and read through PhysReader, so
// an address outside of memory is an error with a name.
#include "lib/pvh.h"

namespace tollgate {

namespace {

// [start_info.h] Version 0 ends before memmap_paddr.
struct StartInfo {
    u32 magic;
    u32 version;
    u32 flags;
    u32 module_count;
    u64 modules;
    u64 command_line;
    u64 rsdp;
};
static_assert(sizeof(StartInfo) == 40);

struct StartInfoMemory {
    u64 entries;
    u32 entry_count;
    u32 reserved;
};
static_assert(sizeof(StartInfoMemory) == 16);

struct ModuleEntry {
    u64 base;
    u64 size;
    u64 command_line;
    u64 reserved;
};
static_assert(sizeof(ModuleEntry) == 32);

struct MapEntry {
    u64 base;
    u64 size;
    u32 type;
    u32 reserved;
};
static_assert(sizeof(MapEntry) == 24);

Parsed<void> read_modules(PhysReader& memory, const StartInfo& info, BootInfo& out) {
    if (info.module_count == 0)
        return {};
    const auto first = TRY(memory.object<ModuleEntry>(PhysAddr(info.modules), "pvh: module list out of reach"));
    if (!range_fits(first.base, first.size, MemoryMap::kPhysicalLimit))
        return parse_error("pvh: module wraps around", info.modules);
    out.initial_archive = PhysRange{PhysAddr(first.base), first.size};
    out.ignored_modules = info.module_count - 1;
    return {};
}

Parsed<void> read_memory_map(PhysReader& memory, PhysAddr at, BootInfo& out) {
    const auto map = TRY(memory.object<StartInfoMemory>(at, "pvh: start information out of reach"));
    if (map.entry_count == 0)
        return parse_error("pvh: empty memory map", at.value());
    if (map.entry_count > MemoryMap::kMaxRegions)
        return parse_error("pvh: too many memory map entries", at.value());
    const Bytes entries =
        TRY(memory.bytes(PhysAddr(map.entries), map.entry_count * sizeof(MapEntry), "pvh: memory map out of reach"));
    ByteReader reader(entries);
    while (!reader.at_end()) {
        const auto entry = TRY(reader.take<MapEntry>("pvh: memory map entry cut off"));
        TRY(out.memory.add({PhysAddr(entry.base), entry.size, memory_kind_from_e820(entry.type)}));
    }
    return out.memory.normalise();
}

} // namespace

Parsed<void> parse_pvh(PhysReader& memory, PhysAddr start_info, BootInfo& out) {
    const auto info = TRY(memory.object<StartInfo>(start_info, "pvh: start information out of reach"));
    if (info.magic != kPvhMagic)
        return parse_error("pvh: wrong magic number", start_info.value());
    if (info.version == 0)
        return parse_error("pvh: start information of version 0 has no memory map", start_info.value());

    out = BootInfo{};
    out.protocol = "pvh";
    if (info.command_line != 0)
        TRY(memory.copy_string(PhysAddr(info.command_line), 2 * BootInfo::kMaxCommandLine, out.command_line,
                               "pvh: command line out of reach or without an end"));
    TRY(read_modules(memory, info, out));
    if (info.rsdp != 0)
        out.rsdp = PhysAddr(info.rsdp);
    return read_memory_map(memory, start_info + sizeof(StartInfo), out);
}

} // namespace tollgate
