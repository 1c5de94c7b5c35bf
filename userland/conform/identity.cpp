// Who a process is and what it may use: groups, sessions, users, capabilities, limits, prctl, priorities, the machine's
// name.
#include <sys/prctl.h>

#include "userland/conform/identity_tests.h"

using namespace tollgate;
using namespace tollgate::conform;

int main(int argc, char**) {
    if (argc > 1)
        wait_for_signals();
    if (readlink("/proc/self/exe", self, sizeof self - 1) <= 0)
        return 98;
    Ktap ktap(26);
    test_groups(ktap);
    test_sessions(ktap);
    test_orphaned_group(ktap);
    test_users(ktap);
    test_capabilities(ktap);
    test_limits(ktap);
    test_prctl(ktap);
    test_priorities(ktap);
    test_machine(ktap);
    return ktap.finish();
}
