// The generator of /proc/tollgate/machine.
#pragma once

#include "lib/format.h"
#include "options.h"

namespace tollgate {

void machine_file_use(const Options& boot_options);
void write_machine_file(Sink& sink);

} // namespace tollgate
