// From the top down: path, platform, random bytes, strings; then the words, whose number is known, so that argc comes
// to lie on a 16-byte boundary.
#include "task/user_stack.h"

#include "cpu/features.h"
#include "cpu/x86.h"
#include "lib/elf.h"
#include "mem/address_space.h"
#include "task/process.h"

namespace tollgate::task {

namespace {

// [Linux uapi, linux/auxvec.h] what a_type means
enum class Aux : u64 {
    Null = 0,
    ProgramHeaders = 3,
    ProgramHeaderSize = 4,
    ProgramHeaderCount = 5,
    PageSize = 6,
    Base = 7,
    Flags = 8,
    Entry = 9,
    User = 11,
    EffectiveUser = 12,
    Group = 13,
    EffectiveGroup = 14,
    Platform = 15,
    Hwcap = 16,
    ClockTicks = 17,
    Secure = 23,
    Random = 25,
    Hwcap2 = 26,
    ExecFn = 31,
    SysInfoHeader = 33,
    MinSigStackSize = 51,
};

constexpr StringView kPlatform = "x86_64";
constexpr u64 kHwcap2FsGsBase = 1 << 1; // [Linux uapi, asm/hwcap2.h]
constexpr u64 kClockTicks = 100;

/// Writes words upwards, some at a time.
class WordWriter {
public:
    WordWriter(AddressSpace& space, u64 address) : space_(space), address_(address) {}
    Result<void> put(u64 word) {
        words_[used_++] = word;
        return used_ == kWords ? flush() : Result<void>{};
    }
    Result<void> put(Aux type, u64 value) {
        TRY(put(static_cast<u64>(type)));
        return put(value);
    }
    Result<void> flush() {
        TRY(space_.write_bytes(address_, words_, used_ * 8));
        address_ += used_ * 8;
        used_ = 0;
        return {};
    }
    u64 address() const { return address_ + used_ * 8; }

private:
    static constexpr unsigned kWords = 64;
    AddressSpace& space_;
    u64 address_;
    u64 words_[kWords];
    unsigned used_ = 0;
};

/// Room for a signal frame: the saved FPU state and the rest of the frame [man 3 getauxval, AT_MINSIGSTKSZ].
u64 minimum_signal_stack() {
    constexpr u64 kFrame = 1024, kLegacyFpu = 512;
    return kFrame + (cpu_features.xsave ? x86::cpuid(0xd).ebx : kLegacyFpu);
}

struct Places {
    u64 path, platform, random, strings;
};

/// Puts the bytes below `top`; where they are.
Result<Places> write_bytes_area(AddressSpace& space, u64 top, const ExecStrings& strings, StringView path) {
    Places at;
    at.path = top - (path.size() + 1); // the NULs are there already: the area is made of zeros
    at.platform = at.path - (kPlatform.size() + 1);
    at.random = align_down(at.platform - 16, 16);
    at.strings = at.random - strings.size();
    TRY(space.write_bytes(at.path, path.data(), path.size()));
    TRY(space.write_bytes(at.platform, kPlatform.data(), kPlatform.size()));
    u8 random[16];
    random_bytes(random, sizeof random);
    TRY(space.write_bytes(at.random, random, sizeof random));
    for (u64 offset = 0; offset < strings.size();) {
        const auto piece = strings.piece(offset);
        TRY(space.write_bytes(at.strings + offset, piece.data(), piece.size()));
        offset += piece.size();
    }
    return at;
}

Result<void> put_identity(WordWriter& words, const Process* process) {
    const Credentials* const who = process ? &process->credentials : nullptr;
    TRY(words.put(Aux::User, who ? who->user.real.load(kRelaxed) : 0));
    TRY(words.put(Aux::EffectiveUser, who ? who->user.effective.load(kRelaxed) : 0));
    TRY(words.put(Aux::Group, who ? who->group.real.load(kRelaxed) : 0));
    return words.put(Aux::EffectiveGroup, who ? who->group.effective.load(kRelaxed) : 0);
}

Result<void> put_auxiliary_vector(WordWriter& words, const StackContents& contents, const Places& at) {
    if (contents.program_headers != 0)
        TRY(words.put(Aux::ProgramHeaders, contents.program_headers));
    TRY(words.put(Aux::ProgramHeaderSize, kElfProgramHeaderSize));
    TRY(words.put(Aux::ProgramHeaderCount, contents.program_header_count));
    TRY(words.put(Aux::PageSize, kPageSize));
    TRY(words.put(Aux::Base, contents.interpreter_base));
    TRY(words.put(Aux::Flags, 0));
    TRY(words.put(Aux::Entry, contents.entry));
    TRY(put_identity(words, contents.process));
    TRY(words.put(Aux::Platform, at.platform));
    TRY(words.put(Aux::Hwcap, cpu_features.hwcap));
    TRY(words.put(Aux::Hwcap2, x86::read_cr4() & x86::kCr4FsGsBase ? kHwcap2FsGsBase : 0));
    TRY(words.put(Aux::ClockTicks, kClockTicks));
    TRY(words.put(Aux::Secure, 0)); // set-user-id bits are not honoured: nobody gains rights by exec
    TRY(words.put(Aux::Random, at.random));
    TRY(words.put(Aux::ExecFn, at.path));
    if (contents.vdso != 0)
        TRY(words.put(Aux::SysInfoHeader, contents.vdso));
    TRY(words.put(Aux::MinSigStackSize, minimum_signal_stack()));
    return words.put(Aux::Null, 0);
}
constexpr u64 kMaxAuxEntries = 21;

/// `count` pointers to the strings from `offset` on, and a null pointer; the offset behind the last string.
Result<u64> put_pointers(WordWriter& words, const ExecStrings& strings, u64 base, u64 offset, u64 count) {
    for (u64 i = 0; i < count; ++i) {
        TRY(words.put(base + offset));
        offset = strings.next(offset);
    }
    TRY(words.put(0));
    return offset;
}

} // namespace

StackPlace place_stack(const Process* process, const LayoutOffsets& offsets) {
    constexpr u64 kDefault = 8 << 20, kLeast = 256 << 10, kMost = 64 << 20, kGuard = 64 << 10;
    u64 size = process ? process->limits[Limit::Stack] : kDefault;
    size = size < kLeast ? kLeast : size > kMost ? kMost : align_down(size, kPageSize);
    const u64 top = kUserTop - kPageSize - offsets.stack;
    return {.guard = top - size - kGuard, .bottom = top - size, .top = top, .pointer_offset = offsets.stack_pointer};
}

Result<void> map_stack(AddressSpace& space, const StackPlace& place) {
    TRY(space.map_anonymous(place.guard, place.bottom - place.guard, Access::None, AreaKind::Guard,
                            Placement::FixedNoReplace));
    TRY(space.map_anonymous(place.bottom, place.top - place.bottom, Access::ReadWrite, AreaKind::Stack,
                            Placement::FixedNoReplace));
    return {};
}

Result<u64> build_stack(AddressSpace& space, const StackPlace& place, const ExecStrings& strings,
                        const StackContents& contents) {
    const Places at = TRY(write_bytes_area(space, place.top, strings, contents.path));

    const u64 word_count = 1 + strings.argument_count() + 1 + strings.environment_count() + 1 + 2 * kMaxAuxEntries;
    const u64 stack_pointer = align_down(at.strings - place.pointer_offset - 8 * word_count, 16);
    WordWriter words{space, stack_pointer};
    TRY(words.put(strings.argument_count()));
    const u64 environment = TRY(put_pointers(words, strings, at.strings, 0, strings.argument_count()));
    TRY(put_pointers(words, strings, at.strings, environment, strings.environment_count()));
    TRY(put_auxiliary_vector(words, contents, at));
    TRY(words.flush());
    ASSERT(words.address() <= at.strings - place.pointer_offset);
    return stack_pointer;
}

} // namespace tollgate::task
