// Tests of the ELF validation: one test a rule, each bending one field of the sample (threats M7).
#include "lib/elf.h"

#include "lib/test_samples.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

using testing::elf_sample;
using testing::ElfSample;

Parsed<ElfImage> parse(const ElfSample& sample) {
    return testing::with_exact(sample.image.bytes(), [](Bytes file) { return parse_elf(file); });
}

/// The reason for refusing the sample with one field bent, or "" if it is accepted.
template <class T>
StringView refusal(ElfSample::Header header, ElfSample::Field field, T value) {
    ElfSample sample = elf_sample();
    sample.set(header, field, value);
    const auto image = parse(sample);
    return image ? StringView() : StringView(image.error().what);
}

template <class T>
StringView refusal_of_header(size_t offset, T value) {
    ElfSample sample = elf_sample();
    sample.image.patch(offset, value);
    const auto image = parse(sample);
    return image ? StringView() : StringView(image.error().what);
}

TEST(Elf, ReadsTheSample) {
    const auto image = parse(elf_sample());
    ASSERT_TRUE(image.has_value());
    EXPECT_EQ(image->entry, 0x400200u);
    EXPECT_FALSE(image->position_independent || image->executable_stack);
    EXPECT_EQ(image->alignment, 0x1000u);
    EXPECT_EQ(image->program_headers, 0x400040u);
    EXPECT_EQ(image->program_header_count, 5);
    ASSERT_EQ(image->segments().size(), 2u);
    const ElfSegment& text = image->segments()[0];
    EXPECT_TRUE(text.readable && !text.writable && text.executable);
    EXPECT_EQ(text.address, 0x400000u);
    const ElfSegment& data = image->segments()[1];
    EXPECT_TRUE(data.readable && data.writable && !data.executable);
    EXPECT_EQ(data.file_offset, 0x300u);
    EXPECT_EQ(data.file_size, 0x200u);
    EXPECT_EQ(data.memory_size, 0x900u);
    EXPECT_EQ(image->lowest_page(), 0x400000u);
    EXPECT_EQ(image->highest_page_end(), 0x402000u);
    ASSERT_TRUE(image->tls.has_value());
    EXPECT_EQ(image->tls->memory_size, 0x20u);
    ASSERT_TRUE(image->interpreter.has_value());
    EXPECT_EQ(image->interpreter->length, 0x10u);
}

TEST(Elf, EveryTruncationIsAnError) {
    const ElfSample sample = elf_sample();
    for (size_t size = 0; size < sample.image.size(); ++size)
        EXPECT_FALSE(testing::with_exact(sample.image.bytes().first(size),
                                         [](Bytes file) { return parse_elf(file).has_value(); }));
}

TEST(Elf, OnlyTheHeadNeedsToBeThere) {
    const ElfSample sample = elf_sample();
    constexpr size_t kHead = ElfSample::kTable + 5 * kElfProgramHeaderSize;
    const auto with_head = [](Bytes head) { return parse_elf(head, ElfSample::kSize).has_value(); };
    EXPECT_TRUE(testing::with_exact(sample.image.bytes().first(kHead), with_head));
    EXPECT_FALSE(testing::with_exact(sample.image.bytes().first(kHead - 1), with_head));
}

TEST(Elf, FileHeader) {
    EXPECT_TRUE(refusal_of_header(0, u8{0x7e}).contains("magic"));
    EXPECT_TRUE(refusal_of_header(3, u8{'f'}).contains("magic"));
    EXPECT_TRUE(refusal_of_header(4, u8{1}).contains("64-bit"));
    EXPECT_TRUE(refusal_of_header(5, u8{2}).contains("little-endian"));
    EXPECT_TRUE(refusal_of_header(6, u8{0}).contains("version"));
    EXPECT_TRUE(refusal_of_header(20, u32{2}).contains("version"));
    EXPECT_TRUE(refusal_of_header(7, u8{9}).contains("operating system"));
    EXPECT_EQ(refusal_of_header(7, u8{3}), "");
    EXPECT_TRUE(refusal_of_header(16, u16{1}).contains("executable"));
    EXPECT_TRUE(refusal_of_header(16, u16{4}).contains("executable"));
    EXPECT_TRUE(refusal_of_header(18, u16{3}).contains("x86-64"));
    EXPECT_TRUE(refusal_of_header(54, u16{55}).contains("strange size"));
    EXPECT_TRUE(refusal_of_header(56, u16{0}).contains("program headers"));
    EXPECT_TRUE(refusal_of_header(56, u16{0xffff}).contains("program headers"));
    EXPECT_TRUE(refusal_of_header(56, u16{0xfffe}).contains("program headers"));
    EXPECT_TRUE(refusal_of_header(32, ~u64{0}).contains("program headers"));
    EXPECT_TRUE(refusal_of_header(32, u64{ElfSample::kSize}).contains("program headers"));
}

