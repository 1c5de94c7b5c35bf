// What the parts of conform-files share, and the parts in the order in which they run.
#pragma once

#include "userland/conform/scratch.h"

namespace conform {

void opening(tollgate::Ktap& ktap);
void content(tollgate::Ktap& ktap);
void seeking(tollgate::Ktap& ktap);
void mapping(tollgate::Ktap& ktap);
void statuses(tollgate::Ktap& ktap);
void times(tollgate::Ktap& ktap);
void sharing(tollgate::Ktap& ktap);
void races(tollgate::Ktap& ktap);

} // namespace conform
