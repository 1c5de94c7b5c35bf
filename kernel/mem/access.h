// Rights of a mapping. Writable and executable at once cannot be said.
#pragma once

#include "lib/types.h"

namespace tollgate {

enum class Access : u8 { None, Read, ReadWrite, ReadExecute };
enum class Privilege : u8 { Kernel, User };
enum class Caching : u8 { WriteBack, Uncached };

/// Whether writes stay with the process that makes them, or reach the object and everybody else who maps it.
enum class Sharing : u8 { Private, Shared };

} // namespace tollgate
