// The calls: refused, empty, stack, priv, copies of 0 to 64 bytes, and one past the cache, by each way that there is.
// All raw instructions; the loop, the check and what hands over the arguments count as part of the call.
#include <cstring>
#include <sys/ioctl.h>

#include "api/numbers.h"
#include "api/spma22.h"
#include "userland/bench/spma22/openings.h"

namespace tollgate::bench::spma22 {

namespace {

constexpr long kMagic = 0xBEEF;
constexpr long kSlot = 47;
constexpr long kRefusedIndex = 255;  ///< what the authors' empty call is: -EINVAL
constexpr long kRefusedNumber = 335; ///< and their empty system call: -ENOSYS

using Prepare = std::function<std::optional<Missing>()>;

/// A row of calls that are all alike. `bind` is called once a repetition and returns the call, with all that it needs
/// in local variables.
template <long expected, class Bind>
void add_calls(Suite& suite, const std::string& operation, GateKind gate, Prepare prepare, Bind bind) {
    suite.list(operation, gate, std::move(prepare), [&suite, gate, bind](benchmark::State& state) {
        Around around{[] {}, [] { return true; }};
        suite.measure(state, around, gate, kCalls, [&] [[gnu::always_inline]] {
            const auto call = bind();
            long wrong = 0;
            for (unsigned left = kCalls; left != 0; --left)
                wrong |= call() ^ expected;
            return wrong;
        });
    });
}

/// A row of calls of an example, registered when the row is prepared.
template <long expected = 0, class Call>
void add_fastcall(Suite& suite, const std::string& operation, std::uint32_t code, Call call) {
    const auto registered = std::make_shared<Registered>();
    const auto prepare = [registered, code] {
        *registered = Registered(code);
        return registered->error();
    };
    add_calls<expected>(suite, operation, GateKind::Fastcall, prepare, [registered, call] {
        const long index = registered->index();
        return [index, call] [[gnu::always_inline]] { return call(index); };
    });
}

/// A row of calls of a function of the vDSO. `call` is given the function and what the two buffers of a copy are.
alignas(64) unsigned char source[64], target[api::kFccmpSlots * api::kFccmpSlotSize];

template <class Function, class Call>
void add_vdso(Suite& suite, const std::string& operation, const char* name, Call call) {
    const auto found = std::make_shared<void*>(nullptr);
    const auto prepare = [found, name]() -> std::optional<Missing> {
        const auto function = vdso_function(name);
        if (!function)
            return function.error();
        *found = *function;
        return std::nullopt;
    };
    add_calls<0>(suite, operation, GateKind::Vdso, prepare, [found, call] {
        const auto function = reinterpret_cast<Function*>(*found);
        return [function, call] [[gnu::always_inline]] { return static_cast<long>(call(function)); };
    });
}

/// A row of ioctls on /dev/fccmp.
template <class Argument>
void add_ioctl(Suite& suite, const std::string& operation, std::uint32_t code, Argument argument) {
    const auto prepare = []() -> std::optional<Missing> {
        const auto opened = device(api::kFccmpDevice);
        return opened ? std::nullopt : std::optional(opened.error());
    };
    const auto kept = std::make_shared<Argument>(argument);
    add_calls<0>(suite, operation, GateKind::Ioctl, prepare, [code, kept] {
        const int opened = *device(api::kFccmpDevice);
        return [opened, code, place = kept.get()] [[gnu::always_inline]] {
            return Native::call(SYS_ioctl, opened, code, place);
        };
    });
}

/// A row of system calls, which the kernel may not have.
template <long number, long expected = 0, class... A>
void add_native(Suite& suite, const std::string& operation, A... arguments) {
    const auto call = [arguments...] [[gnu::always_inline]] { return Native::call(number, arguments...); };
    const auto prepare = [call]() -> std::optional<Missing> {
        const long result = call();
        return result == -ENOSYS && expected != -ENOSYS
                   ? std::optional(Missing{"the calls of the comparison kernel need option spma22=on", false})
                   : std::nullopt;
    };
    add_calls<expected>(suite, operation, GateKind::Native, prepare, [call] { return call; });
}

/// The example uses the vector registers that it may.
[[gnu::always_inline]] inline long call_nt(long index) {
    const long result = Fastcall::call(index, kSlot);
    asm volatile("" : : : "xmm0", "xmm1");
    return result;
}

void add_empty(Suite& suite) {
    add_calls<-EINVAL>(suite, "refused", GateKind::Fastcall, {},
                       [] { return [] [[gnu::always_inline]] { return Fastcall::call(kRefusedIndex); }; });
    add_native<kRefusedNumber, -ENOSYS>(suite, "refused");

    add_fastcall(suite, "noop", api::kFastcallIoctlNoop,
                 [] [[gnu::always_inline]] (long index) { return Fastcall::call(index); });
    add_native<api::kSysNull>(suite, "noop");
    add_ioctl(suite, "noop", api::kFccmpIoctlNoop, 0L);
    add_vdso<int()>(suite, "noop", "__vdso_fccmp_noop", [] [[gnu::always_inline]] (auto* noop) { return noop(); });

    add_fastcall<kMagic>(suite, "stack", api::kFastcallIoctlStack,
                         [] [[gnu::always_inline]] (long index) { return Fastcall::call(index, kMagic); });
    add_fastcall<kMagic + 1>(suite, "priv", api::kFastcallIoctlPriv,
                             [] [[gnu::always_inline]] (long index) { return Fastcall::call(index, kMagic); });
}

void add_array(Suite& suite, long size) {
    const std::string name = "array_" + std::to_string(size);
    add_fastcall(suite, name, api::kFastcallIoctlArray,
                 [size] [[gnu::always_inline]] (long index) { return Fastcall::call(index, kSlot, size); });
    add_native<api::kSysFccmpArray>(suite, name, &source[0], kSlot, size);
    add_ioctl(suite, name, api::kFccmpIoctlArray,
              api::FccmpArray{reinterpret_cast<std::uint64_t>(source), kSlot, static_cast<std::uint8_t>(size), {}});
    add_vdso<int(void*, const void*, unsigned char, unsigned long)>(
        suite, name, "__vdso_fccmp_copy_array", [size] [[gnu::always_inline]] (auto* copy) {
            return copy(target, source, kSlot, static_cast<unsigned long>(size));
        });
}

void add_nt(Suite& suite) {
    add_fastcall(suite, "nt", api::kFastcallIoctlNt, [] [[gnu::always_inline]] (long index) { return call_nt(index); });
    add_native<api::kSysFccmpNt>(suite, "nt", &source[0], kSlot);
    add_ioctl(suite, "nt", api::kFccmpIoctlNt, api::FccmpNt{reinterpret_cast<std::uint64_t>(source), kSlot, {}});
    add_vdso<int(void*, const void*, unsigned char)>(
        suite, "nt", "__vdso_fccmp_copy_nt",
        [] [[gnu::always_inline]] (auto* copy) { return copy(target, source, kSlot); });
}

} // namespace

void add_crossings(Suite& suite) {
    add_empty(suite);
    for (long size = 0; size <= 64; size += 8)
        add_array(suite, size);
    add_nt(suite);
}

} // namespace tollgate::bench::spma22
