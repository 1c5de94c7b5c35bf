// Maps one ELF file, which lib/elf.h has found valid, into a new address space.
#pragma once

#include "lib/elf.h"
#include "mem/address_space.h"
#include "task/file.h"

namespace tollgate::task {

/// Reads exactly `size` bytes of a file into kernel memory. Errno::NoExec if it is shorter.
Result<void> read_exactly(File& file, u64 offset, void* to, u64 size);

/// A file whose headers have been read and checked. Its first page stays at hand.
struct ElfFile {
    Ref<File> file;
    Frame head;
    u64 head_size = 0;
    ElfImage image;
};
/// The first bytes, without a look at them. Errors: NoExec (no regular file), NoMem, those of File::read().
Result<ElfFile> read_head(Ref<File> file);
/// Checks that they are an ELF file's. Errno::NoExec; `path` is for the log.
Result<void> check_head(ElfFile& elf, StringView path);

/// Maps the segments, moved by `bias`. Files that offer their memory are mapped, the others copied. Errors: NoExec
/// (addresses that cannot be had), NoMem.
Result<void> map_image(AddressSpace& space, const ElfFile& elf, u64 bias);
/// A bias at which a position-independent image fits below the space's mappings. Errno::NoMem.
Result<u64> find_bias(AddressSpace& space, const ElfImage& image);

} // namespace tollgate::task
