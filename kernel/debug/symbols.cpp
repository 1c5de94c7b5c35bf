// Binary search in the table of .ksyms: a count, then {address, name offset} sorted by address, then the names.
#include "debug/symbols.h"

namespace tollgate {
namespace {

struct Entry {
    u64 address;
    u64 name;
};
extern "C" const u64 ksyms_count;
extern "C" const Entry ksyms_entries[];
extern "C" const char ksyms_names[];
extern "C" const u8 __image_start[], __text_end[];

} // namespace

bool is_kernel_text(u64 address) {
    return address >= reinterpret_cast<u64>(__image_start) && address < reinterpret_cast<u64>(__text_end);
}

Symbol find_symbol(u64 address) {
    if (!is_kernel_text(address))
        return {};
    u64 low = 0, high = ksyms_count;
    while (low < high) {
        const u64 middle = (low + high) / 2;
        if (ksyms_entries[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return {};
    const Entry& entry = ksyms_entries[low - 1];
    return {StringView(ksyms_names + entry.name), address - entry.address};
}

} // namespace tollgate
