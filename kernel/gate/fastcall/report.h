// What /proc/tollgate/fastcall says.
#pragma once

#include "lib/format.h"

namespace tollgate::fastcall {

void write_report(Sink& to);

} // namespace tollgate::fastcall
