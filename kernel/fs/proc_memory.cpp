// What /proc/PID/{maps,smaps,cmdline,environ,auxv} say. The last three are read from the process's own memory: what it
// has made of its arguments counts, as on Linux.
#include "fs/proc_text.h"
#include "fs/vfs.h"
#include "mem/user_copy.h"

namespace tollgate::fs {
namespace {

/// Set once, at boot: a gate knows.
using KernelAreas = void (*)(AddressSpace&, EachKernelArea, void*);
constinit KernelAreas list_kernel_areas = nullptr;

/// Lets the running thread see another process's memory for a while. It must not touch its own meanwhile.
class Visit {
public:
    explicit Visit(Ref<AddressSpace> space) : own_(own()) { sched::current().set_space(std::move(space)); }
    ~Visit() { sched::current().set_space(std::move(own_)); }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

private:
    static Ref<AddressSpace> own() {
        AddressSpace* space = sched::current().space();
        return space != nullptr ? Ref<AddressSpace>(*space) : Ref<AddressSpace>();
    }
    Ref<AddressSpace> own_;
};

Result<u64> word_at(u64 address) { return copy_from_user(UserPtr<const u64>(address)); }

/// Where the program found its arguments when it started [x86-64 psABI 3.4.1].
struct StartStack {
    u64 arguments, environment, environment_end, auxiliary; ///< strings, strings, their end, the vector
};

constexpr u64 kMostPointers = 1 << 20;

Result<StartStack> read_start_stack(u64 stack) {
    const u64 count = TRY(word_at(stack));
    if (count == 0 || count > kMostPointers)
        return fail(Errno::Srch);
    StartStack found{};
    found.arguments = TRY(word_at(stack + 8));
    const u64 last_argument = TRY(word_at(stack + 8 * count));
    u64 at = stack + 8 * (count + 2), last = last_argument;
    found.environment = TRY(word_at(at));
    for (u64 n = 0; n < kMostPointers; ++n, at += 8) {
        const u64 pointer = TRY(word_at(at));
        if (pointer == 0)
            break;
        last = pointer;
    }
    found.auxiliary = at + 8;
    for (found.environment_end = last;; ++found.environment_end)
        if (TRY(copy_from_user(UserPtr<const char>(found.environment_end))) == '\0')
            break;
    ++found.environment_end;
    if (found.environment == 0) // none: the arguments end where the strings do
        found.environment = found.environment_end;
    return found;
}

Result<void> copy_out(u64 from, u64 to_address, Sink& to) {
    constexpr u64 kMost = 1 << 20;
    if (to_address < from || to_address - from > kMost)
        return {}; // the program has moved its pointers about
    while (from < to_address) {
        char piece[256];
        const u64 size = to_address - from < sizeof piece ? to_address - from : sizeof piece;
        TRY(copy_from_user_bytes(piece, from, size));
        to.write(StringView(piece, size));
        from += size;
    }
    return {};
}

template <class Write>
Result<void> from_stack(const Subject& subject, Write write) {
    const Ref<AddressSpace> space = subject.process->space();
    const u64 stack = subject.process->start_stack.load(kRelaxed);
    if (!space || stack == 0)
        return {}; // a zombie: empty
    const Visit visit(space);
    const auto found = read_start_stack(stack);
    if (found)
        (void)write(*found);
    return {};
}

void write_name(StringView name, size_t column, Sink& to) {
    constexpr size_t kNameColumn = 73; // [Linux: show_vma_header_prefix pads to it]
    for (; !name.empty() && column < kNameColumn; ++column)
        to.write(" ");
    to.write(name);
    to.write("\n");
}

void write_kernel_area(void* to, const KernelArea& area) {
    FixedString<128> line;
    format_to(line, "{:08x}-{:08x} r{}{}{} 00000000 00:00 0 ", area.start, area.end,
              area.access == Access::ReadWrite ? 'w' : '-', area.access == Access::ReadExecute ? 'x' : '-',
              area.sharing == Sharing::Shared ? 's' : 'p');
    static_cast<Sink*>(to)->write(line.view());
    write_name(area.name, line.size(), *static_cast<Sink*>(to));
}

void write_area(const AreaInfo& area, Sink& to) {
    const auto flag = [](bool set, char letter) { return set ? letter : '-'; };
    const bool writes = area.access == Access::ReadWrite, executes = area.access == Access::ReadExecute;
    const bool reads = area.kind != AreaKind::Guard && area.access != Access::None;
    FixedString<128> line;
    format_to(line, "{:08x}-{:08x} {}{}{}{} {:08x} ", area.start, area.end, flag(reads, 'r'), flag(writes, 'w'),
              flag(executes, 'x'), area.sharing == Sharing::Shared ? 's' : 'p', area.offset);
    format_to(line, "{:02x}:{:02x} {} ", area.object.device >> 8, area.object.device & 0xff, area.object.inode);
    StringView name = area.object.name.view();
    if (area.kind == AreaKind::Stack)
        name = "[stack]";
    else if (area.kind == AreaKind::Heap)
        name = "[heap]";
    else if (area.kind == AreaKind::Vdso)
        name = executes ? "[vdso]" : "[vvar]";
    else if (area.kind == AreaKind::Fastcall)
        name = "[fastcall_additional]";
    to.write(line.view());
    write_name(name, line.size(), to);
}

template <class Each>
Result<void> for_each_area(const Subject& subject, Each each) {
    const Ref<AddressSpace> space = subject.process->space();
    if (!space)
        return {};
    for (u64 at = 0;;) {
        const auto area = space->area_after(at);
        if (!area)
            return {};
        at = area->end;
        if (area->kind != AreaKind::Guard)
            each(*space, *area);
    }
}

u64 resident_in(AddressSpace& space, const AreaInfo& area) {
    u64 pages = 0;
    for (u64 at = area.start; at < area.end;) {
        u8 present[128];
        const u64 left = (area.end - at) / kPageSize, count = left < sizeof present ? left : sizeof present;
        if (!space.residency(at, {present, count}))
            break; // it was unmapped meanwhile
        for (u64 n = 0; n < count; ++n)
            pages += present[n] & 1;
        at += count * kPageSize;
    }
    return pages * kPageSize;
}

} // namespace

void set_kernel_areas(void (*list)(AddressSpace&, EachKernelArea, void*)) { list_kernel_areas = list; }

Result<void> write_process_maps(const Subject& subject, Sink& to) {
    TRY(for_each_area(subject, [&](AddressSpace&, const AreaInfo& area) { write_area(area, to); }));
    const Ref<AddressSpace> space = subject.process->space();
    if (space && list_kernel_areas)
        list_kernel_areas(*space, write_kernel_area, &to);
    return {};
}

Result<void> write_process_smaps(const Subject& subject, Sink& to) {
    return for_each_area(subject, [&](AddressSpace& space, const AreaInfo& area) {
        write_area(area, to);
        const auto line = [&](const char* name, u64 bytes) { format_to(to, "{:<16}{:8} kB\n", name, bytes / 1024); };
        const u64 resident = resident_in(space, area);
        const bool shared = area.sharing == Sharing::Shared;
        line("Size:", area.end - area.start);
        line("KernelPageSize:", kPageSize);
        line("MMUPageSize:", kPageSize);
        line("Rss:", resident);
        line("Pss:", resident);
        line("Shared_Clean:", 0);
        line("Shared_Dirty:", shared ? resident : 0);
        line("Private_Clean:", 0);
        line("Private_Dirty:", shared ? 0 : resident);
        line("Referenced:", resident);
        line("Anonymous:", area.object.inode == 0 ? resident : 0);
        line("Swap:", 0);
    });
}

Result<void> write_process_arguments(const Subject& subject, Sink& to) {
    return from_stack(subject,
                      [&](const StartStack& stack) { return copy_out(stack.arguments, stack.environment, to); });
}

Result<void> write_process_environment(const Subject& subject, Sink& to) {
    return from_stack(subject,
                      [&](const StartStack& stack) { return copy_out(stack.environment, stack.environment_end, to); });
}

Result<void> write_process_auxv(const Subject& subject, Sink& to) {
    return from_stack(subject, [&](const StartStack& stack) -> Result<void> {
        u64 end = stack.auxiliary;
        for (u32 n = 0; n < 64; ++n, end += 16) // up to AT_NULL
            if (TRY(word_at(end)) == 0)
                break;
        return copy_out(stack.auxiliary, end + 16, to);
    });
}

} // namespace tollgate::fs
