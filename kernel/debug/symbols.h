// Names of the kernel's functions, from a table that the build puts into the image (tools/ksyms.py).
#pragma once

#include "lib/string_view.h"

namespace tollgate {

struct Symbol {
    StringView name; ///< empty if unknown
    u64 offset = 0;
};
/// The function that holds `address`.
Symbol find_symbol(u64 address);
/// Whether `address` lies in the kernel's code.
bool is_kernel_text(u64 address);

} // namespace tollgate
