// Fuzzes the command line: the input is its text.
#include "lib/cmdline.h"

#include "fuzz.h"

using namespace tollgate;

int LLVMFuzzerTestOneInput(const u8* data, size_t size) {
    const StringView text = StringView::from_bytes(as_input(data, size));
    const Cmdline cmdline(text);
    size_t seen = 0;
    cmdline.for_each([&](const CmdlineOption& option) {
        seen += option.key.size() + option.value.size();
        ASSERT(cmdline.get(option.key).has_value());
    });
    Words words(cmdline.init_arguments());
    while (const auto word = words.next()) {
        ASSERT(!word->empty());
        seen += word->size();
    }
    ASSERT(seen <= size);
    (void)cmdline.get_u64("pti").has_value();
    return 0;
}
