// Fuzzes the ELF validation: the input is the file. What is accepted must be mappable without another look.
#include "lib/elf.h"

#include "fuzz.h"

using namespace tollgate;

int LLVMFuzzerTestOneInput(const u8* data, size_t size) {
    const auto image = parse_elf(as_input(data, size));
    if (!image)
        return 0;
    u64 last_page = 0;
    bool entry_executable = false;
    for (const ElfSegment& segment : image->segments()) {
        ASSERT(segment.memory_size > 0 && segment.file_size <= segment.memory_size);
        ASSERT(range_fits(segment.file_offset, segment.file_size, size));
        ASSERT(segment.end() > segment.address && segment.page_end() <= kUserTop);
        ASSERT(segment.page_start() >= last_page);
        ASSERT(segment.address % kPageSize == segment.file_offset % kPageSize);
        ASSERT(!(segment.writable && segment.executable));
        last_page = segment.page_end();
        entry_executable |= segment.executable && image->entry >= segment.address && image->entry < segment.end();
    }
    ASSERT(entry_executable);
    ASSERT(!image->interpreter || range_fits(image->interpreter->file_offset, image->interpreter->length, size));
    ASSERT(!image->tls || range_fits(image->tls->file_offset, image->tls->file_size, size));
    return 0;
}
