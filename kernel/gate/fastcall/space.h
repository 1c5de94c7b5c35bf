// The fastcall space of an address space: its table, and the functions registered in it. Registration is the slow path;
// calls go straight from entry.S to the function.
#pragma once

#include "gate/fastcall/provider.h"
#include "mem/address_space.h"

namespace tollgate::fastcall {

/// Makes what all spaces share: a stack page for each CPU, and the space of those that have registered nothing. Boot,
/// after the CPUs are known.
Result<void> initialise();
/// AddressSpace::set_destroyed_hook(): calls the callbacks, frees the bookkeeping. The pages go with the tables.
void space_destroyed(AddressSpace& space);

/// munmap(2) in the fastcall space. Errors: Access (stacks, data of a function), Inval (anything else that is not
/// exactly one function).
Result<void> deregister(AddressSpace& space, u64 address, u64 length);

} // namespace tollgate::fastcall
