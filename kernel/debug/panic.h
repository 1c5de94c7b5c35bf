// The end of the kernel: one report on the console, then QEMU ends with the status for panics.
#pragma once

#include "cpu/trap_frame.h"
#include "lib/format.h"

namespace tollgate {

struct PanicHooks {
    /// Stops all other CPUs.
    void (*stop_others)() = nullptr;
    /// Ends the machine; must not return.
    void (*end)() = nullptr;
    /// One line about what was running: process, thread, gate.
    void (*describe)(Sink&) = nullptr;
};
void set_panic_hooks(const PanicHooks& hooks);

[[noreturn]] void panic_line(StringView format, std::span<const FormatArg> args);
template <class... Args>
[[noreturn]] void panic(FormatString<std::type_identity_t<Args>...> text, const Args&... args) {
    const FormatArg erased[sizeof...(Args) + 1] = {detail::make_format_arg(args)..., FormatArg{}};
    panic_line(text.text(), std::span<const FormatArg>(erased, sizeof...(Args)));
}

/// An exception in the kernel: vector and error code in words, registers, backtrace.
[[noreturn]] void panic_exception(TrapFrame& frame, u64 address);

/// The exception's name and short form, as in the SDM.
const char* exception_name(u64 vector);

} // namespace tollgate
