// getppid: the smallest call that does something, the one that the FlexSC paper measures.
#include <sys/syscall.h>

#include "userland/bench/operations.h"
#include "userland/bench/suite.h"

namespace tollgate::bench {

namespace {

const volatile long* the_parent;

struct Getppid : Operation {
    static constexpr const char* kName = "getppid";
    static constexpr unsigned kNumber = SYS_getppid;
    static constexpr bool kSwept = true;

    Getppid() { the_parent = &parent_; }
    [[gnu::noipa]] static long direct() { return *the_parent; }
    long expected() const { return parent_; }

private:
    long parent_ = Native::call(SYS_getppid);
};

} // namespace

void add_getppid(Suite& suite) { suite.add<Getppid>(); }

} // namespace tollgate::bench
