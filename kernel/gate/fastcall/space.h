// The fastcall space of an address space: its table, and functions registered in it. Registration is the slow path;
// calls go straight from entry.S to the function.
#pragma once

#include "lib/result.h"
#include "lib/types.h"
#include "mem/address_space.h"

namespace tollgate::fastcall {

/// A function's code: position-independent, in .fastcall.text, ended by SYSRET. At most one page.
struct Function {
    const u8* start;
    const u8* end;
};

/// Pages that a function needs besides its text.
struct Mappings {
    bool shared = false;       ///< a page that user code may read and write
    bool private_page = false; ///< a page for the function alone
};

struct Registration {
    u32 index;    ///< to call it
    u64 function; ///< where it is mapped; munmap(function, length) deregisters
    u64 length;
    u64 shared_address; ///< user address of the shared page, or 0
};

/// Allocates what all spaces share: a stack page for each CPU. Boot, after the CPUs are known.
Result<void> initialise();
/// Gives a new space its table: 127 free slots, each the stub that returns -EINVAL, and the stacks.
Result<void> prepare_space(AddressSpace& space);
/// Frees the bookkeeping; the pages go with the tables.
void space_destroyed(AddressSpace& space);

/// Maps the function and its pages and enters it in the lowest free slot. Attributes: shared page (if any), then
/// private page. Errors: NoSpc (table full), NoMem.
Result<Registration> register_function(AddressSpace& space, const Function& function, const Mappings& mappings);
/// munmap(2) of a function. Inval unless it is exactly one whole function.
Result<void> deregister(AddressSpace& space, u64 address, u64 length);

} // namespace tollgate::fastcall
