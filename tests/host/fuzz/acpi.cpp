// Fuzzes the ACPI walk: the input is all memory there is, with the RSDP first. Checksums would stop nearly every input,
// so the known tables' are repaired in a copy before the second try.
#include "lib/acpi.h"

#include "fuzz.h"

#include <vector>

using namespace tollgate;

namespace {

void repair(std::vector<u8>& bytes, size_t start, size_t length, size_t where) {
    if (start + length > bytes.size() || where >= start + length)
        return;
    bytes[where] = 0;
    u8 sum = 0;
    for (size_t i = start; i < start + length; ++i)
        sum = static_cast<u8>(sum + bytes[i]);
    bytes[where] = static_cast<u8>(0 - sum);
}

void repair_table(std::vector<u8>& bytes, size_t start) {
    if (start + 36 > bytes.size())
        return;
    u32 length = 0;
    memcpy(&length, bytes.data() + start + 4, sizeof length);
    repair(bytes, start, length, start + 9);
}

void parse(Bytes bytes) {
    static AcpiInfo info;
    testing::FakeMemory memory(testing::kSampleBase, bytes);
    const auto parsed = parse_acpi(memory, testing::kSampleBase, info);
    if (parsed) {
        ASSERT(!info.apic_ids().empty() && info.apic_ids().size() <= AcpiInfo::kMaxCpus);
        ASSERT(info.io_apics().size() <= AcpiInfo::kMaxIoApics);
    }
}

} // namespace

int LLVMFuzzerTestOneInput(const u8* data, size_t size) {
    using testing::AcpiSample;
    parse(as_input(data, size));
    std::vector<u8> repaired(data, data + size);
    for (const size_t table : {AcpiSample::kXsdt, AcpiSample::kRsdt, AcpiSample::kFadt, AcpiSample::kMadt})
        repair_table(repaired, table);
    repair(repaired, 0, 20, 8);
    repair(repaired, 0, 36, 32);
    parse(as_input(repaired.data(), repaired.size()));
    const auto found = find_rsdp(as_input(data, size));
    ASSERT(!found || range_fits(*found, 20, size));
    return 0;
}