TEST(Elf, Entry) {
    EXPECT_EQ(refusal_of_header(24, u64{0x4002ff}), "");
    for (const u64 entry : {u64{0}, u64{0x3fffff}, u64{0x400300}, u64{0x401300}, u64{0xffffffff80000000}, ~u64{0}})
        EXPECT_TRUE(refusal_of_header(24, entry).contains("entry"));
}

TEST(Elf, WritableAndExecutable) {
    EXPECT_TRUE(refusal(ElfSample::kText, ElfSample::kFlags, u32{7}).contains("both writable and executable"));
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kFlags, u32{3}).contains("both writable and executable"));
    // Not even when it is empty.
    ElfSample sample = elf_sample();
    sample.set(ElfSample::kTls, ElfSample::kType, u32{1});
    sample.set(ElfSample::kTls, ElfSample::kFlags, u32{7});
    EXPECT_FALSE(parse(sample).has_value());
}

TEST(Elf, SegmentSizes) {
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kMemorySize, u64{0x1ff}).contains("larger in the file"));
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kFileSize, u64{0x201}).contains("past the end"));
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kFileSize, ~u64{0}).contains("larger in the file"));
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kOffset, u64{0x1300}).contains("past the end"));
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kOffset, ~u64{0} - 0xff).contains("past the end"));
}

TEST(Elf, SegmentsOutsideOfUserSpace) {
    for (const u64 address : {kUserTop, kUserTop - 0x1000 + 0x300, u64{1} << 47, u64{0xffffffff80000300},
                              u64{0xfffffffffffff300}, u64{0x8000000000000300}})
        EXPECT_NE(refusal(ElfSample::kData, ElfSample::kAddress, address), "");
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kMemorySize, ~u64{0}).contains("user space"));
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kMemorySize, ~u64{0} - 0x401300).contains("user space"));
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kMemorySize, kUserTop - 0x401300 + 1).contains("user space"));
    EXPECT_EQ(refusal(ElfSample::kData, ElfSample::kMemorySize, kUserTop - 0x401300), "");
    EXPECT_TRUE(refusal(ElfSample::kText, ElfSample::kAddress, u64{0}).contains("null page"));
}

TEST(Elf, SegmentsThatOverlap) {
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kAddress, u64{0x400300}).contains("overlap"));
    EXPECT_TRUE(refusal(ElfSample::kText, ElfSample::kMemorySize, u64{0x1001}).contains("overlap")); // share a page
    EXPECT_TRUE(refusal(ElfSample::kText, ElfSample::kMemorySize, u64{0x10000}).contains("overlap"));
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kAddress, u64{0x3ff300}).contains("out of order"));
}

TEST(Elf, Alignment) {
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kAddress, u64{0x401301}).contains("do not agree"));
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kOffset, u64{0x2ff}).contains("do not agree"));
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kAlign, u64{0x1800}).contains("impossible alignment"));
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kAlign, u64{1} << 63).contains("impossible alignment"));
    EXPECT_TRUE(refusal(ElfSample::kData, ElfSample::kAlign, u64{0x200000}).contains("not aligned as it says"));
    EXPECT_EQ(refusal(ElfSample::kData, ElfSample::kAlign, u64{0}), "");
    ElfSample sample = elf_sample();
    sample.set(ElfSample::kText, ElfSample::kAlign, u64{0x200000});
    const auto image = parse(sample);
    ASSERT_TRUE(image.has_value());
    EXPECT_EQ(image->alignment, 0x200000u);
}

