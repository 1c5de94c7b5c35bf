// The order of loading: follow scripts, map the program, map its interpreter, make the stack. Nothing of the old
// program is needed or touched, so that a failure anywhere costs only the new space.
#include "task/loader.h"

#include "debug/log.h"
#include "lib/memory.h"
#include "lib/unique_ptr.h"
#include "task/elf_loader.h"
#include "task/layout_random.h"
#include "task/process_table.h"
#include "task/script.h"
#include "task/user_stack.h"

namespace tollgate::task {

namespace {

constexpr unsigned kMaxScripts = 5; // one script's interpreter may be a script, and so on

Result<Ref<File>> open_program(const Caller* caller, StringView path) {
    const auto open = TaskAccess::hooks().open_program;
    if (!open)
        return fail(Errno::NoEnt);
    return open(caller, path);
}

/// The ELF file that a program is, after as many scripts as lead to it.
Result<ElfFile> resolve(const ProgramRequest& request, ExecStrings& strings, FixedString<256>& executable) {
    ElfFile elf = TRY(read_head(request.file));
    executable.write(request.path);
    for (unsigned depth = 0;; ++depth) {
        const auto line = parse_script({elf.head.data<const char>(), elf.head_size});
        if (!line)
            break;
        if (depth == kMaxScripts)
            return fail(Errno::Loop);
        // argv[0] gives way to the interpreter's name, its argument, and the script's name.
        TRY(strings.replace_first(line->interpreter, line->argument, executable));
        executable.clear();
        executable.write(line->interpreter);
        if (executable.truncated())
            return fail(Errno::NameTooLong);
        elf = TRY(read_head(TRY(open_program(request.caller, executable))));
    }
    TRY(check_head(elf, executable));
    FixedString<256> absolute;
    if (const auto write_path = TaskAccess::hooks().write_path)
        if (write_path(request.caller, *elf.file, absolute) && !absolute.truncated()) {
            executable.clear();
            executable.write(absolute);
        }
    return elf;
}

/// The program interpreter that the file names (PT_INTERP).
Result<ElfFile> interpreter_of(const ElfFile& elf, const Caller* caller) {
    FixedString<255> path;
    char text[256];
    const u64 length = elf.image.interpreter->length;
    if (length > sizeof text)
        return fail(Errno::NameTooLong);
    TRY(read_exactly(*elf.file, elf.image.interpreter->file_offset, text, length));
    if (text[length - 1] != '\0')
        return fail(Errno::NoExec);
    path.write({text, strnlen(text, length)});
    ElfFile interpreter = TRY(read_head(TRY(open_program(caller, path))));
    if (!check_head(interpreter, path))
        return fail(Errno::LibBad);
    return interpreter;
}

void set_break(AddressSpace& space, u64 end, const LayoutOffsets& offsets) {
    space.set_break_start(align_up(end, kPageSize) + offsets.heap);
}

} // namespace

Result<Program> load_program(const ProgramRequest& request, ExecStrings& strings) {
    const Hooks& hooks = TaskAccess::hooks();
    const Owned<Program> program = TRY(make_owned<Program>());
    const ElfFile elf = TRY(resolve(request, strings, program->executable));
    program->hold = TRY(elf.file->hold_as_program());
    const ElfImage& image = elf.image;
    const LayoutOffsets offsets = choose_offsets(request.process);
    const StackPlace stack = place_stack(request.process, offsets);

    program->space = TRY(AddressSpace::create());
    AddressSpace& space = *program->space;
    space.set_map_top(kMapTop - offsets.mappings);
    TRY(map_stack(space, stack));
    const u64 bias = image.position_independent ? align_up(kPieBase + offsets.image, image.alignment) : 0;
    TRY(map_image(space, elf, bias));
    set_break(space, bias + image.highest_page_end(), offsets);
    program->entry = bias + image.entry;

    StackContents contents {
        .path = request.path, .entry = program->entry,
        .program_headers = image.program_headers != 0 ? bias + image.program_headers : 0,
        .program_header_count = image.program_header_count, .vdso = hooks.map_vdso ? TRY(hooks.map_vdso(space)) : 0,
        .process = request.process,
    };
    if (image.interpreter) {
        const ElfFile interpreter = TRY(interpreter_of(elf, request.caller));
        contents.interpreter_base = interpreter.image.position_independent ? TRY(find_bias(space, interpreter.image)) : 0;
        TRY(map_image(space, interpreter, contents.interpreter_base));
        program->entry = contents.interpreter_base + interpreter.image.entry;
    }
    program->stack_pointer = TRY(build_stack(space, stack, strings, contents));
    if (request.process)
        space.set_limits(request.process->limits[Limit::AddressSpace], request.process->limits[Limit::Data]);
    return Program{std::move(*program.get())};
}

} // namespace tollgate::task
