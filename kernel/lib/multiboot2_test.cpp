// Tests of the Multiboot2 parser: the sample, every truncation of it, and hostile variants.
#include "lib/multiboot2.h"

#include "lib/test_samples.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

using testing::multiboot2_sample;
using testing::Sample;

constexpr size_t kCommandLineTag = 8;
constexpr size_t kModuleTag = 32;
constexpr size_t kMapTag = 56;
constexpr size_t kOldAcpiTag = 160;

constinit BootInfo info; // too large for a test's stack

bool accepted(const Sample& image) {
    return testing::with_exact(image.bytes(),
                               [](Bytes mbi) { return parse_multiboot2(mbi, PhysAddr(0x10000), info).has_value(); });
}

template <class T>
bool accepted_with(size_t offset, T value) {
    Sample image = multiboot2_sample();
    image.patch(offset, value);
    return accepted(image);
}

/// The reason for refusing the sample with one field bent, or "" if it is accepted.
template <class T>
StringView refusal(size_t offset, T value) {
    Sample image = multiboot2_sample();
    image.patch(offset, value);
    const auto parsed =
        testing::with_exact(image.bytes(), [](Bytes mbi) { return parse_multiboot2(mbi, PhysAddr(0x10000), info); });
    return parsed ? StringView() : StringView(parsed.error().what);
}

TEST(Multiboot2, ReadsTheSample) {
    ASSERT_TRUE(accepted(multiboot2_sample()));
    EXPECT_EQ(StringView(info.protocol), "multiboot2");
    EXPECT_EQ(info.command_line.view(), "pti=on -- init");
    ASSERT_TRUE(info.initial_archive.has_value());
    EXPECT_EQ(info.initial_archive->base, PhysAddr(0x200000));
    EXPECT_EQ(info.initial_archive->length, 0xff000u);
    EXPECT_EQ(info.ignored_modules, 0u);
    EXPECT_EQ(info.memory.regions().size(), 3u);
    EXPECT_EQ(info.memory.usable_bytes(), 0x9f000u + 0x7ee0000u);
    EXPECT_EQ(info.rsdp, PhysAddr(0x10000 + 200)); // the new one wins over the old one at 168
}

TEST(Multiboot2, TheSampleLiesAsTheOtherTestsBelieve) {
    const Sample image = multiboot2_sample();
    EXPECT_EQ(image.at<u32>(kCommandLineTag), 1u);
    EXPECT_EQ(image.at<u32>(kModuleTag), 3u);
    EXPECT_EQ(image.at<u32>(kMapTag), 6u);
    EXPECT_EQ(image.at<u32>(kOldAcpiTag), 14u);
}

TEST(Multiboot2, EveryTruncationIsAnError) {
    const Sample image = multiboot2_sample();
    for (size_t size = 0; size < image.size(); ++size) {
        // Once with the original total size, once with one that agrees.
        Sample shorter = image;
        if (size >= 4)
            shorter.patch(0, static_cast<u32>(size));
        const auto refused = [](Bytes mbi) { return !parse_multiboot2(mbi, PhysAddr(0x10000), info).has_value(); };
        EXPECT_TRUE(testing::with_exact(image.bytes().first(size), refused));
        EXPECT_TRUE(testing::with_exact(shorter.bytes().first(size), refused));
    }
}

TEST(Multiboot2, HostileSizes) {
    for (const u32 size : {0u, 4u, 7u, 0x7fffffffu, 0xffffffffu, 0xfffffff8u})
        for (const size_t tag : {kCommandLineTag, kModuleTag, kMapTag, kOldAcpiTag})
            EXPECT_FALSE(accepted_with(tag + 4, size));
    EXPECT_FALSE(accepted_with(0, u32{0}));
    EXPECT_FALSE(accepted_with(0, u32{15}));
    EXPECT_FALSE(accepted_with(0, u32{0xffffffff}));
    EXPECT_FALSE(accepted_with(kCommandLineTag + 4, u32{8}));       // not even a terminator
    EXPECT_FALSE(accepted_with(kCommandLineTag + 8 + 14, u8{'x'})); // the terminator overwritten
    EXPECT_FALSE(accepted_with(kModuleTag + 4, u32{12}));
    EXPECT_FALSE(accepted_with(kMapTag + 4, u32{12}));
    EXPECT_FALSE(accepted_with(kMapTag + 4, u32{8 + 8 + 2 * 24 + 8})); // an entry cut off
    EXPECT_FALSE(accepted_with(kOldAcpiTag + 4, u32{8 + 19}));
}

TEST(Multiboot2, HostileContents) {
    EXPECT_FALSE(accepted_with(kModuleTag + 12, u32{0x1fffff})); // ends before it starts
    for (const u32 size : {0u, 16u, 25u})
        EXPECT_TRUE(refusal(kMapTag + 8, size).contains("strange size"));
    EXPECT_TRUE(refusal(kMapTag + 8, u32{0xfffffff8}).contains("cut off"));
    EXPECT_TRUE(refusal(kMapTag + 24, ~u64{0}).contains("physical address space")); // region length: wraps
    EXPECT_TRUE(refusal(kMapTag, u32{99}).contains("no memory map tag"));
    EXPECT_TRUE(refusal(kOldAcpiTag, u32{6}).contains("two memory map tags"));
    EXPECT_TRUE(refusal(0, u32{15}).contains("implausible"));
    EXPECT_TRUE(refusal(0, u32{0xffffffff}).contains("implausible"));
    for (const u32 size : {0u, 7u})
        EXPECT_TRUE(refusal(kModuleTag + 4, size).contains("smaller than its header"));
}

TEST(Multiboot2, LargerMapEntriesAreStepped) {
    Sample image;
    image.put(u32{0}).put(u32{0});
    image.put(u32{6}).put(u32{16 + 2 * 32}).put(u32{32}).put(u32{1});
    testing::put_map_entry(image, 0x1000, 0x1000, 1);
    image.put(~u64{0});
    testing::put_map_entry(image, 0x4000, 0x1000, 1);
    image.put(~u64{0});
    image.put(u32{0}).put(u32{8});
    image.patch(0, static_cast<u32>(image.size()));
    ASSERT_TRUE(accepted(image));
    EXPECT_EQ(info.memory.usable_bytes(), 0x2000u);
    EXPECT_FALSE(info.initial_archive.has_value());
    EXPECT_FALSE(info.rsdp.has_value());
    EXPECT_TRUE(info.command_line.empty()); // nothing is left of the boot information before
}

TEST(Multiboot2, TotalSizeFromTheFirstBytes) {
    const Sample image = multiboot2_sample();
    EXPECT_EQ(*multiboot2_size(image.bytes().first(8)), image.size());
    EXPECT_FALSE(multiboot2_size(image.bytes().first(7)).has_value());
}

} // namespace
} // namespace tollgate
