// Timers against POSIX and the manual pages: alarm, setitimer, timer_create, timerfd, signalfd. Runs on Linux as well.
// Nothing depends on how long anything takes beyond "not yet" and "some time". Everything happens in a child, since
// init is spared most signals.
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userland/conform/timer_tests.h"

using namespace tollgate;
using namespace tollgate::conform;

namespace {

int run() {
    Ktap ktap(24);
    test_alarm(ktap);
    test_posix_timers(ktap);
    test_timerfd(ktap);
    test_signalfd(ktap);
    return ktap.finish();
}

} // namespace

int main() {
    const int status = in_child(run);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
