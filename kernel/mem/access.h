// Rights of a mapping. Writable and executable at once cannot be said.
#pragma once

#include "lib/types.h"

namespace tollgate {

enum class Access : u8 { None, Read, ReadWrite, ReadExecute };
enum class Privilege : u8 { Kernel, User };
enum class Caching : u8 { WriteBack, Uncached };

} // namespace tollgate
