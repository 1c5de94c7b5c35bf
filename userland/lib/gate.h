// The shape that all gates share, so that an operation is written once and instantiated for each: gate.call(number,
// arguments...) returns what the kernel put into rax, a value or -errno. Read with gate_native.h, gate_int80.h,
// gate_direct.h and gate_fastcall.h, one stub a file; FlexSC's way is flexsc/flexsc.h.
#pragma once

#include <concepts>
#include <string_view>
#include <type_traits>

namespace tollgate {

/// What fits an argument register: integers, enumerations' values, pointers.
template <class T>
concept Word = (std::is_integral_v<T> || std::is_pointer_v<T> || std::is_null_pointer_v<T>)&&sizeof(T) <= sizeof(long);

template <Word T>
[[gnu::always_inline]] inline long word(T value) {
    if constexpr (std::is_pointer_v<T>)
        return reinterpret_cast<long>(value);
    else if constexpr (std::is_null_pointer_v<T>)
        return 0;
    else
        return static_cast<long>(value);
}

/// For the fastcall gate `number` is the index in the process' table; for the direct gate it has no meaning.
template <class G>
concept Gate = requires(const G& gate, long number, long argument) {
    { G::kName } -> std::convertible_to<std::string_view>;
    { gate.call(number) } -> std::same_as<long>;
    { gate.call(number, argument) } -> std::same_as<long>;
    { gate.call(number, argument, argument, argument, argument, argument) } -> std::same_as<long>;
};

} // namespace tollgate