TEST(Elf, NothingOrTooMuchToLoad) {
    ElfSample sample = elf_sample();
    sample.set(ElfSample::kText, ElfSample::kType, u32{0});
    sample.set(ElfSample::kData, ElfSample::kType, u32{0});
    const auto nothing = parse(sample);
    ASSERT_FALSE(nothing.has_value());
    EXPECT_TRUE(StringView(nothing.error().what).contains("nothing to load"));

    testing::Sample many;
    const auto small = elf_sample();
    for (const std::byte value : small.image.bytes().first(ElfSample::kTable))
        many.put(value);
    for (u64 i = 0; i < 17; ++i)
        testing::put_program_header(many, 1, 5, 0, 0x400000 + i * 0x1000, 0x300, 0x300, 0x1000);
    many.patch(56, u16{16});
    EXPECT_TRUE(parse_elf(many.bytes()).has_value());
    many.patch(56, u16{17});
    EXPECT_FALSE(parse_elf(many.bytes()).has_value());
}

TEST(Elf, PositionIndependent) {
    ElfSample sample = elf_sample();
    sample.image.patch(16, u16{3});
    sample.image.patch(24, u64{0x200});
    sample.set(ElfSample::kText, ElfSample::kAddress, u64{0});
    sample.set(ElfSample::kData, ElfSample::kAddress, u64{0x1300});
    sample.set(ElfSample::kTls, ElfSample::kAddress, u64{0x1300});
    const auto image = parse(sample);
    ASSERT_TRUE(image.has_value());
    EXPECT_TRUE(image->position_independent);
    EXPECT_EQ(image->program_headers, 0x40u);
    EXPECT_EQ(image->lowest_page(), 0u);
}

TEST(Elf, StackFlag) {
    ElfSample sample = elf_sample();
    sample.set(ElfSample::kStack, ElfSample::kFlags, u32{7});
    const auto image = parse(sample);
    ASSERT_TRUE(image.has_value());
    EXPECT_TRUE(image->executable_stack);
}

TEST(Elf, InterpreterAndThreadLocals) {
    EXPECT_TRUE(refusal(ElfSample::kInterp, ElfSample::kFileSize, u64{1}).contains("impossible size"));
    EXPECT_TRUE(refusal(ElfSample::kInterp, ElfSample::kFileSize, u64{4097}).contains("impossible size"));
    EXPECT_TRUE(refusal(ElfSample::kInterp, ElfSample::kOffset, ~u64{0}).contains("past the end"));
    EXPECT_TRUE(refusal(ElfSample::kStack, ElfSample::kType, u32{3}).contains("impossible size"));
    ElfSample two = elf_sample();
    two.set(ElfSample::kStack, ElfSample::kType, u32{3});
    two.set(ElfSample::kStack, ElfSample::kFileSize, u64{2});
    EXPECT_FALSE(parse(two).has_value());
    EXPECT_TRUE(refusal(ElfSample::kStack, ElfSample::kType, u32{7}).contains("two thread-local"));
    EXPECT_TRUE(refusal(ElfSample::kTls, ElfSample::kAlign, u64{3}).contains("thread-local"));
    EXPECT_TRUE(refusal(ElfSample::kTls, ElfSample::kFileSize, u64{0x21}).contains("thread-local"));
    EXPECT_TRUE(refusal(ElfSample::kTls, ElfSample::kAddress, u64{0x500000}).contains("outside of the segments"));
    EXPECT_TRUE(refusal(ElfSample::kTls, ElfSample::kAddress, ~u64{0}).contains("thread-local"));
    EXPECT_TRUE(refusal(ElfSample::kTls, ElfSample::kMemorySize, ~u64{0}).contains("thread-local"));
}

TEST(Elf, TheTableMayLieOutsideOfTheSegments) {
    ElfSample sample = elf_sample();
    sample.set(ElfSample::kText, ElfSample::kOffset, u64{0x1000});
    sample.set(ElfSample::kText, ElfSample::kFileSize, u64{0});
    EXPECT_FALSE(parse(sample).has_value()); // an offset past the end, even for nothing
    sample = elf_sample();
    sample.set(ElfSample::kText, ElfSample::kFileSize, u64{0x100});
    const auto image = parse(sample);
    ASSERT_TRUE(image.has_value());
    EXPECT_EQ(image->program_headers, 0u);
}

} // namespace
} // namespace tollgate
