// Writes the valid sample of one parser to a file, as the first entry of a fuzzing corpus: fuzz_seeds NAME FILE.
#include "lib/test_samples.h"

#include <cstdio>

using namespace tollgate;

namespace {

testing::Sample sample_named(StringView name) {
    if (name == "multiboot2")
        return testing::multiboot2_sample();
    if (name == "pvh")
        return testing::pvh_sample();
    if (name == "acpi")
        return testing::acpi_sample().image;
    if (name == "cpio")
        return testing::cpio_sample();
    if (name == "elf")
        return testing::elf_sample().image;
    testing::Sample text;
    text.put_text("pti=on trace \"a=b c\" x=\"y z\" n=0x10 -- bench --list \"two words\"");
    return text;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s NAME FILE\n", argv[0]);
        return 1;
    }
    std::FILE* const file = std::fopen(argv[2], "wb");
    if (!file) {
        std::perror(argv[2]);
        return 1;
    }
    const testing::Sample sample = sample_named(argv[1]);
    const size_t written = std::fwrite(sample.bytes().data(), 1, sample.size(), file);
    return std::fclose(file) == 0 && written == sample.size() ? 0 : 1;
}
