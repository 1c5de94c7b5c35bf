// What an address space is made of: areas, each a range of pages with one origin and one set of rights.
#pragma once

#include "lib/list.h"
#include "lib/ref.h"
#include "mem/access.h"

namespace tollgate {

class AddressSpace;
class MemoryObject;

/// Why an area is there; decides what user calls may do to it, and whether fork() takes it along.
enum class AreaKind : u8 {
    Anonymous,
    Stack,
    Heap,   ///< brk
    Image,  ///< of a file
    Pinned, ///< frames that the kernel gave this one process (FlexSC pages, fastcall data): munmap, mprotect and
            ///< MAP_FIXED over it are refused; fork() leaves it out
    Guard,  ///< nothing is ever mapped here: refused likewise, but the child has it too
    Vdso,   ///< frames that every process has: refused likewise, but the child has it too
};

/// Whether writes stay with the process that makes them, or reach the object and everybody else who maps it.
enum class Sharing : u8 { Private, Shared };

/// Where a mapping may go. Anywhere: at the hint if that is free. Fixed: there, and what was there is unmapped first.
/// FixedNoReplace: there, or Errno::Exist.
enum class Placement : u8 { Anywhere, Fixed, FixedNoReplace };

struct Area {
    u64 start, end;
    Access access;
    AreaKind kind;
    Sharing sharing = Sharing::Private;
    Access limit = Access::ReadWrite; ///< what mprotect may raise a shared area to
    Ref<MemoryObject> object{};       ///< null: zeros
    u64 offset = 0;                   ///< in the object, of `start`
    AddressSpace* space = nullptr;
    ListLink<Area> link{};
    ListLink<Area> object_link{}; ///< on the object's list of areas, under its mappings_lock_
};

} // namespace tollgate
