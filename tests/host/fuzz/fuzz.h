// What the fuzz targets share: libFuzzer's entry point and a check that ends the run.
#pragma once

#include "lib/assert.h"
#include "lib/test_samples.h"

namespace tollgate {

inline Bytes as_input(const u8* data, size_t size) { return Bytes(reinterpret_cast<const std::byte*>(data), size); }

/// What every accepted boot information must satisfy.
inline void check_boot_info(const BootInfo& info) {
    PhysAddr last;
    u64 usable = 0;
    for (const MemoryRegion& region : info.memory.regions()) {
        ASSERT(region.base.page_aligned() && region.length > 0 && region.length % kPageSize == 0);
        ASSERT(region.base >= last && region.end() > region.base);
        ASSERT(region.end().value() <= MemoryMap::kPhysicalLimit);
        last = region.end();
        usable += region.kind == MemoryRegion::Kind::Usable ? region.length : 0;
    }
    ASSERT(usable > 0);
    ASSERT(info.command_line.size() <= BootInfo::kMaxCommandLine);
}

} // namespace tollgate

extern "C" int LLVMFuzzerTestOneInput(const tollgate::u8* data, tollgate::size_t size);
