// The text of functions: the frames that hold it, and what function.inc has noted about it.
#pragma once

#include "gate/fastcall/provider.h"

namespace tollgate::fastcall {

/// A part of a function in which it may touch user memory.
struct Window {
    const u8* start;
    const u8* end;
    u64 on_stack; ///< 1: it runs on the fastcall stack
};

/// The physical address of the function's text, made if nobody has asked for it yet. Errno::NoMem.
Result<PhysAddr> text_of(const Function& function);
/// The window around an instruction of a function, by its place in the image; null if it is in none.
const Window* window_at(const u8* instruction);
/// All functions of this image.
std::span<const Function> functions();
/// Functions made from now on return by way of the checks of check.S. Boot.
void redirect_returns();

} // namespace tollgate::fastcall
