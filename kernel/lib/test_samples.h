// One valid input for each parser, built by hand from the specifications. The unit tests bend them, the fuzzers start
// from them. Not part of the kernel proper.
#pragma once

#include "lib/elf.h"
#include "lib/multiboot2.h"
#include "lib/pvh.h"
#include "lib/test_support.h"

namespace tollgate::testing {

using Sample = Image<2048>;

/// Where the samples that follow physical addresses expect to lie.
inline constexpr PhysAddr kSampleBase{0x10000};

// --- Multiboot2: 8 bytes of header, then tags at multiples of 8. ---

inline void put_map_entry(Sample& image, u64 base, u64 length, u32 type) {
    image.put(base).put(length).put(type).put(u32{0});
}

inline Sample multiboot2_sample() {
    Sample image;
    image.put(u32{0}).put(u32{0});
    image.put(u32{1}).put(u32{8 + 14}).put_text("pti=on -- init").patch(12, u32{8 + 15}); // at 8: command line
    image.put(u8{0}).pad(8);
    image.put(u32{3}).put(u32{8 + 8 + 5}).put(u32{0x200000}).put(u32{0x2ff000}).put_text("cpio").put(u8{0}).pad(8);
    image.put(u32{6}).put(u32{8 + 8 + 3 * 24}).put(u32{24}).put(u32{0});
    put_map_entry(image, 0, 0x9fc00, 1);
    put_map_entry(image, 0x9fc00, 0x400, 2);
    put_map_entry(image, 0x100000, 0x7ee0000, 1);
    image.pad(8).put(u32{99}).put(u32{9}).put(u8{1}).pad(8); // a tag that nobody knows
    image.put(u32{14}).put(u32{8 + 20}).zeros(20).pad(8);
    image.put(u32{15}).put(u32{8 + 36}).zeros(36).pad(8);
    image.put(u32{0}).put(u32{8});
    image.patch(0, static_cast<u32>(image.size()));
    return image;
}

// --- PVH: the start information at the start, all it points at behind it. ---

inline Sample pvh_sample() {
    constexpr u64 kModules = 56;
    constexpr u64 kMap = kModules + 2 * 32;
    constexpr u64 kText = kMap + 3 * 24;
    const u64 base = kSampleBase.value();
    Sample image;
    image.put(kPvhMagic).put(u32{1}).put(u32{0}).put(u32{2});
    image.put(base + kModules).put(base + kText).put(u64{0xf5a10}).put(base + kMap).put(u32{3}).put(u32{0});
    image.put(u64{0x400000}).put(u64{0x1234}).put(u64{0}).put(u64{0});
    image.put(u64{0x500000}).put(u64{0x1000}).put(u64{0}).put(u64{0});
    put_map_entry(image, 0, 0x9fc00, 1);
    put_map_entry(image, 0xfffc0000, 0x40000, 2);
    put_map_entry(image, 0x100000, 0x7ee0000, 1);
    image.put_text("mds=off -- bench").put(u8{0});
    return image;
}

// --- ACPI: RSDP, XSDT, RSDT, FADT, and the MADT last. ---

struct AcpiSample {
    static constexpr u64 kRsdp = 0;
    static constexpr u64 kXsdt = 48;
    static constexpr u64 kXsdtSize = 36 + 3 * 8;
    static constexpr u64 kRsdt = kXsdt + kXsdtSize;
    static constexpr u64 kRsdtSize = 36 + 2 * 4;
    static constexpr u64 kFadt = kRsdt + kRsdtSize;
    static constexpr u64 kFadtSize = 244;
    static constexpr u64 kMadt = kFadt + kFadtSize;
    static constexpr u64 kMadtEntries = kMadt + 36 + 8;

    Sample image;
    u64 madt_size = 0;

