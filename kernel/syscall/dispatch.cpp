// The two tables. An adapter made from each handler's signature turns raw arguments into typed ones and a Result into
// -errno; nothing else in the kernel does.
#include "syscall/dispatch.h"

#include "cpu/x86.h"
#include "debug/log.h"
#include "lib/atomic.h"
#include "lib/result.h"
#include "syscall/handlers.h"
#include "syscall/spma22.h"

#include <utility>

namespace tollgate {
namespace {

template <class T>
T argument_as(u64 raw) {
    if constexpr (requires(T t) { t.address(); })
        return T{raw};
    else
        return static_cast<T>(raw);
}

/// Apart, so that success does not compute it too.
[[gnu::noinline, gnu::cold]] i64 negative(Errno error) { return -static_cast<i64>(error); }

/// Exactly one load, which the compiler may not repeat: the arguments of a syscall page can change at any time, and
/// what a handler is given is their only reading [threats F1].
[[gnu::always_inline]] inline u64 read_once(const u64& argument) {
    return __atomic_load_n(&argument, __ATOMIC_RELAXED);
}

/// `Opens`: the handler may take long, so that it runs with interrupts on (a trap arrives with them off): timers tick,
/// and other CPUs get their TLB flushes. An interrupt in the kernel never switches threads.
template <auto Handler, bool Opens>
struct Adapter;
template <class... A, Result<u64> (*Handler)(Caller&, A...), bool Opens>
struct Adapter<Handler, Opens> {
    static i64 enter(Caller& caller, [[maybe_unused]] const u64* arguments) {
        if constexpr (Opens)
            x86::sti();
        const i64 result = [&]<unsigned... I>(std::integer_sequence<unsigned, I...>) {
            const Result<u64> outcome = Handler(caller, argument_as<A>(read_once(arguments[I]))...);
            if (!outcome) [[unlikely]]
                return negative(outcome.error());
            return static_cast<i64>(*outcome);
        }
        (std::make_integer_sequence<unsigned, sizeof...(A)>{});
        if constexpr (Opens)
            x86::cli();
        return result;
    }
};

/// What a number without a handler leads to: one function a number, so that the log can name it and known calls pay
/// nothing.
template <u64 Number>
i64 no_such_call(Caller&, const u64*) {
    return syscall_unknown(Number);
}

consteval u64 index_of(u64 number) {
    return number < kLinuxNumbers ? number : kLinuxNumbers + number - api::kSysOwnFirst;
}

template <u64... Linux, u64... Own>
consteval SyscallTable empty_table(std::integer_sequence<u64, Linux...>, std::integer_sequence<u64, Own...>) {
    return {{no_such_call<Linux>..., no_such_call<api::kSysOwnFirst + Own>...}};
}

template <Route route>
consteval SyscallTable make_table() {
    SyscallTable table =
        empty_table(std::make_integer_sequence<u64, kLinuxNumbers>{}, std::make_integer_sequence<u64, kOwnNumbers>{});
    constexpr unsigned Trap = 1, TrapAndPage = 3, Quick = 4;
#define SYSCALL(number, name, routes)                                                                                  \
    if (((routes) & static_cast<unsigned>(route)) != 0)                                                                \
        table.entries[index_of(number)] = Adapter < &sys_##name,                                                       \
        route == Route::Trap && ((routes)&Quick) == 0 > ::enter;
#include "syscall/table.def"
#undef SYSCALL
    return table;
}

// A number that stands twice in table.def is two enumerators of one name.
#define SYSCALL(number, name, routes) kNumberTaken_##number,
enum {
#include "syscall/table.def"
};
#undef SYSCALL

extern "C" i64 native_unknown(Caller&, const u64*);
extern "C" i64 native_whole_call(Caller&, const u64*);

/// Calls that read or replace the caller's registers: sigreturn, clone and fork in all forms, exec, and the test
/// instrument.
constexpr bool needs_whole_frame(u64 number) {
    constexpr u64 kNumbers[] = {15, 56, 57, 58, 59, 322, 435, 4100};
    for (const u64 whole : kNumbers)
        if (number == whole)
            return true;
    return false;
}

consteval NativeTable make_native_table() {
    NativeTable table{};
    for (SyscallEntry& entry : table.entries)
        entry = native_unknown;
    constexpr SyscallTable traps = make_table<Route::Trap>();
#define SYSCALL(number, name, routes)                                                                                  \
    table.entries[index_of(number)] = needs_whole_frame(number) ? native_whole_call : traps.entries[index_of(number)];
#include "syscall/table.def"
#undef SYSCALL
    return table;
}

} // namespace

/// One bit a number that has been logged; the last is for all numbers beyond the table. native_unknown reads it.
extern "C" {
constinit Atomic<u64> syscall_logged[(kLinuxNumbers + kOwnNumbers) / 64 + 1] = {};
}

constexpr NativeTable native_table = make_native_table();
constexpr SyscallTable trap_table = make_table<Route::Trap>();
constexpr SyscallTable page_table = make_table<Route::Page>();

i64 syscall_unknown(u64 number) {
    u64 index = kLinuxNumbers + kOwnNumbers;
    if (number < kLinuxNumbers)
        index = number;
    else if (number - api::kSysOwnFirst < kOwnNumbers)
        index = kLinuxNumbers + number - api::kSysOwnFirst;
    const u64 bit = u64{1} << index % 64;
    if (!(syscall_logged[index / 64].fetch_or(bit, kRelaxed) & bit))
        log("system call {:#x} is not implemented: ENOSYS", number);
    return -static_cast<i64>(Errno::NoSys);
}

} // namespace tollgate
