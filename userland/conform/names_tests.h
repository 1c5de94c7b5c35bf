// What the parts of conform-names share, and the parts in the order in which they run.
#pragma once

#include "userland/conform/scratch.h"

namespace conform {

inline constexpr const char* kDirectory = "dir";

void directories(tollgate::Ktap& ktap);
void links(tollgate::Ktap& ktap);
void renames(tollgate::Ktap& ktap);
void lookups(tollgate::Ktap& ktap);
void listings(tollgate::Ktap& ktap);
void specials(tollgate::Ktap& ktap);
void permissions(tollgate::Ktap& ktap);

} // namespace conform
