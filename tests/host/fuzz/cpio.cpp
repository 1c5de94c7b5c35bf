// Fuzzes the cpio reader: the input is the archive.
#include "lib/cpio.h"

#include "fuzz.h"

using namespace tollgate;

int LLVMFuzzerTestOneInput(const u8* data, size_t size) {
    CpioReader reader(as_input(data, size));
    u64 total = 0;
    for (;;) {
        const auto entry = reader.next();
        if (!entry || !*entry)
            return 0;
        ASSERT(!(*entry)->name.empty() && !(*entry)->name.starts_with("/") && !(*entry)->name.contains('\0'));
        for (const StringView part : (*entry)->name.split('/'))
            ASSERT(part != "..");
        for (const std::byte value : (*entry)->data)
            total += std::to_integer<u64>(value);
        total += (*entry)->name.size() + (*entry)->data.size();
        ASSERT(total <= size * 256);
    }
}
