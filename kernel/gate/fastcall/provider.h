// What a fastcall provider needs: a function, pages for it, and a place in a process's table. The function itself is
// written with function.inc: self-contained, position-independent, supervisor text that all processes share.
// docs/fastcall.md tells how to write one.
#pragma once

#include "lib/atomic.h"
#include "lib/result.h"
#include "mem/frames.h"

#include <array>
#include <span>

namespace tollgate {
class Process;
}

namespace tollgate::fastcall {

inline constexpr unsigned kAttributes = 3;

/// A function, by its text in .fastcall.text. Static: what is registered points to it.
struct alignas(64) Function {
    const char* name;
    const u8* start;
    const u8* end;
    u32 entry = 0; ///< offset of its first instruction

    /// The frames that hold its text, made at the first registration and kept.
    mutable Atomic<u64> text{0};
    /// For /proc/tollgate/fastcall: registrations that are, and ever were; what became of calls.
    mutable Atomic<u64> registered{0}, registrations{0}, faults{0}, kills{0}, overruns{0};
    /// With fastcall.check=on, of registrations that have ended: calls, and the longest one in ticks.
    mutable Atomic<u64> calls{0}, longest{0};

    u64 pages() const { return (static_cast<u64>(end - start) + 0xfff) / 0x1000; }
};

/// Declares fastcall_NAME and fastcall_NAME_end, which FASTCALL_BEGIN and FASTCALL_END define, and the Function
/// NAME_function between them. All functions of the image lie in one section, so that they can be listed.
#define FASTCALL_FUNCTION(NAME)                                                                                        \
    extern "C" const ::tollgate::u8 fastcall_##NAME[], fastcall_##NAME##_end[];                                        \
    [[gnu::section(".fastcall.functions"), gnu::used]] constinit ::tollgate::fastcall::Function NAME##_function {      \
#NAME, fastcall_##NAME, fastcall_##NAME##_end                                                                  \
    }

/// Pages that a function needs besides its text. Those of all mappings and the text together, and a page between any
/// two, must fit into kWindowPages.
struct Mapping {
    enum class Kind : u8 {
        Private, ///< zeroed pages of this registration, for the function alone
        User,    ///< zeroed pages of this registration, which user code may read and write
        Frames,  ///< frames of the provider's, for functions alone; all who map them share them
        Device,  ///< a physical range of device registers, uncached, for the function alone
    };
    Kind kind;
    u32 pages = 1;
    std::span<const Frame> frames{}; ///< Frames: as many as pages; the provider keeps its references
    PhysAddr device{};               ///< Device
};
inline constexpr unsigned kWindowPages = 32;

/// Called when a registration ends, by a process that may be any; they must not sleep. munmap: unmap, then free. The
/// end of the space, by exit or exec: free alone. The pages are still mapped; no call is in the function any more.
struct Callbacks {
    void (*unmap)(void* context) = nullptr;
    void (*free)(void* context) = nullptr;
    void* context = nullptr;
};

struct Registration {
    u32 index;    ///< to call it
    u64 function; ///< where it is mapped; munmap(function, length) ends the registration
    u64 length;
    std::array<u64, kAttributes> attributes; ///< addresses of the mappings in order, then the constants, then zeros
};

/// Maps the function and its pages into the process's space and enters it in the lowest free slot of its table. Errors:
/// NoSpc (the table is full), NoMem, Inval (too many attributes or pages), Srch (a process that has ended).
Result<Registration> register_fastcall(Process& process, const Function& function, std::span<const u64> constants,
                                       std::span<const Mapping> mappings, const Callbacks& callbacks);

} // namespace tollgate::fastcall
