// The native gate's C++ half.
#pragma once

namespace tollgate {

/// Points this CPU's SYSCALL at native_entry.
void native_initialise_cpu();

} // namespace tollgate
