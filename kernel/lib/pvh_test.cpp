// Tests of the PVH parser: the sample, every truncation of memory, and pointers to nowhere.
#include "lib/pvh.h"

#include "lib/test_samples.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

using testing::FakeMemory;
using testing::kSampleBase;
using testing::pvh_sample;
using testing::Sample;

constexpr size_t kMap = 56 + 2 * 32;

constinit BootInfo info; // too large for a test's stack

Parsed<void> parse(Bytes bytes) {
    return testing::with_exact(bytes, [](Bytes exact) {
        FakeMemory memory(kSampleBase, exact);
        return parse_pvh(memory, kSampleBase, info);
    });
}

template <class T>
bool accepted_with(size_t offset, T value) {
    Sample image = pvh_sample();
    image.patch(offset, value);
    return parse(image.bytes()).has_value();
}

/// The reason for refusing the sample with one field bent, or "" if it is accepted.
template <class T>
StringView refusal(size_t offset, T value) {
    Sample image = pvh_sample();
    image.patch(offset, value);
    const auto parsed = parse(image.bytes());
    return parsed ? StringView() : StringView(parsed.error().what);
}

TEST(Pvh, ReadsTheSample) {
    ASSERT_TRUE(parse(pvh_sample().bytes()).has_value());
    EXPECT_EQ(StringView(info.protocol), "pvh");
    EXPECT_EQ(info.command_line.view(), "mds=off -- bench");
    ASSERT_TRUE(info.initial_archive.has_value());
    EXPECT_EQ(info.initial_archive->base, PhysAddr(0x400000));
    EXPECT_EQ(info.initial_archive->length, 0x1234u);
    EXPECT_EQ(info.ignored_modules, 1u);
    EXPECT_EQ(info.rsdp, PhysAddr(0xf5a10));
    ASSERT_EQ(info.memory.regions().size(), 3u);
    EXPECT_EQ(info.memory.regions()[2].kind, MemoryRegion::Kind::Reserved);
}

TEST(Pvh, EveryTruncationIsAnError) {
    const Sample image = pvh_sample();
    for (size_t size = 0; size < image.size(); ++size)
        EXPECT_FALSE(parse(image.bytes().first(size)).has_value());
}

TEST(Pvh, VersionZeroSaysWhatIsMissing) {
    Sample image = pvh_sample();
    image.patch(4, u32{0});
    const auto result = parse(image.bytes());
    ASSERT_FALSE(result.has_value());
    EXPECT_TRUE(StringView(result.error().what).contains("version 0 has no memory map"));
    EXPECT_TRUE(accepted_with(4, u32{2})); // later versions only append
}

TEST(Pvh, PointersToNowhere) {
    for (const u64 address : {u64{0x100}, ~u64{0}, ~u64{0} - 15, u64{1} << 52, kSampleBase.value() - 1}) {
        EXPECT_FALSE(accepted_with(16, address)); // modules
        EXPECT_FALSE(accepted_with(24, address)); // command line
        EXPECT_FALSE(accepted_with(40, address)); // memory map
    }
    EXPECT_FALSE(accepted_with(0, u32{0x336ec579}));
    EXPECT_TRUE(accepted_with(32, ~u64{0})); // the RSDP is not read here
}

TEST(Pvh, AbsentParts) {
    EXPECT_TRUE(accepted_with(12, u32{0}));
    EXPECT_FALSE(info.initial_archive.has_value());
    EXPECT_TRUE(accepted_with(24, u64{0}));
    EXPECT_TRUE(info.command_line.empty());
    EXPECT_TRUE(accepted_with(32, u64{0}));
    EXPECT_FALSE(info.rsdp.has_value());
}

TEST(Pvh, HostileCountsAndContents) {
    EXPECT_TRUE(refusal(48, u32{0}).contains("empty memory map"));
    EXPECT_TRUE(refusal(48, u32{129}).contains("too many"));
    EXPECT_TRUE(refusal(48, u32{0xffffffff}).contains("too many"));
    EXPECT_TRUE(refusal(48, u32{8}).contains("out of reach")); // runs past the end
    EXPECT_FALSE(accepted_with(kMap + 8, ~u64{0}));            // region wraps
    EXPECT_FALSE(accepted_with(56 + 8, ~u64{0}));              // module wraps
}

TEST(Pvh, CommandLineAcrossPages) {
    // A text that starts just before a page boundary and ends just behind it.
    static testing::Image<8192> image;
    const Sample sample = pvh_sample();
    for (const std::byte value : sample.bytes())
        image.put(value);
    image.zeros(kPageSize - 3 - image.size()).put_text("across").put(u8{0});
    image.patch(24, kSampleBase.value() + kPageSize - 3);
    ASSERT_TRUE(parse(image.bytes()).has_value());
    EXPECT_EQ(info.command_line.view(), "across");
    EXPECT_FALSE(parse(image.bytes().first(image.size() - 1)).has_value());
    EXPECT_FALSE(parse(image.bytes().first(kPageSize)).has_value());
}

} // namespace
} // namespace tollgate
