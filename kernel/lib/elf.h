// Validates an ELF64 x86-64 executable and says what to map where; the loader in task/ does the mapping. Nothing is
// trusted: what parse_elf() accepts can be mapped without further checks of the file (spec: threats M7). Source: System
// V gABI, chapters 4 and 5; x86-64 psABI.
#pragma once

#include "lib/address.h"
#include "lib/byte_reader.h"

#include <array>
#include <optional>
#include <span>

namespace tollgate {

/// One PT_LOAD. For a position-independent file the addresses are relative to the load bias.
struct ElfSegment {
    u64 address = 0;     ///< As in the file; address and file_offset agree modulo the page size.
    u64 file_offset = 0; ///< Of the first byte.
    u64 file_size = 0;   ///< Bytes from the file ...
    u64 memory_size = 0; ///< ... and in memory, zero beyond file_size; never smaller, never 0.
    bool readable = false;
    bool writable = false;
    bool executable = false; ///< Never together with writable.

    constexpr u64 end() const { return address + memory_size; }
    constexpr u64 page_start() const { return align_down(address, kPageSize); }
    constexpr u64 page_end() const { return align_up(end(), kPageSize); }
};

struct ElfInterpreter {
    u64 file_offset = 0; ///< Of the path.
    u64 length = 0;      ///< With the NUL that must end it; 2 to 4096.
};

struct ElfTls {
    u64 address = 0;
    u64 file_offset = 0;
    u64 file_size = 0;
    u64 memory_size = 0;
    u64 alignment = 1;
};

struct ElfImage {
    static constexpr size_t kMaxSegments = 16;

    u64 entry = 0; ///< Inside an executable segment; plus the load bias if position-independent.
    bool position_independent =
        false;                     ///< ET_DYN: static-pie, or a program for the interpreter, or the interpreter itself.
    bool executable_stack = false; ///< PT_GNU_STACK asks for it. The loader refuses or ignores it.
    u64 alignment = kPageSize;     ///< The load bias must be a multiple of this.
    u64 program_headers = 0;       ///< AT_PHDR (plus the load bias), or 0 when no segment holds the table.
    u16 program_header_count = 0;  ///< AT_PHNUM. AT_PHENT is always 56.
    std::optional<ElfInterpreter> interpreter;
    std::optional<ElfTls> tls;

    /// In rising order of address, no two in one page, all pages below kUserTop.
    std::span<const ElfSegment> segments() const { return {segments_.data(), segment_count_}; }
    /// The pages from the first segment's to the last one's.
    u64 lowest_page() const { return segments_[0].page_start(); }
    u64 highest_page_end() const { return segments_[segment_count_ - 1].page_end(); }

    std::array<ElfSegment, kMaxSegments> segments_{};
    size_t segment_count_ = 0;
};

inline constexpr u16 kElfProgramHeaderSize = 56;

/// `head` holds the first bytes of a file of `file_size` bytes: at least its header and all program headers (one page
/// does for usual files). Every error means ENOEXEC.
Parsed<ElfImage> parse_elf(Bytes head, u64 file_size);

/// The same for a file that is all there.
inline Parsed<ElfImage> parse_elf(Bytes file) { return parse_elf(file, file.size()); }

} // namespace tollgate
