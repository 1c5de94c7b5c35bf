// Signals against POSIX and the manual pages. Runs on Linux as well. Everything happens in a child, since init is
// spared most signals.
#include "userland/conform/signal_tests.h"

namespace {

using namespace tollgate;
using namespace tollgate::conform;

int run() {
    Ktap ktap(78);
    test_actions(ktap);
    test_defaults(ktap);
    test_masks(ktap);
    test_sending(ktap);
    test_permissions(ktap);
    test_waiting(ktap);
    test_restart(ktap);
    test_rest_of_span(ktap);
    test_never_restarted(ktap);
    test_faults(ktap);
    test_alternate_stack(ktap);
    test_children(ktap);
    test_stop_among_ends(ktap);
    test_threads(ktap);
    test_frame(ktap);
    return ktap.finish();
}

} // namespace

int main() {
    const int status = in_child(run);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
