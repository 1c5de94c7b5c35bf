// Tests of the ACPI walk: the sample through XSDT and RSDT, every truncation of memory, and broken tables.
#include "lib/acpi.h"

#include "lib/test_samples.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

using testing::acpi_sample;
using testing::AcpiSample;
using testing::FakeMemory;
using testing::kSampleBase;

constinit AcpiInfo info;

Parsed<void> parse(Bytes bytes) {
    return testing::with_exact(bytes, [](Bytes exact) {
        FakeMemory memory(kSampleBase, exact);
        return parse_acpi(memory, kSampleBase, info);
    });
}

template <class T>
bool accepted_with(size_t offset, T value) {
    AcpiSample sample = acpi_sample();
    sample.image.patch(offset, value);
    sample.fix_checksums();
    return parse(sample.image.bytes()).has_value();
}

StringView parse_with_entry_length(u8 length) {
    AcpiSample sample = acpi_sample();
    sample.image.patch(AcpiSample::kMadtEntries + 1, length);
    sample.fix_checksums();
    const auto parsed = parse(sample.image.bytes());
    return parsed ? StringView() : StringView(parsed.error().what);
}

void expect_sample() {
    ASSERT_EQ(info.apic_ids().size(), 3u);
    EXPECT_EQ(info.apic_ids()[0], 0u);
    EXPECT_EQ(info.apic_ids()[1], 4u);
    EXPECT_EQ(info.apic_ids()[2], 300u);
    EXPECT_EQ(info.disabled_cpus, 1u);
    EXPECT_EQ(info.ignored_cpus, 0u);
    EXPECT_EQ(info.local_apic, PhysAddr(0xfee10000));
    EXPECT_TRUE(info.has_legacy_pics);
    ASSERT_EQ(info.io_apics().size(), 1u);
    EXPECT_EQ(info.io_apics()[0].id, 7u);
    EXPECT_EQ(info.io_apics()[0].address, PhysAddr(0xfec00000));
    ASSERT_EQ(info.overrides().size(), 2u);
    EXPECT_EQ(info.overrides()[0].interrupt, 2u);
    EXPECT_FALSE(info.overrides()[0].active_low || info.overrides()[0].level_triggered);
    EXPECT_EQ(info.overrides()[1].source, 9);
    EXPECT_TRUE(info.overrides()[1].active_low && info.overrides()[1].level_triggered);
    EXPECT_EQ(info.pm_timer_port, u16{0x608});
    EXPECT_TRUE(info.pm_timer_is_32_bit);
}

TEST(Acpi, ReadsTheSampleThroughTheXsdt) {
    ASSERT_TRUE(parse(acpi_sample().image.bytes()).has_value());
    expect_sample();
}

TEST(Acpi, ReadsTheSampleThroughTheRsdt) {
    EXPECT_TRUE(accepted_with(15, u8{0})); // ACPI 1.0: no extension
    expect_sample();
    EXPECT_TRUE(accepted_with(24, u64{0})); // 2.0 without an XSDT
    expect_sample();
}

TEST(Acpi, EveryTruncationIsAnError) {
    const AcpiSample sample = acpi_sample();
    for (size_t size = 0; size < sample.image.size(); ++size)
        EXPECT_FALSE(parse(sample.image.bytes().first(size)).has_value());
}

TEST(Acpi, ChecksumsCount) {
    for (const size_t offset :
         {size_t{10}, size_t{33}, size_t{AcpiSample::kXsdt + 20}, size_t{AcpiSample::kMadt + 20}}) {
        AcpiSample sample = acpi_sample();
        sample.image.patch(offset, static_cast<u8>(sample.image.at<u8>(offset) + 1));
        EXPECT_FALSE(parse(sample.image.bytes()).has_value());
    }
    // Without the extension, the first checksum and the signature stand alone.
    AcpiSample sample = acpi_sample();
    sample.image.patch(15, u8{0});
    EXPECT_FALSE(parse(sample.image.bytes()).has_value());
    EXPECT_FALSE(accepted_with(0, u8{'r'}));
    // A broken FADT only costs the timer.
    sample = acpi_sample();
    sample.image.patch(AcpiSample::kFadt + 20, u8{0xff});
    EXPECT_TRUE(parse(sample.image.bytes()).has_value());
    EXPECT_FALSE(info.pm_timer_port.has_value());
}