    void fix_checksums() {
        image.fix_checksum(kRsdp, 20, 8);
        image.fix_checksum(kRsdp, 36, 32);
        image.fix_checksum(kXsdt, kXsdtSize, kXsdt + 9);
        image.fix_checksum(kRsdt, kRsdtSize, kRsdt + 9);
        image.fix_checksum(kFadt, kFadtSize, kFadt + 9);
        image.fix_checksum(kMadt, madt_size, kMadt + 9);
    }
};

inline void put_table_header(Sample& image, StringView signature, u64 size) {
    image.put_text(signature).put(static_cast<u32>(size)).put(u8{1}).put(u8{0}).put_text("TOLLGTTOLLGATE!").zeros(11);
}

inline AcpiSample acpi_sample() {
    const u64 base = kSampleBase.value();
    AcpiSample sample;
    Sample& image = sample.image;
    image.put_text("RSD PTR ").put(u8{0}).put_text("TOLLGT").put(u8{2}).put(static_cast<u32>(base + AcpiSample::kRsdt));
    image.put(u32{36}).put(base + AcpiSample::kXsdt).put(u32{0}).zeros(12);
    put_table_header(image, "XSDT", AcpiSample::kXsdtSize);
    image.put(u64{0x7fffffff0000}).put(base + AcpiSample::kFadt).put(base + AcpiSample::kMadt); // the first is nowhere
    put_table_header(image, "RSDT", AcpiSample::kRsdtSize);
    image.put(static_cast<u32>(base + AcpiSample::kFadt)).put(static_cast<u32>(base + AcpiSample::kMadt));
    put_table_header(image, "FACP", AcpiSample::kFadtSize);
    image.zeros(AcpiSample::kFadtSize - 36);
    image.patch(AcpiSample::kFadt + 76, u32{0x608});
    image.patch(AcpiSample::kFadt + 91, u8{4});
    image.patch(AcpiSample::kFadt + 112, u32{1 << 8});
    put_table_header(image, "APIC", 0);
    image.put(u32{0xfee00000}).put(u32{1});
    image.put(u8{0}).put(u8{8}).put(u8{0}).put(u8{0}).put(u32{1});                       // CPU 0
    image.put(u8{0}).put(u8{8}).put(u8{1}).put(u8{4}).put(u32{1});                       // CPU 4
    image.put(u8{0}).put(u8{8}).put(u8{2}).put(u8{5}).put(u32{2});                       // online capable only
    image.put(u8{9}).put(u8{16}).put(u16{0}).put(u32{4}).put(u32{1}).put(u32{1});        // CPU 4 once more
    image.put(u8{9}).put(u8{16}).put(u16{0}).put(u32{300}).put(u32{1}).put(u32{3});      // CPU 300
    image.put(u8{1}).put(u8{12}).put(u8{7}).put(u8{0}).put(u32{0xfec00000}).put(u32{0}); // I/O APIC
    image.put(u8{2}).put(u8{10}).put(u8{0}).put(u8{0}).put(u32{2}).put(u16{0});          // IRQ 0 -> 2
    image.put(u8{2}).put(u8{10}).put(u8{0}).put(u8{9}).put(u32{9}).put(u16{0xf});        // IRQ 9: low, level
    image.put(u8{4}).put(u8{6}).zeros(4);                                                // NMI, passed over
    image.put(u8{5}).put(u8{12}).put(u16{0}).put(u64{0xfee10000});                       // local APIC address
    sample.madt_size = image.size() - AcpiSample::kMadt;
    image.patch(AcpiSample::kMadt + 4, static_cast<u32>(sample.madt_size));
    sample.fix_checksums();
    return sample;
}

// --- cpio ---

template <size_t Capacity>
void put_cpio_field(Image<Capacity>& image, u32 value) {
    for (int shift = 28; shift >= 0; shift -= 4)
        image.put("0123456789ABCDEF"[(value >> shift) & 15]);
}

template <size_t Capacity>
void put_cpio_entry(Image<Capacity>& image, StringView name, u32 mode, StringView data, StringView magic = "070701",
                    u32 checksum = 0) {
    image.pad(4).put_text(magic);
    const u32 fields[] = {
        7,       mode, 10, 20, 1, 1000, static_cast<u32>(data.size()), 8, 1, 2, 3, static_cast<u32>(name.size() + 1),
        checksum};
    for (const u32 value : fields)
        put_cpio_field(image, value);
    image.put_text(name).put(u8{0}).pad(4).put_text(data);
}

inline Sample cpio_sample() {
    Sample image;
    put_cpio_entry(image, ".", 040755, "");
    put_cpio_entry(image, "./bin", 040755, "");
    put_cpio_entry(image, "bin/init", 0100755, "hello");
    put_cpio_entry(image, "/etc/a..b", 0100644, "abc", "070702", 'a' + 'b' + 'c');
    put_cpio_entry(image, "bin/sh", 0120777, "init");
    image.pad(4);
    put_cpio_entry(image, "TRAILER!!!", 0, "");
    return image;
}

// --- ELF: the header, five program headers, and contents up to 0x500. ---

struct ElfSample {
    static constexpr size_t kTable = 64;
    static constexpr size_t kSize = 0x500;
    enum Header : size_t { kText, kData, kTls, kStack, kInterp };
    // Offsets within a program header.
    enum Field : size_t {
        kType = 0,
        kFlags = 4,
        kOffset = 8,
        kAddress = 16,
        kFileSize = 32,
        kMemorySize = 40,
        kAlign = 48
    };

    Sample image;

    template <class T>
    void set(Header header, Field field, T value) {
        image.patch(kTable + header * kElfProgramHeaderSize + field, value);
    }
};

inline void put_program_header(Sample& image, u32 type, u32 flags, u64 offset, u64 address, u64 file_size,
                               u64 memory_size, u64 alignment) {
    image.put(type).put(flags).put(offset).put(address).put(address).put(file_size).put(memory_size).put(alignment);
}

inline ElfSample elf_sample() {
    ElfSample sample;
    Sample& image = sample.image;
    image.put(u8{0x7f}).put_text("ELF").put(u8{2}).put(u8{1}).put(u8{1}).put(u8{0}).zeros(8);
    image.put(u16{2}).put(u16{62}).put(u32{1}).put(u64{0x400200}).put(u64{ElfSample::kTable}).put(u64{0}).put(u32{0});
    image.put(u16{64}).put(u16{kElfProgramHeaderSize}).put(u16{5}).put(u16{0}).put(u16{0}).put(u16{0});
    put_program_header(image, 1, 5, 0, 0x400000, 0x300, 0x300, 0x1000);
    put_program_header(image, 1, 6, 0x300, 0x401300, 0x200, 0x900, 0x1000);
    put_program_header(image, 7, 4, 0x300, 0x401300, 0x10, 0x20, 8);
    put_program_header(image, 0x6474e551, 6, 0, 0, 0, 0, 16);
    put_program_header(image, 3, 4, 0x200, 0x400200, 0x10, 0x10, 1);
    image.zeros(ElfSample::kSize - image.size());
    return sample;
}

} // namespace tollgate::testing
