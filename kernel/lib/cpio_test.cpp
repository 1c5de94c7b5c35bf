// Tests of the cpio reader: the sample, every truncation of it, and hostile headers and names.
#include "lib/cpio.h"

#include "lib/test_samples.h"
#include "tests/harness/test.h"

namespace tollgate {
namespace {

using testing::cpio_sample;
using testing::put_cpio_entry;
using testing::Sample;

// Offsets in a header.
constexpr size_t kMode = 14;
constexpr size_t kFileSize = 54;
constexpr size_t kNameSize = 94;
constexpr size_t kName = 110;

/// Whether the whole archive can be read.
bool readable(Bytes archive) {
    return testing::with_exact(archive, [](Bytes exact) {
        CpioReader reader(exact);
        for (;;) {
            const auto entry = reader.next();
            if (!entry)
                return reader.next().has_value(); // false: an error stays
            if (!*entry)
                return true;
        }
    });
}

Sample one_file(StringView name, StringView data = "data") {
    Sample image;
    put_cpio_entry(image, name, 0100644, data);
    put_cpio_entry(image, "TRAILER!!!", 0, "");
    return image;
}

bool readable_with(size_t offset, StringView digits) {
    Sample image = one_file("file");
    for (size_t i = 0; i < digits.size(); ++i)
        image.patch(offset + i, digits[i]);
    return readable(image.bytes());
}

TEST(Cpio, ReadsTheSample) {
    const Sample image = cpio_sample();
    CpioReader reader(image.bytes());
    const auto next = [&] {
        const auto entry = reader.next();
        return entry && *entry ? **entry : CpioEntry();
    };
    const CpioEntry bin = next(); // "." is passed over, "./" cut off
    EXPECT_EQ(bin.name, "bin");
    EXPECT_EQ(bin.mode, 040755u);
    EXPECT_EQ(bin.data.size(), 0u);
    const CpioEntry init = next();
    EXPECT_EQ(init.name, "bin/init");
    EXPECT_EQ(StringView::from_bytes(init.data), "hello");
    EXPECT_EQ(init.user, 10u);
    EXPECT_EQ(init.group, 20u);
    EXPECT_EQ(init.inode, 7u);
    EXPECT_EQ(init.links, 1u);
    EXPECT_EQ(init.modified, 1000u);
    EXPECT_EQ(init.device_major, 2u);
    EXPECT_EQ(init.device_minor, 3u);
    EXPECT_EQ(next().name, "etc/a..b");
    EXPECT_EQ(next().name, "bin/sh");
    const auto end = reader.next();
    ASSERT_TRUE(end.has_value());
    EXPECT_FALSE(end->has_value());
    EXPECT_TRUE(reader.next().has_value()); // and again
}

TEST(Cpio, EveryTruncationIsAnError) {
    const Sample image = cpio_sample();
    EXPECT_TRUE(readable(image.bytes()));
    for (size_t size = 0; size < image.size(); ++size)
        EXPECT_FALSE(readable(image.bytes().first(size)) && size + 3 < image.size()); // only the last padding may go
    EXPECT_FALSE(readable({}));
}

TEST(Cpio, HostileSizes) {
    EXPECT_TRUE(readable_with(kFileSize, "00000004"));
    EXPECT_FALSE(readable_with(kFileSize, "00000005"));
    EXPECT_FALSE(readable_with(kFileSize, "ffffffff"));
    EXPECT_FALSE(readable_with(kFileSize, "fffffffc"));
    EXPECT_FALSE(readable_with(kFileSize, "7fffffff"));
    EXPECT_FALSE(readable_with(kFileSize, "0000 004"));
    EXPECT_FALSE(readable_with(kFileSize, "-0000004"));
    EXPECT_FALSE(readable_with(kMode, "0x000004"));
    EXPECT_FALSE(readable_with(kNameSize, "00000000"));
    EXPECT_FALSE(readable_with(kNameSize, "00000004")); // the NUL is outside
    EXPECT_TRUE(readable_with(kNameSize, "00000006"));  // one NUL more
    EXPECT_FALSE(readable_with(kNameSize, "00000007"));
    EXPECT_FALSE(readable_with(kNameSize, "ffffffff"));
    EXPECT_FALSE(readable_with(kName + 4, "x"));
    EXPECT_FALSE(readable_with(0, "070707"));
    EXPECT_FALSE(readable_with(0, "070703"));
}

TEST(Cpio, NamesThatLeaveTheRoot) {
    for (const char* name : {"..", "../x", "a/..", "a/../b", "./..", "/../x", "a/b/../../../c"})
        EXPECT_FALSE(readable(one_file(name).bytes()));
    for (const char* name : {"...", "a..", "..a", "a/..b/c", "/", "./", ".//./", "//x"})
        EXPECT_TRUE(readable(one_file(name).bytes()));
}

TEST(Cpio, NamesLongerThanAPath) {
    static testing::Image<16384> image;
    for (const size_t length : {size_t{4095}, size_t{4096}}) {
        static char name[4096];
        for (char& c : name)
            c = 'n';
        image = {};
        put_cpio_entry(image, StringView(name, length), 0100644, "");
        put_cpio_entry(image, "TRAILER!!!", 0, "");
        EXPECT_EQ(readable(image.bytes()), length == 4095);
    }
}

TEST(Cpio, EmbeddedTerminator) {
    Sample image = one_file("a/b");
    image.patch(kName + 1, u8{0});
    EXPECT_FALSE(readable(image.bytes()));
}

TEST(Cpio, NamesPaddedWithTerminators) {
    static constexpr char kPadded[64] = "bin/program";
    Sample image;
    put_cpio_entry(image, StringView(kPadded, 40), 0100755, "data");
    put_cpio_entry(image, "TRAILER!!!", 0, "");
    CpioReader reader(image.bytes());
    const auto entry = reader.next();
    ASSERT_TRUE(entry && *entry);
    EXPECT_EQ((*entry)->name, "bin/program");
    EXPECT_EQ(StringView::from_bytes((*entry)->data), "data");
    image.patch(kName + 39, 'x');
    EXPECT_FALSE(readable(image.bytes()));
}

TEST(Cpio, ChecksumOfTheCrcKind) {
    Sample image;
    put_cpio_entry(image, "file", 0100644, "abc", "070702", 'a' + 'b' + 'c' + 1);
    put_cpio_entry(image, "TRAILER!!!", 0, "");
    EXPECT_FALSE(readable(image.bytes()));
}

} // namespace
} // namespace tollgate
