// Putting names into directories: used by open(2)'s creation and by names.cpp.
#pragma once

#include "fs/directory.h"

namespace tollgate::fs {

/// Adds a name for a new node, with the caller as its owner and the mask applied, if the caller may write to the
/// directory. Errors: Exist, NoEnt (the directory has been removed), Access, NoMem.
Result<void> add_to(const Caller* caller, Directory& directory, StringView name, Ref<Node> node);

} // namespace tollgate::fs
