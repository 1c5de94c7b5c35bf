// Maps what lib/elf.h has found valid. Nothing of the old program is needed, so that a failure anywhere costs only the
// new space.
#include "task/loader.h"

#include "debug/log.h"
#include "lib/elf.h"
#include "task/process_table.h"
#include "task/user_stack.h"

namespace tollgate::task {

namespace {

/// Where position-independent programs go: two thirds up, as on Linux, far from both mmap's areas and the null page.
constexpr u64 kPieBase = 0x555555554000;
/// Lower than this nothing is loaded: a null pointer with a small offset must fault.
constexpr u64 kLowestLoad = 64 * 1024;

Access access_of(const ElfSegment& segment) {
    if (segment.executable)
        return Access::ReadExecute;
    if (segment.writable)
        return Access::ReadWrite;
    return segment.readable ? Access::Read : Access::None;
}

Result<void> map_segment(AddressSpace& space, const ElfSegment& segment, u64 bias, Bytes file) {
    ASSERT(!(segment.writable && segment.executable));
    if (segment.memory_size > frames::total_count() * kPageSize)
        return fail(Errno::NoMem); // pages come at the first touch, but this could never be touched
    const auto mapped =
        space.map_anonymous(bias + segment.page_start(), segment.page_end() - segment.page_start(), access_of(segment),
                            AreaKind::Image, AddressSpace::Placement::FixedNoReplace);
    if (!mapped)
        return fail(mapped.error() == Errno::NoMem ? Errno::NoMem : Errno::NoExec);
    if (segment.file_size == 0)
        return {};
    return space.write_bytes(bias + segment.address, file.data() + segment.file_offset, segment.file_size);
}

} // namespace

Result<Program> load_program(const File& file, StringView path, const ExecStrings& strings) {
    const Bytes bytes = TRY(file.content());
    const auto parsed = parse_elf(bytes);
    if (!parsed) {
        log("{}: not a program: {}", path, parsed.error());
        return fail(Errno::NoExec);
    }
    const ElfImage& image = *parsed;
    if (image.interpreter) {
        log("{}: needs a program interpreter, which there is none of yet", path);
        return fail(Errno::NoExec);
    }
    const u64 bias = image.position_independent ? align_up(kPieBase, image.alignment) : 0;
    const auto end = checked_add(bias, image.highest_page_end());
    if (!end || *end > kStackGuard || bias + image.lowest_page() < kLowestLoad)
        return fail(Errno::NoExec);

    Program program {
        TRY(AddressSpace::create())
        , bias + image.entry, 0
    };
    for (const ElfSegment& segment : image.segments())
        TRY(map_segment(*program.space, segment, bias, bytes));
    program.space->set_break_start(*end);
    const auto map_vdso = TaskAccess::hooks().map_vdso;
    const StackContents contents {
        .path = path, .entry = program.entry,
        .program_headers = image.program_headers != 0 ? bias + image.program_headers : 0,
        .program_header_count = image.program_header_count, .vdso = map_vdso ? TRY(map_vdso(*program.space)) : 0,
    };
    program.stack_pointer = TRY(build_stack(*program.space, strings, contents));
    if (const auto created = TaskAccess::hooks().space_created)
        TRY(created(*program.space));
    return program;
}

} // namespace tollgate::task
