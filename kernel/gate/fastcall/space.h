// The fastcall space of an address space: its table, and the functions registered in it. Registration is the slow path;
// calls go straight from entry.S to the function.
#pragma once

#include "fs/vfs.h"
#include "gate/fastcall/provider.h"
#include "mem/address_space.h"

namespace tollgate::fastcall {

/// Whether functions are called by way of check.S, which counts calls and looks at the state that they leave in.
enum class Check : u8 { Off, On };

/// Makes what all spaces share: a stack page for each CPU, and the space of those that have registered nothing. Boot,
/// after the CPUs are known.
Result<void> initialise(Check check);
Check check();
/// AddressSpace::set_destroyed_hook(): calls the callbacks, frees the bookkeeping. The pages go with the tables.
void space_destroyed(AddressSpace& space);

/// munmap(2) in the fastcall space. Errors: Access (stacks, data of a function), Inval (anything else that is not
/// exactly one function).
Result<void> deregister(AddressSpace& space, u64 address, u64 length);

/// Which function of a space lies at an address, or has a slot; none if `function` is null.
struct Located {
    const Function* function;
    unsigned slot;
    u64 offset; ///< in its text
};
Located locate(AddressSpace& space, u64 address);
Located locate_slot(AddressSpace& space, u64 slot);

/// A registration, for /proc.
struct Listed {
    i32 process; ///< the one that was the first to register something in this space
    unsigned slot;
    const Function& function;
    u64 calls, longest; ///< with fastcall.check=on
};
/// Calls `each` for every registration there is; it may not sleep.
void for_each_registration(void (*each)(void* context, const Listed&), void* context);
/// The ranges of a space that supervisor code alone may touch, in ascending order.
void list_areas(AddressSpace& space, fs::EachKernelArea each, void* context);

} // namespace tollgate::fastcall
