// The empty call: what a gate costs and nothing else. As a fastcall, the `noop` example.
#include "userland/bench/operations.h"
#include "userland/bench/suite.h"

namespace tollgate::bench {

namespace {

struct Null : Operation {
    static constexpr const char* kName = "null";
    static constexpr unsigned kNumber = api::kSysNull;
    static constexpr std::uint32_t kFastcall = api::kFastcallIoctlNoop;

    [[gnu::noipa]] static long direct() { return 0; }
    static constexpr long expected() { return 0; }
};

} // namespace

void add_null(Suite& suite) { suite.add<Null>(); }

} // namespace tollgate::bench
