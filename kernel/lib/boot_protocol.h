// How the boot loader called us; boot.S passes it to kernel_main().
#pragma once

#include "lib/types.h"

namespace tollgate {

enum class BootProtocol : u32 { Unknown = 0, Multiboot2 = 1, Pvh = 2 };

} // namespace tollgate
