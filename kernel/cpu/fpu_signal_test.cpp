// Which FPU images are taken: the conditions of XRSTOR [SDM vol 1, 13.8.1], one at a time. TCG lets some of them
// through, so nothing here executes it with a bad image.
#ifdef TOLLGATE_KERNEL
#include "cpu/fpu_signal.h"

#include "tests/harness/test.h"

namespace tollgate {
namespace {

struct alignas(64) Image {
    u8 bytes[kFpuMostBytes] = {};
    template <class T>
    T& at(u64 offset) {
        return *reinterpret_cast<T*>(bytes + offset);
    }
    Image() {
        at<u16>(0) = 0x37f;
        at<u32>(24) = 0x1f80;
        at<u64>(512) = 3 & fpu_images.components;
    }
};

bool is_valid(const Image& image) {
    u64 header[kFpuHeaderSize / 8];
    __builtin_memcpy(header, image.bytes + kFpuLegacySize, sizeof header);
    FpuClaims claims{.mxcsr = 0, .components = header[0], .reserved = 0};
    __builtin_memcpy(&claims.mxcsr, image.bytes + kFpuMxcsrOffset, sizeof claims.mxcsr);
    for (u64 word = 1; word < kFpuHeaderSize / 8; ++word)
        claims.reserved |= header[word];
    return fpu_claims_valid(claims);
}

TEST(FpuImage, GoodOnes) {
    EXPECT_TRUE(is_valid(Image{}));
    Image image;
    image.at<u32>(24) = fpu_images.mxcsr_mask;
    EXPECT_TRUE(is_valid(image));
    image.at<u64>(512) = fpu_images.components;
    EXPECT_TRUE(is_valid(image));
    image.at<u64>(512) = 0;
    EXPECT_TRUE(is_valid(image));
}

TEST(FpuImage, ReservedBitsOfMxcsr) {
    for (unsigned bit = 0; bit < 32; ++bit) {
        Image image;
        image.at<u32>(24) |= u32{1} << bit;
        EXPECT_EQ(is_valid(image), (fpu_images.mxcsr_mask >> bit & 1) != 0);
    }
    EXPECT_EQ(fpu_images.mxcsr_mask >> 18, 0u);
}

TEST(FpuImage, Header) {
    if (fpu_images.components == 0)
        return;
    for (unsigned bit = 0; bit < 64; ++bit) {
        Image image;
        image.at<u64>(512) = u64{1} << bit;
        EXPECT_EQ(is_valid(image), (fpu_images.components >> bit & 1) != 0);
    }
    for (u64 offset = 520; offset < 576; ++offset) {
        Image image;
        image.at<u8>(offset) = 0x80;
        EXPECT_FALSE(is_valid(image));
    }
}

TEST(FpuImage, Sizes) {
    EXPECT_TRUE(fpu_images.size >= kFpuLegacySize && fpu_images.size <= kFpuMostBytes);
    if (fpu_images.components == 0)
        return;
    EXPECT_EQ(fpu_images.software.magic1, kFpuMagic1);
    EXPECT_EQ(fpu_images.software.size, fpu_images.size);
    EXPECT_EQ(fpu_images.software.extended_size, fpu_images.size + 4);
}

} // namespace
} // namespace tollgate
#endif
