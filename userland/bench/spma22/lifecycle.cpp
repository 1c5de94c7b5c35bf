// What fastcalls cost apart from the calls: registering and deregistering, alone (noop) and with two mappings (array),
// and fork and vfork of a process that has a hundred of them (array, so two hundred mappings of data besides). One
// operation a sample; what undoes it is not timed.
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/bench/spma22/openings.h"

namespace tollgate::bench::spma22 {

namespace {

constexpr unsigned kMany = 100;
constexpr unsigned kForks = 20; ///< in a repetition: a fork is long, and the same each time

std::optional<Missing> can_register() { return Registered(api::kFastcallIoctlNoop).error(); }

template <class Structure>
void add_registration(Suite& suite, const std::string& suffix, std::uint32_t code) {
    static Structure made{};
    const auto enter = [code] { return Native::call(SYS_ioctl, *device(api::kFastcallDevice), code, &made); };
    const auto leave = [] { return Native::call(SYS_munmap, made.fn_addr, made.fn_len); };
    suite.list("register" + suffix, GateKind::Fastcall, can_register, [=, &suite](benchmark::State& state) {
        const int examples = *device(api::kFastcallDevice);
        Around around{[] {}, [leave] { return leave() == 0; }};
        suite.measure(state, around, GateKind::Fastcall, 1,
                      [=] [[gnu::always_inline]] { return Native::call(SYS_ioctl, examples, code, &made); });
    });
    suite.list("deregister" + suffix, GateKind::Fastcall, can_register, [=, &suite](benchmark::State& state) {
        bool entered = false;
        Around around{[&] { entered = enter() == 0; }, [&] { return entered; }};
        suite.measure(state, around, GateKind::Fastcall, 1, leave);
    });
}

long child = -1;

/// The child does nothing but end, by a raw call: it shares our C library's state, or has a copy of it.
[[gnu::noinline]] long fork_once() {
    child = Native::call(SYS_fork);
    if (child == 0)
        Native::call(SYS_exit_group, 0);
    return child < 0 ? child : 0;
}

/// libc's, whose return address survives on a stack that both use.
[[gnu::noinline]] long vfork_once() {
    const pid_t made = vfork();
    if (made == 0)
        Native::call(SYS_exit_group, 0);
    child = made;
    return made < 0 ? -errno : 0;
}

bool reap() {
    int status = -1;
    return child > 0 && waitpid(static_cast<pid_t>(child), &status, 0) == child && status == 0;
}

void add_forks(Suite& suite, const std::string& name, long (*once)()) {
    for (const unsigned count : {0U, kMany})
        suite.list(
            name + "_" + std::to_string(count), GateKind::Native, can_register,
            [=, &suite](benchmark::State& state) {
                std::vector<Registered> registered;
                while (registered.size() < count)
                    if (const auto error = registered.emplace_back(api::kFastcallIoctlArray).error())
                        return state.SkipWithError(error->reason.c_str());
                Around around{[] {}, reap};
                suite.measure(state, around, GateKind::Native, 1, once);
            },
            0, kForks);
}

} // namespace

void add_lifecycle(Suite& suite) {
    add_registration<api::FastcallIoctl>(suite, "", api::kFastcallIoctlNoop);
    add_registration<api::FastcallArrayIoctl>(suite, "_mappings", api::kFastcallIoctlArray);
    add_forks(suite, "fork", fork_once);
    add_forks(suite, "vfork", vfork_once);
}

} // namespace tollgate::bench::spma22
