// The two fastcall examples that no other gate has: `stack` switches to a stack and gives its argument back, `priv`
// stores it in a page of the kernel's, reads it back and gives it increased by one.
#include "userland/bench/operations.h"
#include "userland/bench/suite.h"

namespace tollgate::bench {

namespace {

constexpr long kMagic = 0xBEEF;

struct Stack : Operation {
    static constexpr const char* kName = "stack";
    static constexpr std::uint32_t kFastcall = api::kFastcallIoctlStack;

    static constexpr long expected() { return kMagic; }
    static auto fastcall_arguments() { return std::tuple(kMagic); }
};

struct Priv : Operation {
    static constexpr const char* kName = "priv";
    static constexpr std::uint32_t kFastcall = api::kFastcallIoctlPriv;

    static constexpr long expected() { return kMagic + 1; }
    static auto fastcall_arguments() { return std::tuple(kMagic); }
};

} // namespace

void add_fastcalls(Suite& suite) {
    suite.add<Stack>();
    suite.add<Priv>();
}

} // namespace tollgate::bench
