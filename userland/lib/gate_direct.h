// The baseline without a crossing: an ordinary function of the program in the place of the kernel. Declare the function
// [[gnu::noipa]], so that the compiler can neither inline it nor see through it, as it cannot see through a gate.
#pragma once

#include "userland/lib/gate.h"

namespace tollgate {

template <auto Function>
struct Direct {
    static constexpr std::string_view kName = "direct";

    template <Word... A>
    [[gnu::always_inline]] static long call(long /*number*/, A... arguments) {
        return Function(arguments...);
    }
};

} // namespace tollgate
