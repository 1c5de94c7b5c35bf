// Fuzzes the Multiboot2 parser: the input is the boot information.
#include "fuzz.h"

using namespace tollgate;

int LLVMFuzzerTestOneInput(const u8* data, size_t size) {
    static BootInfo info;
    const auto parsed = parse_multiboot2(as_input(data, size), testing::kSampleBase, info);
    if (parsed) {
        check_boot_info(info);
        ASSERT(!info.rsdp || range_fits(*info.rsdp - testing::kSampleBase, 20, size));
    }
    return 0;
}