TEST(Acpi, HostileLengths) {
    for (const u32 length : {0u, 35u, 0x7fffffffu, 0xffffffffu}) {
        AcpiSample sample = acpi_sample();
        sample.image.patch(AcpiSample::kMadt + 4, length);
        EXPECT_FALSE(parse(sample.image.bytes()).has_value());
        sample = acpi_sample();
        sample.image.patch(AcpiSample::kXsdt + 4, length);
        EXPECT_FALSE(parse(sample.image.bytes()).has_value());
        sample = acpi_sample();
        sample.image.patch(20, length);
        EXPECT_FALSE(parse(sample.image.bytes()).has_value());
    }
    for (const u8 length : {u8{0}, u8{1}, u8{2}, u8{7}, u8{255}}) {
        EXPECT_FALSE(accepted_with(AcpiSample::kMadtEntries + 1, length));
        const StringView reason = parse_with_entry_length(length);
        EXPECT_TRUE(length >= 2 || reason.contains("shorter than its header"));
    }
    EXPECT_FALSE(accepted_with(24, ~u64{0})); // XSDT at the end of the address space
    EXPECT_FALSE(accepted_with(AcpiSample::kXsdt, u8{'Y'}));
    EXPECT_FALSE(accepted_with(AcpiSample::kMadt, u8{'X'})); // there is no MADT then
}

TEST(Acpi, NoEnabledCpuIsAnError) {
    AcpiSample sample = acpi_sample();
    sample.image.patch(AcpiSample::kMadtEntries + 4, u32{0});
    sample.image.patch(AcpiSample::kMadtEntries + 12, u32{0});
    sample.image.patch(AcpiSample::kMadtEntries + 24 + 8, u32{0});
    sample.image.patch(AcpiSample::kMadtEntries + 40 + 8, u32{0});
    sample.fix_checksums();
    EXPECT_FALSE(parse(sample.image.bytes()).has_value());
}

TEST(Acpi, SurplusEntriesAreCounted) {
    AcpiInfo many;
    for (u32 id = 0; id < 70; ++id)
        many.add_cpu(id, 1);
    EXPECT_EQ(many.apic_ids().size(), AcpiInfo::kMaxCpus);
    EXPECT_EQ(many.ignored_cpus, 70 - AcpiInfo::kMaxCpus);
    for (int i = 0; i < 20; ++i) {
        many.add_io_apic({});
        many.add_override({});
    }
    EXPECT_EQ(many.ignored_entries, 12u + 4u);
}

TEST(Acpi, PmTimerFromTheExtendedField) {
    constexpr size_t kExtended = AcpiSample::kFadt + 208;
    AcpiSample sample = acpi_sample();
    sample.image.patch(kExtended, u8{1});
    sample.image.patch(kExtended + 4, u64{0xb008});
    sample.fix_checksums();
    EXPECT_TRUE(parse(sample.image.bytes()).has_value());
    EXPECT_EQ(info.pm_timer_port, u16{0xb008});
    sample.image.patch(kExtended, u8{0}); // in memory space: not for us
    sample.fix_checksums();
    EXPECT_TRUE(parse(sample.image.bytes()).has_value());
    EXPECT_FALSE(info.pm_timer_port.has_value());
    sample = acpi_sample();
    sample.image.patch(AcpiSample::kFadt + 76, u32{0x10000});
    sample.fix_checksums();
    EXPECT_TRUE(parse(sample.image.bytes()).has_value());
    EXPECT_FALSE(info.pm_timer_port.has_value());
}

TEST(Acpi, FindsTheRootPointer) {
    AcpiSample sample = acpi_sample();
    testing::Sample area;
    area.zeros(32);
    for (const std::byte value : sample.image.bytes().first(36))
        area.put(value);
    EXPECT_EQ(find_rsdp(area.bytes()), 32u);
    EXPECT_FALSE(find_rsdp(area.bytes().first(51)).has_value());
    EXPECT_TRUE(find_rsdp(area.bytes().first(52)).has_value());
    EXPECT_FALSE(find_rsdp(area.bytes().subspan(1)).has_value()); // not on a paragraph
    area.patch(40, u8{1});
    EXPECT_FALSE(find_rsdp(area.bytes()).has_value());
    EXPECT_FALSE(find_rsdp({}).has_value());
}

} // namespace
} // namespace tollgate
