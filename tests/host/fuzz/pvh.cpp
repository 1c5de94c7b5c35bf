// Fuzzes the PVH parser: the input is all memory there is, with the start information first.
#include "fuzz.h"

using namespace tollgate;

int LLVMFuzzerTestOneInput(const u8* data, size_t size) {
    static BootInfo info;
    testing::FakeMemory memory(testing::kSampleBase, as_input(data, size));
    const auto parsed = parse_pvh(memory, testing::kSampleBase, info);
    if (parsed)
        check_boot_info(info);
    return 0;
}
