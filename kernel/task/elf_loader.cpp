// Segments are private mappings of the file: their pages come at the first touch, and those that nobody writes are
// shared by all processes that run the program.
#include "task/elf_loader.h"

#include "debug/log.h"
#include "mem/frames.h"

namespace tollgate::task {

namespace {

/// Lower than this nothing is loaded: a null pointer with a small offset must fault.
constexpr u64 kLowestLoad = 64 * 1024;

Access access_of(const ElfSegment& segment) {
    if (segment.executable)
        return Access::ReadExecute;
    if (segment.writable)
        return Access::ReadWrite;
    return segment.readable ? Access::Read : Access::None;
}

Result<void> map_at(AddressSpace& space, u64 start, u64 end, Access access, Ref<MemoryObject> object = {},
                    u64 offset = 0) {
    if (start == end)
        return {};
    const auto mapped = space.map({.hint = start,
                                   .length = end - start,
                                   .access = access,
                                   .kind = AreaKind::Image,
                                   .placement = Placement::FixedNoReplace,
                                   .object = std::move(object),
                                   .offset = offset});
    if (!mapped)
        return fail(mapped.error() == Errno::NoMem ? Errno::NoMem : Errno::NoExec);
    return {};
}

/// Puts the file's bytes into memory that is mapped already.
Result<void> copy_segment(AddressSpace& space, const ElfSegment& segment, u64 bias, File& file) {
    Frame page = TRY(Frame::allocate());
    for (u64 done = 0; done < segment.file_size;) {
        const u64 left = segment.file_size - done;
        const u64 part = left < kPageSize ? left : kPageSize;
        TRY(read_exactly(file, segment.file_offset + done, page.data(), part));
        TRY(space.write_bytes(bias + segment.address + done, page.data(), part));
        done += part;
    }
    return {};
}

/// Zeros from the end of the file's part to the end of its page, where the file goes on with something else.
Result<void> clear_tail(AddressSpace& space, u64 from) {
    static constexpr u8 kZeros[256] = {};
    for (u64 left = align_up(from, kPageSize) - from; left > 0;) {
        const u64 part = left < sizeof kZeros ? left : sizeof kZeros;
        TRY(space.write_bytes(from, kZeros, part));
        from += part;
        left -= part;
    }
    return {};
}

Result<void> map_segment(AddressSpace& space, const ElfSegment& segment, u64 bias, File& file,
                         const Ref<MemoryObject>& object) {
    ASSERT(!(segment.writable && segment.executable));
    if (segment.memory_size > frames::total_count() * kPageSize)
        return fail(Errno::NoMem); // pages come at the first touch, but this could never be touched
    const Access access = access_of(segment);
    const u64 start = bias + segment.page_start(), end = bias + segment.page_end();
    const u64 file_end = bias + segment.address + segment.file_size;
    const bool clears = segment.memory_size > segment.file_size;
    if (!object || segment.file_size == 0 || (clears && !segment.writable)) {
        TRY(map_at(space, start, end, access));
        return copy_segment(space, segment, bias, file);
    }
    const u64 middle = align_up(file_end, kPageSize);
    TRY(map_at(space, start, middle, access, object, align_down(segment.file_offset, kPageSize)));
    TRY(map_at(space, middle, end, access));
    return clears ? clear_tail(space, file_end) : Result<void>{};
}

} // namespace

Result<void> read_exactly(File& file, u64 offset, void* to, u64 size) {
    IoBuffer buffer = IoBuffer::of_kernel(to, size);
    while (buffer.size() > 0) {
        const u64 read = TRY(file.read(buffer, offset, kOpenReadOnly));
        if (read == 0)
            return fail(Errno::NoExec);
        offset += read;
    }
    return {};
}

Result<ElfFile> read_head(Ref<File> file) {
    ElfFile elf;
    elf.head = TRY(Frame::allocate());
    IoBuffer buffer = IoBuffer::of_kernel(elf.head.data(), kPageSize);
    while (buffer.size() > 0) {
        if (TRY(file->read(buffer, elf.head_size, kOpenReadOnly)) == 0)
            break;
        elf.head_size = kPageSize - buffer.size();
    }
    elf.file = std::move(file);
    return elf;
}

Result<void> check_head(ElfFile& elf, StringView path) {
    const u64 size = static_cast<u64>(TRY(elf.file->status()).size);
    auto parsed = parse_elf(Bytes(elf.head.data<const std::byte>(), elf.head_size), size);
    if (!parsed) {
        if (elf.head_size >= 4 && memcmp(elf.head.data(), "\177ELF", 4) == 0)
            log("{}: not a program: {}", path, parsed.error());
        return fail(Errno::NoExec);
    }
    elf.image = *parsed;
    return {};
}

Result<void> map_image(AddressSpace& space, const ElfFile& elf, u64 bias) {
    const auto end = checked_add(bias, elf.image.highest_page_end());
    if (!end || *end > kUserTop || bias + elf.image.lowest_page() < kLowestLoad)
        return fail(Errno::NoExec);
    Ref<MemoryObject> object;
    if (auto memory = elf.file->memory())
        object = std::move(*memory);
    for (const ElfSegment& segment : elf.image.segments())
        TRY(map_segment(space, segment, bias, *elf.file, object));
    return {};
}

Result<u64> find_bias(AddressSpace& space, const ElfImage& image) {
    // Nobody else is in the space: what is free now stays free.
    const u64 length = image.highest_page_end() - image.lowest_page();
    const auto room = checked_add(length, image.alignment - kPageSize);
    if (!room)
        return fail(Errno::NoMem);
    const u64 start = TRY(space.map_anonymous(0, *room, Access::None, AreaKind::Image, Placement::Anywhere));
    TRY(space.unmap(start, *room));
    return align_up(start, image.alignment) - image.lowest_page();
}

} // namespace tollgate::task
